import type { StreamTap } from '../router/ports.ts';
import { TokenBucket } from '../router/token-bucket.ts';
import { FrameSlot } from './frame-slot.ts';

/**
 * Frames are to be spread over the second, so hardly any burst; but with none at all, a camera whose frames come a few ms early now and
 * then is sampled at 4 fps instead of 5 (tests/ml/feed.test.ts, "a few ms early or late").
 */
const SAMPLING_BURST = 1.5;

/** Whom a sampler tells. */
export interface SamplerOwner {
  readonly isClosed: boolean;
  /** A frame lies in the sampler's slot. `replaced`: an older one had to go for it. */
  taken(sampler: StreamSampler, replaced: boolean): void;
  ended(sampler: StreamSampler): void;
}

/** Takes so many frames a second of one stream aside, and keeps the newest of them. */
export class StreamSampler implements StreamTap {
  readonly slot: FrameSlot;
  hasEnded = false;
  readonly #bucket: TokenBucket;
  readonly #owner: SamplerOwner;

  constructor(streamId: string, fps: number, nowMs: number, owner: SamplerOwner) {
    this.slot = new FrameSlot(streamId);
    this.#bucket = new TokenBucket(fps, SAMPLING_BURST, nowMs);
    this.#owner = owner;
  }

  wants(nowMs: number): boolean {
    return !this.#owner.isClosed && this.#bucket.has(1, nowMs);
  }

  take(jpeg: Uint8Array, timestamp: number, seq: number, nowMs: number): void {
    this.#bucket.take(1);
    this.#owner.taken(this, this.slot.put(jpeg, timestamp, seq, nowMs));
  }

  close(): void {
    this.hasEnded = true;
    this.#owner.ended(this);
  }
}
