import type { Encoding } from '../../proto/codec.ts';
import type { Viewing } from './viewing.ts';

/** Viewers of one stream in one encoding, by the way they get its frames. */
export class Lanes {
  readonly encoding: Encoding;
  readonly topic: string;
  /** Each is sent to, whatever it did with the frame before. */
  readonly direct = new Set<Viewing>();
  /** Each is looked at before it is sent to: those with a window or `maxFps`, and those that are behind. */
  readonly paced = new Set<Viewing>();
  topicViewers = 0;
  /** Frames that went to the topic and to `direct`: who was there all the time was sent each of them. */
  rounds = 0;
  /** When the last of them was, ms of the monotonic clock. */
  lastRoundMs = Number.NEGATIVE_INFINITY;

  constructor(encoding: Encoding, key: number) {
    this.encoding = encoding;
    this.topic = `${key}/${encoding}`;
  }

  get plainViewers(): number {
    return this.topicViewers + this.direct.size;
  }

  get isUsed(): boolean {
    return this.plainViewers > 0 || this.paced.size > 0;
  }

  /** Whether anybody can be sent a frame now. */
  takesFrame(nowMs: number): boolean {
    if (this.plainViewers > 0) return true;
    for (const viewing of this.paced) if (viewing.obstacle(nowMs) === undefined) return true;
    return false;
  }
}
