/** Entries that the tests of one file notice. */
export const group = (spec, entries) => entries.map((entry) => ({ spec, ...entry }));

/** Entries that rows of the fault suite notice, whose processes run dist. */
export const faults = (entries) => entries.map((entry) => ({ ...entry, builds: true }));
