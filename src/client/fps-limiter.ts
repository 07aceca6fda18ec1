/** How early a frame may come, in parts of the interval: a camera of just so many frames a second is never quite regular, and must not lose every other one. */
const TOLERANCE = 0.5;

/** At most so many frames a second on average. */
export class FpsLimiter {
  #intervalMs: number;
  /** When the next one is due. */
  #dueMs = Number.NEGATIVE_INFINITY;

  /** `maxFps`: `Infinity` lets everything pass. */
  constructor(maxFps = Number.POSITIVE_INFINITY) {
    this.#intervalMs = 1000 / maxFps;
  }

  /** From now on. More takes effect with the next frame. */
  setRate(maxFps: number): void {
    const intervalMs = 1000 / maxFps;
    this.#dueMs += Math.min(0, intervalMs - this.#intervalMs);
    this.#intervalMs = intervalMs;
  }

  /** How long until one may pass that has come too early, ms. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#dueMs - nowMs);
  }

  /** Whether a frame may pass now; if so it counts. */
  admits(nowMs: number): boolean {
    if (nowMs < this.#dueMs - this.#intervalMs * TOLERANCE) return false;
    this.#dueMs = Math.max(nowMs, this.#dueMs) + this.#intervalMs;
    return true;
  }
}
