// Ours, since p-retry and its like have their own timers and cannot be told a delay: `Retry-After` and a shutdown both change it.

export const MAX_ATTEMPTS = 8;
const FIRST_BACK_OFF_MS = 500;
const MAX_BACK_OFF_MS = 30_000;
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * How long to wait after attempt number `attempt` (from 1) failed: anything up to a ceiling that doubles each time, so that
 * many streams do not come back at the same moment. `random` is from 0 to 1.
 */
export function backOffMs(attempt: number, random: number): number {
  return random * Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (attempt - 1));
}

/** Reads a `Retry-After` header, seconds or a date; 0 for none, one in the past and nonsense, and never above a minute. */
export function parseRetryAfter(header: string | undefined, nowEpochMs: number): number {
  if (header === undefined) return 0;
  const delayMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowEpochMs;
  return Math.min(Math.max(delayMs || 0, 0), MAX_RETRY_AFTER_MS);
}
