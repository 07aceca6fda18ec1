import type { Frame } from './frame.ts';

export interface FeedParts {
  /** Gives a frame to the application. A promise settles when it has taken it; undefined: it has. */
  hand: (frame: Frame) => Promise<void> | undefined;
  /** Sends an `ack`. `lineIsEmpty`: before it none of this stream's frames was on its way. */
  acknowledge: (feed: Feed, received: number, lineIsEmpty: boolean) => void;
  /** Frames in flight that were asked for. */
  window: number;
  nowMs: () => number;
}

/** How much the last frame counts in `handlingMs`. */
const NEWEST_WEIGHT = 0.3;

/**
 * The frames of one subscription to one stream, from the router to the application. A frame counts as arrived when the application has taken it, so a slow
 * page slows down what it is sent. While it is busy one frame waits, and a newer one takes its place.
 */
export class Feed {
  readonly window: number;
  /** Credits that are kept from the router. With 1 a window of 2 acts as one of 1, without a new subscription. */
  reserved = 0;
  /** How long the application takes for a frame, ms. */
  handlingMs = 0;
  readonly #parts: FeedParts;
  #received = 0;
  #acknowledged = 0;
  #isBusy = false;
  #waiting: Frame | undefined;
  #isSilent = false;
  #hasEnded = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.window = parts.window;
  }

  /** One has come. `isKnown`: the application was handed it, on the subscription before. */
  take(frame: Frame, isKnown: boolean): void {
    this.#received += 1;
    if (!isKnown) {
      if (this.#isBusy) this.#waiting = frame;
      else this.#hand(frame);
    }
    this.settle();
  }

  /** Acknowledges what can be. To be called when `reserved` was changed, too. */
  settle(): void {
    if (this.#isSilent) return;
    const untaken = (this.#isBusy ? 1 : 0) + (this.#waiting === undefined ? 0 : 1);
    const taken = this.#received - untaken - this.reserved;
    if (taken <= this.#acknowledged) return;
    const lineIsEmpty = this.#received - this.#acknowledged >= this.window;
    this.#acknowledged = taken;
    this.#parts.acknowledge(this, taken, lineIsEmpty);
  }

  /** No more acks: its subscription is about to be replaced, and they would count for the next one. */
  silence(): void {
    this.#isSilent = true;
  }

  /** Nothing of it reaches the application any more. */
  end(): void {
    this.#isSilent = true;
    this.#hasEnded = true;
    this.#waiting = undefined;
  }

  #hand(frame: Frame): void {
    const beganMs = this.#parts.nowMs();
    const taken = this.#parts.hand(frame);
    if (taken === undefined) {
      this.#took(beganMs);
      return;
    }
    this.#isBusy = true;
    void taken.then(() => {
      this.#isBusy = false;
      this.#took(beganMs);
      const next = this.#waiting;
      this.#waiting = undefined;
      if (next !== undefined && !this.#hasEnded) this.#hand(next);
      this.settle();
    });
  }

  #took(sinceMs: number): void {
    this.handlingMs += (this.#parts.nowMs() - sinceMs - this.handlingMs) * NEWEST_WEIGHT;
  }
}
