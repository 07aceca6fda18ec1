export interface BackoffLimits {
  /** The first pause is anything from 0 to this, ms. */
  baseMs: number;
  /** No pause is longer, ms. */
  maxMs: number;
}

/** The router keeps a stream for 15 s after its encoder is gone: pauses that are longer would lose it. */
export const BACKOFF_LIMITS: BackoffLimits = { baseMs: 1_000, maxMs: 10_000 };

/** A connection that lasted for this long was a good one: the next pause is a first one again. */
const STABLE_MS = 5_000;

/**
 * Pauses between attempts: each at random between 0 and a bound that doubles ("full jitter"). A part of each pause that is fixed would bring all clients of
 * a router back in the same moments.
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #failures = 0;

  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** The next pause, ms. `openMs`: how long the connection had been open; 0 when it never was. */
  next(openMs: number): number {
    if (openMs >= STABLE_MS) this.#failures = 0;
    const boundMs = Math.min(this.#limits.maxMs, this.#limits.baseMs * 2 ** this.#failures);
    // Beyond it the bound stays, and 2 ** 1024 would be no number.
    this.#failures = Math.min(this.#failures + 1, 30);
    return this.#random() * boundMs;
  }
}
