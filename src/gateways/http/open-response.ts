import type { HttpResponse } from 'uWebSockets.js';
import type { Clock } from '../../router/ports.ts';

export interface OpenResponseParts {
  clock: Clock;
  /** What may be written at any time between two writes, and says nothing to who reads it. */
  filler: Buffer;
  /** All that was written has gone to the kernel, after a `write` that said it had not. */
  onDrained: () => void;
}

/**
 * A response that goes on for as long as somebody reads it. The library keeps what the kernel does not take, without a bound, so whoever writes waits for `onDrained`
 * after a `write` that answers false.
 */
export class OpenResponse {
  readonly #res: HttpResponse;
  readonly #parts: OpenResponseParts;
  #isOver = false;
  #stuckSinceMs: number | undefined;
  /** The library counts to 10 s: it began when it could not send something, and ends when there is plenty of room again. */
  #isTimed = false;

  /** To be made when the head of the response was written. */
  constructor(res: HttpResponse, parts: OpenResponseParts) {
    this.#res = res;
    this.#parts = parts;
    res.onWritable(() => {
      this.#writable();
      return true;
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Since when what was written waits, and nothing of it has gone; ms of the monotonic clock. Undefined: nothing waits. */
  get stuckSinceMs(): number | undefined {
    return this.#stuckSinceMs;
  }

  /** False: some of it waits in user memory. */
  write(bytes: Uint8Array): boolean {
    if (this.#isOver) return false;
    const hasGone = this.#write(bytes);
    if (!hasGone) this.#stuckSinceMs = this.#parts.clock.monotonicMs();
    return hasGone;
  }

  /** A few bytes more after a `write` that has gone, or that was drained: nobody asks what becomes of them. */
  add(bytes: Uint8Array): void {
    if (!this.#isOver) this.#write(bytes);
  }

  /**
   * To be called every few seconds. The library closes a connection when the kernel has not said for 10 s that there is room again; it says so when a third of its
   * megabytes are free, for which a slow line may take longer.
   */
  keepOpen(): void {
    if (this.#isOver || !this.#isTimed) return;
    // Lets it count anew; where it does not count, it would begin to.
    this.#res.pause();
    this.#res.resume();
    if (this.#stuckSinceMs !== undefined) this.#tryAgain();
  }

  /** It ends well. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#res.cork(() => this.#res.end());
  }

  /** It ends at once, in the middle of whatever waits. */
  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#res.close();
  }

  /** The library says that it is gone. */
  markGone(): void {
    this.#isOver = true;
  }

  /**
   * Small writes are gathered, and so always look as if they had gone; that some have not shows when more is written. So as little as possible is, until it has
   * gone: the library does not say how much waits, and leaves it to this handler to send it.
   */
  #writable(): void {
    if (this.#isOver) return;
    this.#isTimed = false;
    if (this.#stuckSinceMs === undefined) {
      // Writes nothing, but tries again to send what waits.
      this.#res.cork(() => undefined);
      return;
    }
    this.#stuckSinceMs = this.#parts.clock.monotonicMs();
    this.#tryAgain();
  }

  #tryAgain(): void {
    if (!this.#write(this.#parts.filler)) return;
    this.#stuckSinceMs = undefined;
    this.#parts.onDrained();
  }

  #write(bytes: Uint8Array): boolean {
    let hasGone = false;
    this.#res.cork(() => {
      hasGone = this.#res.write(bytes);
    });
    if (!hasGone) this.#isTimed = true;
    return hasGone;
  }
}
