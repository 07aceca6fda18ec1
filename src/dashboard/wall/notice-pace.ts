import type { Alert } from '../../client/index.ts';
import { isWorse } from './severity.ts';
import { countWords } from './words.ts';

/** Alerts often come several at a time, and after a cut hundreds: what comes so soon after the first is said with it, ms. */
const GATHER_MS = 500;
/** No notice follows another one sooner, ms, unless it is about something worse. */
const EVERY_MS = 10_000;

/** What one notice says: the worst of some alerts, of several the newest, and how many they are. */
export interface GatheredAlerts {
  alert: Alert;
  count: number;
}

/** `name`: what the stream is called. */
export function noticeWords({ alert, count }: GatheredAlerts, name: string): { title: string; body: string } {
  const others = count === 1 ? '' : `, and ${countWords(count - 1, 'other alert', 'other alerts')}`;
  return { title: `${alert.severity.toUpperCase()}: ${alert.message}`, body: `${name}${others}` };
}

/** When to call who does not look, and with what: rarely enough that people leave it switched on. Times are of any clock, ms. */
export class NoticePace {
  #gathered: (GatheredAlerts & { dueMs: number }) | undefined;
  #last: { alert: Alert; atMs: number } | undefined;

  /** Answers when `take` is to be called. */
  add(alert: Alert, nowMs: number): number {
    const before = this.#gathered;
    const isOutdone = before !== undefined && isWorse(before.alert.severity, alert.severity);
    const worst = isOutdone ? before.alert : alert;
    const last = this.#last;
    const isFree = last === undefined || isWorse(worst.severity, last.alert.severity);
    const soonMs = Math.max(nowMs + GATHER_MS, isFree ? 0 : last.atMs + EVERY_MS);
    const dueMs = Math.min(soonMs, before?.dueMs ?? soonMs);
    this.#gathered = { alert: worst, count: (before?.count ?? 0) + 1, dueMs };
    return dueMs;
  }

  /** What is to be said now. */
  take(nowMs: number): GatheredAlerts | undefined {
    const gathered = this.#gathered;
    if (gathered === undefined) return undefined;
    this.#gathered = undefined;
    this.#last = { alert: gathered.alert, atMs: nowMs };
    return gathered;
  }

  /** Somebody looks: nothing need be said of what has come. */
  clear(): void {
    this.#gathered = undefined;
  }
}
