import { ALL_STREAMS } from '../../proto/limits.ts';
import { Feed } from './feed.ts';
import { Frame } from './frame.ts';
import type { Line } from './line.ts';
import { LinePace } from './line-pace.ts';
import { CHOSEN_WINDOW } from './subscriptions.ts';
import type { StreamStatus } from './types.ts';
import type { Incoming } from './wire.ts';
import type { World } from './world.ts';

export interface FeedsParts {
  world: World;
  line: () => Line | undefined;
  hand: (frame: Frame) => Promise<void> | undefined;
  /** Whether anybody takes the frames of this stream. They may come for a moment longer. */
  isWatched: (streamId: string) => boolean;
}

interface Entry {
  feed: Feed;
  isFromAll: boolean;
  /** The window that the SDK has chosen; undefined: the application has. */
  chosen: 1 | 2 | undefined;
  /** Nothing has come on it yet. */
  isFresh: boolean;
}

/** The feeds of one viewer: what comes for which subscription, how it is acknowledged, and how far the line carries. */
export class Feeds {
  readonly #parts: FeedsParts;
  readonly #entries = new Map<string, Entry>();
  /** By stream, what the application was handed last: to know it when it comes again, and for who subscribes later. */
  readonly #lastFrames = new Map<string, Frame>();
  #pace = new LinePace();

  constructor(parts: FeedsParts) {
    this.#parts = parts;
  }

  get rttMs(): number | undefined {
    return this.#pace.rttMs;
  }

  lastFrameOf(streamId: string): Frame | undefined {
    return this.#lastFrames.get(streamId);
  }

  noteRoundTrip(rttMs: number): void {
    this.#pace.noteRoundTrip(rttMs);
  }

  /** A subscription was answered: its frames count from here. */
  begin(streamId: string, window: number | undefined): void {
    this.#begin(streamId, window, false);
  }

  /** The status of a stream that comes by `*`: its frames count from the first one on, and anew after it was offline. */
  fromAll(streamId: string, status: StreamStatus, window: number | undefined): void {
    if (status === 'offline') this.end(streamId);
    else if (!this.#entries.has(streamId)) this.#begin(streamId, window, true);
  }

  take({ streamId, timestamp, data }: Extract<Incoming, { type: 'video-frame' }>): void {
    const entry = this.#entries.get(streamId);
    if (entry === undefined) return;
    const { world } = this.#parts;
    this.#pace.frame(entry.feed, world.nowMs());
    const last = this.#lastFrames.get(streamId);
    // The newest frame comes again when a subscription begins again.
    const isKnown = entry.isFresh && last?.timestamp === timestamp && last.data.length === data.length;
    entry.isFresh = false;
    entry.feed.take(new Frame(streamId, timestamp, world.epochMs(), data), isKnown);
  }

  /** No more acks for this subscription: it is about to be replaced or ended. With `*`: for all that came by it. */
  silence(streamId: string): void {
    for (const [id, { feed, isFromAll }] of this.#entries) {
      if (id === streamId || (streamId === ALL_STREAMS && isFromAll)) feed.silence();
    }
  }

  end(streamId: string): void {
    for (const [id, { feed, isFromAll }] of this.#entries) {
      if (id !== streamId && !(streamId === ALL_STREAMS && isFromAll)) continue;
      feed.end();
      this.#entries.delete(id);
    }
  }

  forget(streamId: string): void {
    this.#lastFrames.delete(streamId);
  }

  /** What nobody takes frames of any more: who comes to it later would take the last one for new. */
  forgetUnwatched(): void {
    for (const streamId of this.#lastFrames.keys()) if (!this.#parts.isWatched(streamId)) this.forget(streamId);
  }

  /** The line is gone; another one may be quite different. */
  lost(): void {
    for (const { feed } of this.#entries.values()) feed.end();
    this.#entries.clear();
    this.#pace = new LinePace();
  }

  #begin(streamId: string, window: number | undefined, isFromAll: boolean): void {
    this.end(streamId);
    const feed = new Feed({
      hand: (frame) => this.#hand(frame),
      acknowledge: (own, received, lineIsEmpty) => this.#acknowledge(streamId, own, received, lineIsEmpty),
      window: window ?? CHOSEN_WINDOW,
      nowMs: () => this.#parts.world.nowMs(),
    });
    // One at a time until the line is known: so the first measurement has nothing in its way.
    if (window === undefined) feed.reserved = 1;
    this.#entries.set(streamId, { feed, isFromAll, chosen: window === undefined ? 1 : undefined, isFresh: true });
  }

  #hand(frame: Frame): Promise<void> | undefined {
    if (this.#parts.isWatched(frame.streamId)) this.#lastFrames.set(frame.streamId, frame);
    return this.#parts.hand(frame);
  }

  #acknowledge(streamId: string, feed: Feed, received: number, lineIsEmpty: boolean): void {
    const line = this.#parts.line();
    if (line === undefined) return;
    const send = () => line.send({ type: 'ack', streamId, received });
    const entry = this.#entries.get(streamId);
    if (entry?.feed !== feed || entry.chosen === undefined) {
      send();
      return;
    }
    const nowMs = this.#parts.world.nowMs();
    if (!this.#pace.isDue(nowMs)) send();
    else if (lineIsEmpty) this.#measure(line, feed, send);
    else {
      // With one at a time the line is empty before the ack after the next.
      feed.reserved = 1;
      send();
    }
  }

  #measure(line: Line, feed: Feed, sendAck: () => void): void {
    const pace = this.#pace;
    const nowMs = () => this.#parts.world.nowMs();
    pace.begin(feed, nowMs());
    line.ask((rttMs) => pace.firstAnswer(nowMs(), rttMs));
    sendAck();
    line.ask(() => {
      pace.secondAnswer();
      this.#choose();
    });
  }

  #choose(): void {
    for (const entry of this.#entries.values()) {
      if (entry.chosen === undefined) continue;
      const { feed } = entry;
      entry.chosen = this.#pace.choose(entry.chosen, feed.handlingMs);
      feed.reserved = CHOSEN_WINDOW - entry.chosen;
      feed.settle();
    }
  }
}
