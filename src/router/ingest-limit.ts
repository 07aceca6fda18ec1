export interface IngestLimits {
  maxFps: number;
  maxBytesPerSecond: number;
  /** Largest message accepted at all: the byte bucket must hold at least one. */
  maxMessageBytes: number;
}

/**
 * What one stream may bring in: frames per second and bytes per second, each with a second's burst. Two token buckets in one object, in small
 * integers (thousandths of frames, bytes, whole ms), for the reason that `TokenBucket` gives: as two of those it took 5 places of memory.
 */
export class IngestLimit {
  readonly maxFps: number;
  readonly #maxBytesPerSecond: number;
  readonly #burstBytes: number;
  #milliFrames: number;
  #bytes: number;
  #filledAtMs: number;

  constructor(limits: IngestLimits, nowMs: number) {
    this.maxFps = limits.maxFps;
    this.#maxBytesPerSecond = limits.maxBytesPerSecond;
    this.#burstBytes = Math.max(limits.maxBytesPerSecond, limits.maxMessageBytes);
    this.#milliFrames = limits.maxFps * 1000;
    this.#bytes = this.#burstBytes;
    this.#filledAtMs = Math.floor(nowMs);
  }

  /** Takes the frame's share of both buckets, or of neither. */
  admits(messageBytes: number, nowMs: number): boolean {
    const wholeMs = Math.floor(nowMs);
    const passedMs = wholeMs - this.#filledAtMs;
    this.#filledAtMs = wholeMs;
    const milliFrames = Math.min(this.maxFps * 1000, this.#milliFrames + passedMs * this.maxFps);
    const bytes = Math.min(this.#burstBytes, this.#bytes + Math.floor((passedMs * this.#maxBytesPerSecond) / 1000));
    const admitted = milliFrames >= 1000 && bytes >= messageBytes;
    this.#milliFrames = admitted ? milliFrames - 1000 : milliFrames;
    this.#bytes = admitted ? bytes - messageBytes : bytes;
    return admitted;
  }
}
