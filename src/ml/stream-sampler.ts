import type { StreamTap, TappedStream } from '../router/ports.ts';
import { TokenBucket } from '../router/token-bucket.ts';
import { FrameSlot } from './frame-slot.ts';

/**
 * Frames are to be spread over the second, so hardly any burst; but with none at all, a camera whose frames come a few ms early now and
 * then is sampled at 4 fps instead of 5 (tests/ml/feed.test.ts, "a few ms early or late").
 */
const SAMPLING_BURST = 1.5;

/** What a stream may ask for: nobody can have all of the service, or is never served. */
const MIN_WEIGHT = 0.1;
const MAX_WEIGHT = 10;

/** Whom a sampler tells. */
export interface SamplerOwner {
  readonly isClosed: boolean;
  /** A frame lies in the sampler's slot. `replaced`: an older one had to go for it. */
  taken(sampler: StreamSampler, replaced: boolean): void;
  ended(sampler: StreamSampler): void;
}

export interface SamplerParts {
  fps: number;
  /** The field of a stream's metadata that says how often it is served where there is not enough for all; undefined: all alike. */
  priorityField: string | undefined;
  owner: SamplerOwner;
}

/** Takes so many frames a second of one stream aside, and keeps the newest of them. */
export class StreamSampler implements StreamTap {
  readonly slot: FrameSlot;
  hasEnded = false;
  /** When a frame of it was last sent, or it began; ms of the monotonic clock. */
  servedAtMs: number;
  readonly #stream: TappedStream;
  readonly #parts: SamplerParts;
  readonly #bucket: TokenBucket;

  constructor(stream: TappedStream, nowMs: number, parts: SamplerParts) {
    this.slot = new FrameSlot(stream.id);
    this.servedAtMs = nowMs;
    this.#stream = stream;
    this.#parts = parts;
    this.#bucket = new TokenBucket(parts.fps, SAMPLING_BURST, nowMs);
  }

  /** How long it has not been served, ms, times its weight. */
  urgency(nowMs: number): number {
    return (nowMs - this.servedAtMs) * this.#weight();
  }

  wants(nowMs: number): boolean {
    return !this.#parts.owner.isClosed && this.#bucket.has(1, nowMs);
  }

  take(jpeg: Uint8Array, timestamp: number, seq: number, nowMs: number): void {
    this.#bucket.take(1);
    this.#parts.owner.taken(this, this.slot.put(jpeg, timestamp, seq, nowMs));
  }

  close(): void {
    this.hasEnded = true;
    this.#parts.owner.ended(this);
  }

  /** Looked up each time: an encoder that registers again may say something else. */
  #weight(): number {
    const { priorityField } = this.#parts;
    const given = priorityField === undefined ? undefined : this.#stream.metadata[priorityField];
    if (typeof given !== 'number' || Number.isNaN(given)) return 1;
    return Math.min(MAX_WEIGHT, Math.max(MIN_WEIGHT, given));
  }
}
