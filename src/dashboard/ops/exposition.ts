/** One histogram as Prometheus' text format has it: how many were at most so long, by upper bound in seconds, in order. */
export type Buckets = readonly { upTo: number; count: number }[];

/** What `/metrics` says that `/stats` does not. */
export interface Metrics {
  /** By name, without labels; values of several label values are summed. */
  readonly values: ReadonlyMap<string, number>;
  readonly histograms: ReadonlyMap<string, Buckets>;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

/** Reads Prometheus' text format, as far as this page needs it. What is no sample is passed over. */
export function readExposition(text: string): Metrics {
  const values = new Map<string, number>();
  const histograms = new Map<string, Map<number, number>>();
  for (const line of text.split('\n')) {
    const [, name = '', labels = '', written = ''] = SAMPLE.exec(line) ?? [];
    const value = Number(written.replace('+Inf', 'Infinity'));
    if (name === '' || Number.isNaN(value)) continue;
    const [, bound] = /(?:^|,)le="([^"]+)"/.exec(labels) ?? [];
    if (bound === undefined || !name.endsWith('_bucket')) {
      values.set(name, (values.get(name) ?? 0) + value);
      continue;
    }
    const histogram = histograms.get(name.slice(0, -'_bucket'.length)) ?? new Map<number, number>();
    histograms.set(name.slice(0, -'_bucket'.length), histogram);
    const upTo = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
    histogram.set(upTo, (histogram.get(upTo) ?? 0) + value);
  }
  const sorted = [...histograms].map(([name, buckets]): [string, Buckets] => [
    name,
    [...buckets].map(([upTo, count]) => ({ upTo, count })).sort((a, b) => a.upTo - b.upTo),
  ]);
  return { values, histograms: new Map(sorted) };
}

/**
 * How long it took at most in the best `share` (0 to 1) of what came between two looks, seconds; within a bucket it is taken for evenly spread. Null: nothing
 * came, or the router was started anew.
 */
export function quantile(before: Buckets | undefined, now: Buckets | undefined, share: number): number | null {
  if (before === undefined || now === undefined || before.length !== now.length) return null;
  const counts = now.map(({ count }, index) => count - (before[index]?.count ?? 0));
  const total = counts.at(-1) ?? 0;
  if (total <= 0 || counts.some((count) => count < 0)) return null;
  const rank = share * total;
  const index = counts.findIndex((count) => count >= rank);
  const upTo = now[index]?.upTo ?? 0;
  const from = now[index - 1]?.upTo ?? 0;
  if (upTo === Number.POSITIVE_INFINITY) return from;
  const below = counts[index - 1] ?? 0;
  const within = (counts[index] ?? 0) - below;
  return from + (upTo - from) * (within === 0 ? 1 : (rank - below) / within);
}
