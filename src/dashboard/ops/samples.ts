import type { Ready, Stats } from './answers.ts';
import type { Metrics } from './exposition.ts';

/** What the router said when it was asked, once a second. */
export interface Sample {
  /** By this device's clock, ms since the epoch. */
  atMs: number;
  ready: Ready;
  stats: Stats;
  metrics: Metrics;
}

/** A time at which it was asked. `sample` undefined: it did not answer. */
export interface Look {
  atMs: number;
  sample: Sample | undefined;
}

/** How far back the charts go. */
export const KEPT_MS = 5 * 60_000;
const MAX_LOOKS = 600;

/** The looks of the last minutes with one more, the oldest left out. */
export function withLook(looks: readonly Look[], look: Look): readonly Look[] {
  const oldestMs = look.atMs - KEPT_MS;
  return [...looks.filter(({ atMs }) => atMs >= oldestMs), look].slice(-MAX_LOOKS);
}

/** Two samples of one run of the router, and the seconds between them. */
export interface Span {
  before: Sample;
  now: Sample;
  seconds: number;
}

/** Undefined where they tell nothing: one is missing, or the router was started anew in between. */
export function spanOf(before: Sample | undefined, now: Sample | undefined): Span | undefined {
  if (before === undefined || now === undefined || now.atMs <= before.atMs) return undefined;
  if (now.stats.process.uptimeSeconds < before.stats.process.uptimeSeconds) return undefined;
  return { before, now, seconds: (now.atMs - before.atMs) / 1000 };
}

/** What the last `seconds` were like: from the oldest answer within them to the newest. */
export function recentSpan(looks: readonly Look[], seconds: number): Span | undefined {
  const now = looks.at(-1)?.sample;
  if (now === undefined) return undefined;
  const before = looks.find(({ atMs, sample }) => sample !== undefined && now.atMs - atMs <= seconds * 1000);
  return spanOf(before?.sample, now);
}

/** By how much a counter grew in a second. Null where it went down. */
export function perSecond({ before, now, seconds }: Span, read: (sample: Sample) => number): number | null {
  const growth = read(now) - read(before);
  return growth < 0 ? null : growth / seconds;
}

export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
