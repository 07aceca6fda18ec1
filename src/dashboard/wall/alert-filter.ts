import type { Severity } from '../../client/index.ts';
import { type LoggedAlert, raisedAtMs } from './alert-log.ts';
import { SEVERITIES } from './severity.ts';

/** How far back, ms. */
export const SPANS = {
  'any time': Number.POSITIVE_INFINITY,
  'the last 15 minutes': 15 * 60_000,
  'the last hour': 3_600_000,
  'the last 24 hours': 86_400_000,
} as const;
export type Span = keyof typeof SPANS;

/** Which alerts the list shows. */
export interface AlertFilter {
  severities: ReadonlySet<Severity>;
  /** Empty: of all. */
  streamId: string;
  /** In the message, the stream's name or id; empty: any. */
  text: string;
  span: Span;
}

export const NO_FILTER: AlertFilter = { severities: new Set(SEVERITIES), streamId: '', text: '', span: 'any time' };

/** How many of its four parts keep something out. */
export function activeParts({ severities, streamId, text, span }: AlertFilter): number {
  const parts = [severities.size < SEVERITIES.length, streamId !== '', text.trim() !== '', span !== 'any time'];
  return parts.filter(Boolean).length;
}

/** What it lets through changes with time. */
export function isTimed({ span }: AlertFilter): boolean {
  return Number.isFinite(SPANS[span]);
}

/** `nameOf`: what a stream is called on the wall. `nowMs`: since the epoch. */
export function fits(
  alert: LoggedAlert,
  filter: AlertFilter,
  nameOf: (streamId: string) => string,
  nowMs: number,
): boolean {
  const { severity, streamId, message } = alert;
  if (!filter.severities.has(severity)) return false;
  if (filter.streamId !== '' && filter.streamId !== streamId) return false;
  if (nowMs - raisedAtMs(alert) > SPANS[filter.span]) return false;
  const text = filter.text.trim().toLowerCase();
  return text === '' || [message, streamId, nameOf(streamId)].some((where) => where.toLowerCase().includes(text));
}
