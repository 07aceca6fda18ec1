import type { SampledFrame } from './transport.ts';

/** Room above the frame's size, so that frames that vary a little do not grow the buffer again and again. */
const HEADROOM = 1.25;

/**
 * The one frame of a stream that waits for analysis: a newer one takes its place. Two buffers that change roles, one
 * filling while the other is at the ML service, so that a steady stream allocates nothing.
 */
export class FrameSlot {
  readonly streamId: string;
  #filling = Buffer.alloc(0);
  #away = Buffer.alloc(0);
  #length = 0;
  #timestamp = 0;
  #seq = 0;
  /** When the waiting frame came in, ms of the monotonic clock. */
  takenAtMs = 0;
  /** Of the frame that is away. */
  awayTakenAtMs = 0;
  /** When the first frame came in that it replaced, or the waiting one itself: a batch waits for the first, not the newest. */
  waitingSinceMs = 0;
  isFull = false;
  /** A frame of this stream is at the service. The next one waits, so that answers come back in order. */
  isAway = false;

  constructor(streamId: string) {
    this.streamId = streamId;
  }

  /** Of the frame that waits. */
  get bytes(): number {
    return this.#length;
  }

  /** Copies a frame in. True when an older one had to go for it. */
  put(jpeg: Uint8Array, timestamp: number, seq: number, nowMs: number): boolean {
    const replaced = this.isFull;
    if (jpeg.length > this.#filling.length) this.#filling = Buffer.allocUnsafeSlow(Math.ceil(jpeg.length * HEADROOM));
    this.#filling.set(jpeg);
    this.#length = jpeg.length;
    this.#timestamp = timestamp;
    this.#seq = seq;
    this.takenAtMs = nowMs;
    if (!replaced) this.waitingSinceMs = nowMs;
    this.isFull = true;
    return replaced;
  }

  /** Hands the frame out; its memory stays as it is until `back`. */
  send(): SampledFrame {
    [this.#filling, this.#away] = [this.#away, this.#filling];
    this.isFull = false;
    this.isAway = true;
    this.awayTakenAtMs = this.takenAtMs;
    const data = this.#away.subarray(0, this.#length);
    return { streamId: this.streamId, timestamp: this.#timestamp, seq: this.#seq, data };
  }

  back(): void {
    this.isAway = false;
  }
}
