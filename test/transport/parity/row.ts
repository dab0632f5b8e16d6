import type { Kit } from './kit.js';

/** Does something with an application over one transport; gives what the application saw. */
export type See = (kit: Kit) => Promise<unknown>;

/** What is seen over one of the two transports, in a person's words and as a value. */
interface Half {
  readonly says: string;
  readonly sees: unknown;
}

/** Both transports give the application the same. */
export interface Equal {
  readonly kind: 'equal';
  readonly says: string;
  readonly see: See;
  readonly sees: unknown;
}

/** They differ, and mean to. */
export interface Exception {
  readonly kind: 'exception';
  readonly says: string;
  readonly see: See;
  readonly tcp: Half;
  readonly uds: Half;
  readonly because: string;
}

export type Row = Equal | Exception;

/** One subject of the parity suite, with a row for each thing that an application can see of it. */
export interface Scenario {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** A scenario, and where its rows are, from the root of the project. */
export interface FiledScenario extends Scenario {
  readonly file: string;
}

/** A row of which both transports give `sees`. */
export function equal(says: string, see: See, sees: unknown): Equal {
  return { kind: 'equal', says, see, sees };
}

/** A row in which the two differ. `because` says why ours is better, in one sentence. */
export function exception(
  says: string,
  see: See,
  { tcp, uds, because }: { tcp: Half; uds: Half; because: string },
): Exception {
  return { kind: 'exception', says, see, tcp, uds, because };
}
