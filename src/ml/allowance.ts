/** An answer within this share of the deadline says that the service could do with more. */
const QUICK_SHARE = 0.25;
/** Without a deadline for so many of them a slower answer says it, too, frame by frame: some services take their time whatever is under way. */
const PATIENCE = 12;
/** Timers fire a little early or late. */
const DEADLINE_SHARE = 0.95;

/**
 * How many frames may be under way: all that the limits allow, until a request runs into its deadline. A service that analyses one frame after the other, 8 a
 * second, would be 8 s behind with 64 frames under way: every request would be given up after 5 s, and nothing it does be of use
 * (tests/ml/fairness.test.ts). So a deadline halves what may be under way, and each quick answer lets one more request go. That a slow service is found out anew
 * every minute or two costs it a tenth of its time; never to try would cost one that had a hiccup nearly everything.
 */
export class Allowance {
  readonly #timeoutMs: number;
  #frames = Number.POSITIVE_INFINITY;
  #halvedAtMs = Number.NEGATIVE_INFINITY;

  /** `timeoutMs`: the deadline of a request. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** At least 1. */
  get frames(): number {
    return this.#frames;
  }

  /** Times are ms of a monotonic clock. `request`: how many frames it had; `most`: how many the limits allow. */
  answered(beganMs: number, answeredAtMs: number, request: number, most: number): void {
    const isQuick = answeredAtMs - beganMs <= this.#timeoutMs * QUICK_SHARE;
    if (!isQuick && answeredAtMs - this.#halvedAtMs < this.#timeoutMs * PATIENCE) return;
    const grown = this.#frames + (isQuick ? request : 1);
    this.#frames = grown < most ? grown : Number.POSITIVE_INFINITY;
  }

  /** `underWay`: frames, those of this request included. */
  failed(beganMs: number, failedAtMs: number, underWay: number): void {
    if (failedAtMs - beganMs < this.#timeoutMs * DEADLINE_SHARE) return;
    // What had begun before that waited behind as much as the one that was given up: it says nothing about the half.
    if (beganMs < this.#halvedAtMs) return;
    this.#halvedAtMs = failedAtMs;
    this.#frames = Math.max(1, Math.floor(Math.min(this.#frames, underWay) / 2));
  }
}
