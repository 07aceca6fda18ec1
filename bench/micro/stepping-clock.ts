import type { Clock } from '../../src/router/ports.ts';

/** Stands still until it is told to go on: rate limits then see the frame rate of the task, not that of the loop. */
export class SteppingClock implements Clock {
  #nowMs = 0;

  epochMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Returns the new monotonic time, ms. */
  advance(ms: number): number {
    this.#nowMs += ms;
    return this.#nowMs;
  }
}
