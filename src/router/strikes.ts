/** Counts a client's mistakes: `limit` within `windowMs` is too many. Allocates nothing for clients that make none. */
export class Strikes {
  readonly #limit: number;
  readonly #windowMs: number;
  /** When the last `limit` mistakes were made, ms; a ring. */
  #times: Float64Array | undefined;
  #next = 0;

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Notes one mistake. True when it was one too many. */
  strike(nowMs: number): boolean {
    this.#times ??= new Float64Array(this.#limit).fill(Number.NEGATIVE_INFINITY);
    this.#times[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#limit;
    const oldest = this.#times[this.#next] as number;
    return nowMs - oldest < this.#windowMs;
  }
}
