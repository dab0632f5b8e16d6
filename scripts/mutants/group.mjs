/** Entries that the tests of one file notice. */
export const group = (spec, entries) => entries.map((entry) => ({ spec, ...entry }));
