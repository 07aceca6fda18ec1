/** An answer within this share of the deadline says that the service could do with more. */
const QUICK_SHARE = 0.25;
/** Timers fire a little early or late. */
const DEADLINE_SHARE = 0.95;

/**
 * How many frames may be under way: all that the limits allow, until a request runs into its deadline. A service that analyses one frame after the other, 8 a
 * second, would be 8 s behind with 64 frames under way: every request would be given up after 5 s, and nothing it does be of use
 * (tests/ml/fairness.test.ts). So each deadline halves what may be under way, and each quick answer lets one more request go.
 */
export class Allowance {
  readonly #timeoutMs: number;
  #frames = Number.POSITIVE_INFINITY;

  /** `timeoutMs`: the deadline of a request. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** At least 1. */
  get frames(): number {
    return this.#frames;
  }

  /** `request`: how many frames it had; `most`: how many the limits allow. */
  answered(tookMs: number, request: number, most: number): void {
    if (tookMs > this.#timeoutMs * QUICK_SHARE) return;
    const grown = this.#frames + request;
    this.#frames = grown < most ? grown : Number.POSITIVE_INFINITY;
  }

  /** `underWay`: frames, those of this request included. */
  failed(tookMs: number, underWay: number): void {
    if (tookMs < this.#timeoutMs * DEADLINE_SHARE) return;
    this.#frames = Math.max(1, Math.floor(Math.min(this.#frames, underWay) / 2));
  }
}
