import type { Alert } from '../../client/index.ts';

/** An alert in the list. */
export interface LoggedAlert extends Alert {
  /** The router keeps the picture in which it was seen, or did when this was heard. */
  hasPicture: boolean;
}

/** What is held of alerts: the newest first, each once. */
export interface AlertLog {
  alerts: readonly LoggedAlert[];
  /** Some were dropped here, since there are so many. */
  isCut: boolean;
}

/** A UUID of version 7 begins with the time, ms since the epoch. */
const TIMED_ID = /^([0-9a-f]{8})-([0-9a-f]{4})-7/i;

/** When the router heard of it, by its own clock, ms since the epoch: what the alert says of that is as right as a camera's clock. */
export function raisedAtMs({ id, timestamp }: Alert): number {
  const [, high, low] = TIMED_ID.exec(id) ?? [];
  return high === undefined || low === undefined ? timestamp : Number.parseInt(high + low, 16);
}

export const EMPTY_LOG: AlertLog = { alerts: [], isCut: false };

export const MAX_ALERTS = 500;
/** Those after them lose what is large in their metadata: pictures, mostly. */
const WHOLE_ALERTS = 30;
const LONG_TEXT = 2_000;

/** Live ones, or a page of older ones, in any order. */
export function withAlerts(log: AlertLog, alerts: readonly LoggedAlert[]): AlertLog {
  const known = new Set(log.alerts.map(({ id }) => id));
  const news = alerts.filter(({ id }) => !known.has(id));
  if (news.length === 0) return log;
  // Ids sort as text, in the order of the alerts.
  const all = [...log.alerts, ...news].sort((one, other) => (one.id < other.id ? 1 : -1));
  return {
    alerts: all.slice(0, MAX_ALERTS).map((alert, index) => (index < WHOLE_ALERTS ? alert : lightened(alert))),
    isCut: log.isCut || all.length > MAX_ALERTS,
  };
}

const light = new WeakSet<object>();

function lightened(alert: LoggedAlert): LoggedAlert {
  if (light.has(alert)) return alert;
  const lighter = { ...alert, metadata: shortened(alert.metadata) as LoggedAlert['metadata'] };
  light.add(lighter);
  return lighter;
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string') return value.length > LONG_TEXT ? '' : value;
  if (Array.isArray(value)) return value.map(shortened);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, shortened(field)]));
}
