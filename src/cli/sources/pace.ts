import { setTimeout as sleep } from 'node:timers/promises';

/** So many turns a second, evenly. Turns that were missed are not made up for. */
export class Pace {
  readonly #fps: () => number;
  #dueMs = performance.now();

  /** `fps`: asked anew for each turn. */
  constructor(fps: () => number) {
    this.#fps = fps;
  }

  /** Resolves when the next turn is due: the first one turn after the beginning. Rejects when `signal` is aborted. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    this.#dueMs = Math.max(nowMs, this.#dueMs + 1000 / this.#fps());
    await sleep(this.#dueMs - nowMs, undefined, { signal });
  }
}

/** Lets pictures through, at most so many a second. */
export class FpsCap {
  readonly #intervalMs: number;
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor(fps: number) {
    this.#intervalMs = 1000 / fps;
  }

  admits(nowMs: number): boolean {
    if (nowMs < this.#dueMs) return false;
    // One that came late does not push all others back.
    this.#dueMs = Math.max(this.#dueMs + this.#intervalMs, nowMs);
    return true;
  }
}
