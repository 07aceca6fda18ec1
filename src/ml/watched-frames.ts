import { LRUCache } from 'lru-cache';
import type { AnalysedFrame, FrameTap, StreamTap, TappedStream } from '../router/ports.ts';
import { pictureBytes } from './picture-bytes.ts';
import type { FrameHint } from './recent-frames.ts';

export interface WatchedFramesParts {
  /** Where frames are taken aside otherwise. */
  tap: FrameTap;
  /** Whether an ML service watches this stream as a client. */
  isWatched: (streamId: string) => boolean;
  maxBytes: number;
}

/**
 * Copies of the last frames of the streams that an ML service watches as a client, up to `maxBytes`: it is sent all of them, like any viewer, and its alert names the
 * one it speaks of by its timestamp. The oldest go first.
 */
export class WatchedFrames implements FrameTap {
  readonly #parts: WatchedFramesParts;
  readonly #frames: LRUCache<string, AnalysedFrame>;
  /** By stream: a number that no other stream has had, so that a name's next owner is not shown the last one's pictures. */
  readonly #keys = new Map<string, number>();
  #lastKey = 0;

  constructor(parts: WatchedFramesParts) {
    this.#parts = parts;
    this.#frames = new LRUCache<string, AnalysedFrame>({ maxSize: parts.maxBytes, sizeCalculation: pictureBytes });
  }

  get fps(): number {
    return this.#parts.tap.fps;
  }

  find({ streamId, timestamp }: FrameHint): AnalysedFrame | undefined {
    const key = this.#keys.get(streamId);
    return key === undefined || timestamp === undefined ? undefined : this.#frames.peek(`${key} ${timestamp}`);
  }

  open(stream: TappedStream, nowMs: number): StreamTap {
    const inner = this.#parts.tap.open(stream, nowMs);
    const frames = this.#frames;
    const { isWatched } = this.#parts;
    this.#lastKey += 1;
    const key = this.#lastKey;
    this.#keys.set(stream.id, key);
    let innerWants = false;
    let watched = false;
    return {
      wants: (atMs) => {
        innerWants = inner.wants(atMs);
        watched = isWatched(stream.id);
        return innerWants || watched;
      },
      take: (jpeg, timestamp, seq, takenAtMs) => {
        if (innerWants) inner.take(jpeg, timestamp, seq, takenAtMs);
        // Copied: the memory is the socket's.
        if (watched) frames.set(`${key} ${timestamp}`, { seq, timestamp, takenAtMs, jpeg: Uint8Array.from(jpeg) });
      },
      close: () => {
        if (this.#keys.get(stream.id) === key) this.#keys.delete(stream.id);
        inner.close();
      },
    };
  }
}
