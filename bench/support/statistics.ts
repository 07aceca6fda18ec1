/** The middle value; of an even number the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** A measured ratio beside what the noise of the machine does to a ratio that should be 1. */
export interface Ratio {
  /** Median of the rounds. */
  value: number;
  rounds: readonly number[];
  /** Base against base in the same rounds: lowest and highest. */
  noise: { min: number; max: number };
}

/** One round: the base before and after, and what is held against it. */
export interface Round {
  before: number;
  measured: number;
  after: number;
}

/** What is measured against the mean of the base around it, round by round. */
export function ratioOf(rounds: readonly Round[]): Ratio {
  const ratios = rounds.map(({ before, measured, after }) => (2 * measured) / (before + after));
  const noise = rounds.map(({ before, after }) => after / before);
  return { value: median(ratios), rounds: ratios, noise: { min: Math.min(...noise), max: Math.max(...noise) } };
}

/** `0.93 (noise 0.98–1.02)`. */
export function ratioText({ value, noise }: Ratio): string {
  return `${value.toFixed(2)} (noise ${noise.min.toFixed(2)}–${noise.max.toFixed(2)})`;
}
