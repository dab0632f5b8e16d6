/** One promise that is taken out of the source; see list.mjs. */
export interface Mutant {
  readonly says: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly spec: string;
  readonly name?: string;
  readonly keeps?: string;
  readonly row?: string;
  readonly builds?: boolean;
}

export const mutants: readonly Mutant[];
