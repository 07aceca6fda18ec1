import { ErrorCode } from '../../proto/errors.ts';
import { ALL_STREAMS, MAX_SUBSCRIPTIONS, STREAM_ID_PATTERN } from '../../proto/limits.ts';
import { Connection } from './connection.ts';
import { Consumer, type SubscribeOptions } from './consumer.ts';
import { Emitter } from './emitter.ts';
import { Feeds } from './feeds.ts';
import type { Frame } from './frame.ts';
import type { Line } from './line.ts';
import type { ConnectionOptions } from './options.ts';
import { RecentIds } from './recent-ids.ts';
import { Subscriptions } from './subscriptions.ts';
import type { ConnectionState, RouterError, StreamStatus } from './types.ts';
import { bare, type Incoming } from './wire.ts';
import { merge, type Wish } from './wish.ts';
import { REAL_WORLD, type World } from './world.ts';

export interface ViewerOptions extends ConnectionOptions {
  /** Id of the last alert that was seen, say, before the page was loaded anew: later ones come first. It holds for what is subscribed to before the first connection is there. */
  since?: string | undefined;
}

export interface ViewerEvents {
  state: ConnectionState;
  error: RouterError;
}

/** As many alerts as a user's history holds, several times. */
const REMEMBERED_ALERTS = 5_000;
/** Refused subscriptions that may be granted a little later are asked for again after this, ms. */
const ASK_AGAIN_MS = 5_000;

/**
 * Watches streams, as many as wanted on one connection, which comes back by itself. Several subscriptions to one stream share what is sent.
 */
export class Viewer {
  readonly #world: World;
  readonly #connection: Connection;
  readonly #events = new Emitter<ViewerEvents>();
  readonly #subscriptions: Subscriptions;
  readonly #feeds: Feeds;
  /** By stream, or `*`. */
  readonly #consumers = new Map<string, Set<Consumer>>();
  readonly #statuses = new Map<string, StreamStatus>();
  readonly #seenAlerts = new RecentIds(REMEMBERED_ALERTS);
  /** Known by `*`, and not heard of since that was answered. */
  #silent = new Set<string>();
  /** New ones, to be told what is known. */
  #newcomers: { streamId: string; consumer: Consumer }[] = [];
  #isUpdating = false;
  #stopAskingAgain: (() => void) | undefined;
  /** The line that is open, and may not have been let in yet. */
  #line: Line | undefined;

