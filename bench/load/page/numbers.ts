import type { Percentiles } from '../report.ts';

/** Stands where nothing was measured, or the router does not tell. */
export const UNKNOWN = '–';

export const MEGABYTE = 1e6;
export const MEBIBYTE = 2 ** 20;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** Three digits are enough to read; a count keeps them all. */
export function formatNumber(value: number | null | undefined): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return UNKNOWN;
  return (Math.abs(value) >= 100 ? whole : precise).format(value);
}

/** "98 %", which no line break takes apart. */
export function withUnit(value: number | null | undefined, unit: string): string {
  const number = formatNumber(value);
  return number === UNKNOWN ? UNKNOWN : `${number}\u00a0${unit}`;
}

export function formatPercent(share: number | undefined): string {
  return share === undefined ? UNKNOWN : withUnit(share * 100, '%');
}

/** Rounded down, so that 100 % means all of them. */
export function formatShareOf(part: number, all: number): string {
  if (all <= 0) return UNKNOWN;
  return `${Math.floor((part / all) * 10_000) / 100}\u00a0%`;
}

/** A percentile, unless nothing was measured: then it is 0 in the report, which would look splendid. */
export function percentile(of: Percentiles, name: Exclude<keyof Percentiles, 'count'>): number | null {
  return of.count > 0 ? of[name] : null;
}

/** Causes or codes with their counts, the most frequent first. */
export function byCount(counts: Record<string, number>): [name: string, count: number][] {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one);
}

/** "slow 1,200, rate 34" */
export function inWords(counts: Record<string, number>): string {
  return byCount(counts)
    .map(([name, count]) => `${name} ${formatNumber(count)}`)
    .join(', ');
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
