import { TokenBucket } from './token-bucket.ts';

export interface IngestLimits {
  maxFps: number;
  maxBytesPerSecond: number;
  /** Largest message accepted at all: the byte bucket must hold at least one. */
  maxMessageBytes: number;
}

/** What one stream may bring in: frames per second and bytes per second, each with a second's burst. */
export class IngestLimit {
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(limits: IngestLimits, nowMs: number) {
    this.#frames = new TokenBucket(limits.maxFps, limits.maxFps, nowMs);
    const burst = Math.max(limits.maxBytesPerSecond, limits.maxMessageBytes);
    this.#bytes = new TokenBucket(limits.maxBytesPerSecond, burst, nowMs);
  }

  /** Takes the frame's share of both buckets, or of neither. */
  admits(messageBytes: number, nowMs: number): boolean {
    if (!this.#frames.has(1, nowMs) || !this.#bytes.has(messageBytes, nowMs)) return false;
    this.#frames.take(1);
    this.#bytes.take(messageBytes);
    return true;
  }
}
