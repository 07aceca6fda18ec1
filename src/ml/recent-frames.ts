import { LRUCache } from 'lru-cache';
import type { AnalysedFrame } from '../router/ports.ts';
import { pictureBytes } from './picture-bytes.ts';

/** What an alert says of the frame it was seen in: its number, or when it was captured. */
export interface FrameHint {
  streamId: string;
  seq?: number | undefined;
  timestamp?: number | undefined;
}

interface KeptFrame extends AnalysedFrame {
  /** What it is found by in `#seqs`. */
  captured: string;
}

/**
 * Copies of the frames that went out lately, up to `maxBytes`: for services that answer nothing and send alerts when they like, so that the frame an alert
 * speaks of is still there some seconds later. The oldest go first.
 */
export class RecentFrames {
  readonly #frames: LRUCache<string, KeptFrame>;
  /** Numbers of the frames that are there, by when they were captured. */
  readonly #seqs = new Map<string, number>();
  /** By stream: a number that no other stream has had, so that a name's next owner is not shown the last one's pictures. */
  readonly #keys = new Map<string, number>();
  #lastKey = 0;

  constructor(maxBytes: number) {
    this.#frames = new LRUCache<string, KeptFrame>({
      maxSize: maxBytes,
      sizeCalculation: pictureBytes,
      dispose: ({ captured, seq }) => {
        // A later frame may have been captured in the same moment, as its encoder says.
        if (this.#seqs.get(captured) === seq) this.#seqs.delete(captured);
      },
    });
  }

  /** A stream of this name begins. */
  begin(streamId: string): void {
    this.#lastKey += 1;
    this.#keys.set(streamId, this.#lastKey);
  }

  end(streamId: string): void {
    this.#keys.delete(streamId);
  }

  /** Of a stream that has ended meanwhile nothing is kept. */
  keep(streamId: string, { seq, timestamp, takenAtMs, jpeg }: AnalysedFrame): void {
    const key = this.#keys.get(streamId);
    if (key === undefined) return;
    const captured = `${key} ${timestamp}`;
    const name = `${key} ${seq}`;
    this.#frames.set(name, { seq, timestamp, takenAtMs, jpeg: Uint8Array.from(jpeg), captured });
    if (this.#frames.has(name)) this.#seqs.set(captured, seq);
  }

  find({ streamId, seq, timestamp }: FrameHint): AnalysedFrame | undefined {
    const key = this.#keys.get(streamId);
    const number = seq ?? (timestamp === undefined ? undefined : this.#seqs.get(`${key} ${timestamp}`));
    return key === undefined || number === undefined ? undefined : this.#frames.peek(`${key} ${number}`);
  }
}
