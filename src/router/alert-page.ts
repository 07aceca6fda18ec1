import type { DeliveredAlert } from '../../proto/messages.ts';
import type { Remembered } from './alert-history.ts';

/** Which alerts are asked for. What is undefined may be anything. */
export interface AlertQuery {
  streamId: string | undefined;
  severities: readonly DeliveredAlert['severity'][] | undefined;
  /** Those that came then or later, ms since the epoch. */
  sinceMs: number | undefined;
  /** Those that came before then. */
  untilMs: number | undefined;
  /** Those with a smaller id: what comes after a page that ended there. */
  beforeId: string | undefined;
  limit: number;
}

/** Some alerts, the newest first. `last`: id of the last one of them, when there are more; new ones that come in change nothing after it. */
export interface AlertPage {
  alerts: readonly Remembered[];
  last: string | undefined;
}

/** An alert may have almost 1 MiB of metadata: a page ends early rather than to be hundreds of them. Characters of JSON. */
const MAX_PAGE_LENGTH = 1024 * 1024;

/** The page of `alerts`, which are in order, the oldest first. */
export function alertPage(alerts: readonly Remembered[], query: AlertQuery): AlertPage {
  const found: Remembered[] = [];
  let length = 0;
  for (const alert of alerts.toReversed()) {
    if (!fits(alert, query)) continue;
    length += alert.outgoing.in('json').length;
    const last = found.at(-1);
    if (last !== undefined && (found.length >= query.limit || length > MAX_PAGE_LENGTH)) {
      return { alerts: found, last: last.id };
    }
    found.push(alert);
  }
  return { alerts: found, last: undefined };
}

function fits(alert: Remembered, query: AlertQuery): boolean {
  const { streamId, severities, sinceMs, untilMs, beforeId } = query;
  return (
    (beforeId === undefined || alert.id < beforeId) &&
    (streamId === undefined || alert.streamId === streamId) &&
    (severities?.includes(alert.severity) ?? true) &&
    (sinceMs === undefined || alert.createdAtMs >= sinceMs) &&
    (untilMs === undefined || alert.createdAtMs < untilMs)
  );
}
