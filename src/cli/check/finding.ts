/** What trying something out came to, in one sentence. `note`: it works, and something should be known. */
export interface Finding {
  kind: 'good' | 'note' | 'bad';
  text: string;
}

/** How long anything may take to answer. */
export const DEADLINE_MS = 5_000;
