import type { StreamStatus } from '../../client/index.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How long something took or is ago: `12 s`, `3 min`, `2 h`, `5 days`. */
export function spanWords(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(0, Math.round(ms / SECOND_MS))} s`;
  if (ms < HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h`;
  return `${Math.round(ms / DAY_MS)} days`;
}

/** The time of day; with the day where it is another than that of `nowMs`. Both in ms since the epoch. */
export function timeWords(ms: number, nowMs: number): string {
  const when = new Date(ms);
  if (Number.isNaN(when.getTime())) return 'at an unknown time';
  const time = when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const isToday = when.toDateString() === new Date(nowMs).toDateString();
  return isToday ? time : `${when.toLocaleDateString([], { day: 'numeric', month: 'short' })}, ${time}`;
}

/** Over this the clock of the camera is to blame rather than the way of the picture. */
const CLOCK_DIFFERS_MS = 30_000;

/** The age of a picture when it was drawn. The camera's clock may be quite another than this one's. */
export function frameAgeWords(ageMs: number): string {
  if (ageMs < -SECOND_MS || ageMs > CLOCK_DIFFERS_MS) return 'camera’s clock differs';
  if (ageMs < SECOND_MS) return `${Math.max(0, Math.round(ageMs))} ms`;
  return `${(ageMs / SECOND_MS).toFixed(1)} s`;
}

/** How long the way from the camera to the alert took, ms; undefined where the clocks say nonsense. */
export function sinceCaptureWords(ms: number): string | undefined {
  if (ms < -SECOND_MS || ms > DAY_MS) return undefined;
  const span = ms < SECOND_MS ? `${Math.max(0, Math.round(ms))} ms` : `${(ms / SECOND_MS).toFixed(1)} s`;
  return `Seen ${span} after the camera took the picture`;
}

/** Without a new picture for this long the last one is old. */
const STALE_AFTER_MS = 5_000;

export interface PictureFacts {
  status: StreamStatus;
  isConnected: boolean;
  nowMs: number;
  /** Since when pictures are asked for; undefined: they are not. */
  watchingSinceMs: number | undefined;
  /** When the one that is shown came; undefined: none is. */
  lastReceivedMs: number | undefined;
  offlineSinceMs: number | undefined;
}

/** What must be said about a picture that is not live; undefined: it is. */
export function pictureNotice(facts: PictureFacts): string | undefined {
  const { status, isConnected, nowMs, watchingSinceMs, lastReceivedMs, offlineSinceMs } = facts;
  if (!isConnected) {
    return lastReceivedMs === undefined ? 'No connection' : `No connection: ${spanWords(nowMs - lastReceivedMs)} old`;
  }
  if (status === 'offline') {
    return offlineSinceMs === undefined ? 'Offline' : `Offline since ${timeWords(offlineSinceMs, nowMs)}`;
  }
  if (lastReceivedMs === undefined) return 'Waiting for the first picture';
  if (watchingSinceMs === undefined) return undefined;
  const silentMs = nowMs - Math.max(lastReceivedMs, watchingSinceMs);
  return silentMs > STALE_AFTER_MS ? `No picture for ${spanWords(nowMs - lastReceivedMs)}` : undefined;
}

/** A tile, for who cannot see it. The rate is rounded: nothing should be read anew because of one frame more. */
export function tileLabel(name: string, status: StreamStatus, fps: number, notice: string | undefined): string {
  const rate = fps === 0 || notice !== undefined ? '' : `, about ${roundedFps(fps)} frames a second`;
  return `${name}, ${notice === undefined ? status : notice.toLowerCase()}${rate}`;
}

function roundedFps(fps: number): number {
  return fps < 8 ? Math.max(1, Math.round(fps)) : Math.round(fps / 5) * 5;
}

/** `3 streams`, `1 stream`. */
export function countWords(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
