import { afterEach } from '@jest/globals';

type CleanUp = () => unknown;

const pending: CleanUp[] = [];

/** Runs after the test, the last one first, also where the test failed. Importing this file is enough to have it run. */
export function afterThisTest(cleanUp: CleanUp): void {
  pending.push(cleanUp);
}

/** The same now, for a test that does its work twice. */
export async function cleanUpNow(): Promise<void> {
  for (let cleanUp = pending.pop(); cleanUp !== undefined; cleanUp = pending.pop()) await cleanUp();
}

afterEach(cleanUpNow);
