export interface BreakerLimits {
  /** Failures in a row after which nothing is tried for a while. */
  failures: number;
  /** The first pause; each one after a failed probe is twice as long. */
  pauseMs: number;
  maxPauseMs: number;
}

/** `closed`: all is well. `open`: nothing is tried. `half-open`: one request finds out whether the service is back. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** Spares a service that keeps failing, and us the waiting for it. Times come from the caller, ms of a monotonic clock. */
export class Breaker {
  readonly #limits: BreakerLimits;
  #failures = 0;
  #pauseMs: number;
  #opensAgainAtMs = 0;
  #state: BreakerState = 'closed';

  constructor(limits: BreakerLimits) {
    this.#limits = limits;
    this.#pauseMs = limits.pauseMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** How long nothing may be tried, ms; 0: now. While the one probe is under way nobody knows. */
  waitMs(nowMs: number): number {
    if (this.#state === 'closed') return 0;
    if (this.#state === 'half-open') return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#opensAgainAtMs - nowMs);
  }

  /** Something is tried, as `waitMs` allowed. */
  begin(): void {
    if (this.#state === 'open') this.#state = 'half-open';
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pauseMs = this.#limits.pauseMs;
    this.#state = 'closed';
  }

  failed(nowMs: number): void {
    this.#failures += 1;
    // Of requests that were under way when it opened, the later ones say nothing new.
    if (this.#state === 'open') return;
    if (this.#state === 'half-open') this.#pauseMs = Math.min(2 * this.#pauseMs, this.#limits.maxPauseMs);
    else if (this.#failures < this.#limits.failures) return;
    this.#state = 'open';
    this.#opensAgainAtMs = nowMs + this.#pauseMs;
  }
}
