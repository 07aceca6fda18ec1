import { LRUCache } from 'lru-cache';
import type { AnalysedFrame } from '../router/ports.ts';

/** What an alert says of the frame it was seen in: its number, or when it was captured. */
export interface FrameHint {
  streamId: string;
  seq?: number | undefined;
  timestamp?: number | undefined;
}

/**
 * Copies of the frames that went out lately, up to `maxBytes`: for services that answer nothing and send alerts when they like, so that the frame an alert
 * speaks of is still there some seconds later. The oldest go first.
 */
export class RecentFrames {
  readonly #frames: LRUCache<string, AnalysedFrame>;
  /** Frames by when they were captured. */
  readonly #seqs: LRUCache<string, number>;

  constructor(maxBytes: number) {
    this.#frames = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ jpeg }) => Math.max(1, jpeg.length) });
    this.#seqs = new LRUCache({ max: MAX_TIMESTAMPS });
  }

  keep(streamId: string, { seq, timestamp, takenAtMs, jpeg }: AnalysedFrame): void {
    this.#frames.set(`${streamId} ${seq}`, { seq, timestamp, takenAtMs, jpeg: Uint8Array.from(jpeg) });
    this.#seqs.set(`${streamId} ${timestamp}`, seq);
  }

  find({ streamId, seq, timestamp }: FrameHint): AnalysedFrame | undefined {
    const number = seq ?? (timestamp === undefined ? undefined : this.#seqs.get(`${streamId} ${timestamp}`));
    return number === undefined ? undefined : this.#frames.peek(`${streamId} ${number}`);
  }
}

/** More frames than fit into the memory, unless they are tiny. */
const MAX_TIMESTAMPS = 20_000;