  /** Connects when the current turn is over. @throws TypeError for options that are none. */
  constructor(options: ViewerOptions) {
    this.#world = options.world ?? REAL_WORLD;
    this.#subscriptions = new Subscriptions({
      send: (message) => this.#line?.send(message),
      since: options.since,
      replacing: (streamId) => this.#feeds.silence(streamId),
    });
    this.#feeds = new Feeds({
      world: this.#world,
      line: () => this.#line,
      hand: (frame) => this.#hand(frame),
      isWatched: (streamId) => this.#consumersOf(streamId).some(({ wish }) => wish.frames),
    });
    const purpose = {
      path: '/streams/subscribe',
      greet: (line: Line) => this.#greet(line),
      receive: (message: Incoming) => this.#receive(message),
      lost: () => this.#lost(),
      changed: (state: ConnectionState) => this.#changed(state),
    };
    this.#connection = new Connection(purpose, options);
  }

  /** Answers what ends it. */
  on<Name extends keyof ViewerEvents>(name: Name, listener: (event: ViewerEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** The shortest of the last round trips, ms; undefined before the first. */
  get rttMs(): number | undefined {
    return this.#feeds.rttMs;
  }

  /**
   * Watches a stream, or `*`: all streams of the session's user, those included that begin later. It may not be there yet. What is not listened to is not sent. Answers
   * what ends it.
   * @throws TypeError for a name or options that are none, RangeError over 1,000 streams.
   */
  subscribe(streamId: string, options: SubscribeOptions): () => void {
    if (streamId !== ALL_STREAMS && !STREAM_ID_PATTERN.test(streamId)) {
      throw new TypeError('streamId: must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -, or "*"');
    }
    const consumer = new Consumer(options);
    const consumers = this.#consumers.get(streamId) ?? new Set();
    if (consumers.size === 0 && this.#consumers.size >= MAX_SUBSCRIPTIONS) {
      throw new RangeError(`streamId: one viewer watches at most ${MAX_SUBSCRIPTIONS} streams`);
    }
    this.#consumers.set(streamId, consumers);
    consumers.add(consumer);
    this.#newcomers.push({ streamId, consumer });
    this.#updateSoon();
    return () => this.#end(streamId, consumer);
  }

  /** For a button: while it waits to come back it tries at once, also where the router has asked for a pause, but not more often than once a second. */
  retryNow(): void {
    this.#connection.hurry();
  }

  /** Ends it for good, and all subscriptions with it. */
  close(): void {
    this.#connection.close();
  }

  #end(streamId: string, consumer: Consumer): void {
    consumer.hasEnded = true;
    const consumers = this.#consumers.get(streamId);
    if (!consumers?.delete(consumer)) return;
    if (consumers.size === 0) this.#consumers.delete(streamId);
    this.#updateSoon();
  }

  /** When the turn is over: a page that ends a subscription to begin it again, as React does, changes nothing at the router. */
  #updateSoon(): void {
    if (this.#isUpdating) return;
    this.#isUpdating = true;
    queueMicrotask(() => {
      this.#isUpdating = false;
      if (this.state.name === 'closed') return;
      this.#subscriptions.want(this.#wishes());
      for (const streamId of this.#statuses.keys())
        if (this.#consumersOf(streamId).length === 0) this.#forget(streamId);
      this.#feeds.forgetUnwatched();
      for (const { streamId, consumer } of this.#newcomers.splice(0)) this.#catchUp(streamId, consumer);
    });
  }

  /** A subscription of its own to a stream takes the place of the one to all, so it wants what that wants, too. */
  #wishes(): Map<string, Wish> {
    const ofAll = this.#wishesOf(ALL_STREAMS);
    const wishes = new Map<string, Wish>();
    for (const streamId of this.#consumers.keys()) {
      wishes.set(streamId, merge(streamId === ALL_STREAMS ? ofAll : [...this.#wishesOf(streamId), ...ofAll]));
    }
    return wishes;
  }

  #wishesOf(streamId: string): Wish[] {
    return [...(this.#consumers.get(streamId) ?? [])].map(({ wish }) => wish);
  }

  /** What others that watch the same know already. */
  #catchUp(wanted: string, consumer: Consumer): void {
    for (const [streamId, status] of this.#statuses) {
      if (wanted !== ALL_STREAMS && wanted !== streamId) continue;
      consumer.tellStatus({ streamId, status });
      const frame = this.#feeds.lastFrameOf(streamId);
      if (frame !== undefined) void consumer.take(frame, this.#world.nowMs());
    }
  }

  #greet(line: Line): void {
    this.#line = line;
    // First, so that nothing is in the way of its answer. It comes when the router has let the connection in.
    line.ask((rttMs) => {
      this.#feeds.noteRoundTrip(rttMs);
      this.#connection.ready();
      this.#subscriptions.admitted();
    });
    this.#subscriptions.opened();
  }

  #receive(message: Incoming): void {
    switch (message.type) {
      case 'success':
        this.#answered(message);
        return;
      case 'error':
        this.#refused(bare(message));
        return;
      case 'status':
        this.#noteStatus(message.streamId, message.status);
        return;
      case 'video-frame':
        this.#feeds.take(message);
        return;
      case 'alert':
        if (!this.#seenAlerts.add(message.id)) return;
        this.#subscriptions.noteAlert(message.id);
        for (const consumer of this.#consumersOf(message.streamId)) consumer.tellAlert(bare(message));
        return;
    }
  }

  #answered(message: Extract<Incoming, { type: 'success' }>): void {
    const answer = this.#subscriptions.answered(message);
    if (answer === undefined) return;
    this.#feeds.end(answer.streamId);
    if (answer.kind === 'ended') {
      // Who watches all streams has heard that it is gone, and hears no more of it.
      if (this.#statuses.get(answer.streamId) === 'offline') this.#forget(answer.streamId);
      return;
    }
    if (answer.streamId === ALL_STREAMS) this.#findEnded();
    else this.#feeds.begin(answer.streamId, answer.wish.window);
    if (answer.hasGap) {
      for (const consumer of this.#consumersOf(answer.streamId)) consumer.tellGap({ streamId: answer.streamId });
    }
  }

  /** Of streams that ended while there was no connection `*` says nothing: they are those of which no status comes right behind its answer. */
  #findEnded(): void {
    const silent = new Set([...this.#statuses.keys()].filter((streamId) => !this.#subscriptions.has(streamId)));
    this.#silent = silent;
    this.#line?.ask(() => {
      for (const streamId of silent) this.#noteStatus(streamId, 'offline');
    });
  }

  #noteStatus(streamId: string, status: StreamStatus): void {
    this.#silent.delete(streamId);
    const isFromAll = !this.#subscriptions.has(streamId);
    if (isFromAll) this.#feeds.fromAll(streamId, status, merge(this.#wishesOf(ALL_STREAMS)).window);
    if (this.#statuses.get(streamId) !== status) {
      this.#statuses.set(streamId, status);
      for (const consumer of this.#consumersOf(streamId)) consumer.tellStatus({ streamId, status });
    }
    // It begins anew if it comes back. Nobody need remember the streams of a year.
    if (isFromAll && status === 'offline') this.#forget(streamId);
  }

  #refused(error: RouterError): void {
    const { streamId } = error;
    const isOver = this.#subscriptions.refused(error);
    this.#events.emit('error', error);
    if (streamId !== undefined && isOver) {
      this.#feeds.end(streamId);
      this.#forget(streamId);
      const consumers = this.#consumers.get(streamId);
      this.#consumers.delete(streamId);
      for (const consumer of consumers ?? []) consumer.tellEnd(error);
      this.#updateSoon();
    } else if (error.code === ErrorCode.rateLimited && streamId === undefined) {
      // One of the requests under way was refused, and the answer to this comes after those to all of them.
      this.#line?.ask(() => {
        this.#subscriptions.forgetUnanswered();
        this.#askAgainLater();
      });
    } else this.#askAgainLater();
  }

  #askAgainLater(): void {
    this.#stopAskingAgain ??= this.#world.after(ASK_AGAIN_MS, () => {
      this.#stopAskingAgain = undefined;
      this.#subscriptions.askAgain();
    });
  }

  /** To all who watch the stream. A promise when one of them takes its time. */
  #hand(frame: Frame): Promise<void> | undefined {
    const nowMs = this.#world.nowMs();
    const taking = this.#consumersOf(frame.streamId).map((consumer) => consumer.take(frame, nowMs));
    const slow = taking.filter((taken) => taken !== undefined);
    return slow.length === 0 ? undefined : Promise.all(slow).then(() => undefined);
  }

  /** Those of the stream, and those of all streams. */
  #consumersOf(streamId: string): Consumer[] {
    const ofAll = streamId === ALL_STREAMS ? [] : (this.#consumers.get(ALL_STREAMS) ?? []);
    return [...(this.#consumers.get(streamId) ?? []), ...ofAll];
  }

  #forget(streamId: string): void {
    this.#statuses.delete(streamId);
    this.#feeds.forget(streamId);
  }

  #lost(): void {
    this.#line = undefined;
    this.#stopAskingAgain?.();
    this.#stopAskingAgain = undefined;
    this.#subscriptions.lost();
    this.#feeds.lost();
  }

  #changed(state: ConnectionState): void {
    this.#events.emit('state', state);
    if (state.name !== 'closed') return;
    this.#consumers.clear();
    this.#statuses.clear();
    this.#newcomers = [];
  }
}
