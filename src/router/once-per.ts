/** Lets one thing through per interval: log lines and notices about something that happens thousands of times a second. */
export class OncePer {
  readonly #intervalMs: number;
  #lastMs = Number.NEGATIVE_INFINITY;
  #held = 0;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** How many times it happened since it was last let through, this one included; 0 when this one is held back. */
  due(nowMs: number): number {
    this.#held += 1;
    if (nowMs - this.#lastMs < this.#intervalMs) return 0;
    const count = this.#held;
    this.#lastMs = nowMs;
    this.#held = 0;
    return count;
  }
}
