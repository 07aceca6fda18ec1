import { ErrorCode, ProtocolError } from '../../proto/errors.ts';
import { ALL_STREAMS, MAX_SUBSCRIPTIONS } from '../../proto/limits.ts';
import type { AckMessage, SubscribeMessage } from '../../proto/messages.ts';
import type { AlertHistory, Recollection } from './alert-history.ts';
import { AllWatchers, isAmongAll } from './all-watchers.ts';
import { FrameTally } from './frame-tally.ts';
import { lostFrames, type RefusedFrame } from './lost-frames.ts';
import { Outgoing } from './outgoing.ts';
import type { Clock, Defer } from './ports.ts';
import type { PublishLog } from './publish-log.ts';
import { recall } from './recall.ts';
import type { Stream } from './stream.ts';
import type { Streams } from './streams.ts';
import { TokenBucket } from './token-bucket.ts';
import type { Viewer } from './viewer.ts';
import { Viewing, type Wish } from './viewing.ts';
import { Waiting } from './waiting.ts';
import { tooMany, type WatchRuleParts, WatchRules } from './watch-rules.ts';

export interface ViewersParts extends WatchRuleParts {
  clock: Clock;
  defer: Defer;
  publishLog: PublishLog;
  history: AlertHistory;
  /** Sorts after the ids of all alerts so far, and before those to come. */
  newAlertId: () => string;
}

/** A wall of 1,000 streams that missed 1,000 alerts asks for 2,000, and may do so again a little later. */
const REQUESTS_PER_SECOND = 500;
const REQUESTS_BURST = 5_000;

const NORMAL_CLOSURE = 1000;

/** Subscriptions: to live streams, to ones that do not exist yet, and to all of a user's. */
export class Viewers {
  readonly #parts: ViewersParts;
  readonly #streams: Streams;
  readonly #rules: WatchRules;
  readonly #waiting = new Waiting();
  readonly #allWatchers = new AllWatchers();

  constructor(streams: Streams, parts: ViewersParts) {
    this.#streams = streams;
    this.#parts = parts;
    this.#rules = new WatchRules(parts);
  }

  /**
   * Answers for each stream `success` and the current status; then come alerts missed since `since`, the newest frames, and what is live. A
   * stream that is not there yet makes the subscription wait. Subscribing again replaces what was asked for before.
   * @throws ProtocolError `UNAUTHORIZED` when the one stream is not this user's to watch, `TOO_MANY_CONNECTIONS` when it has as many viewers as
   * it may have, `ROUTING_ERROR` over the limit of streams, `RATE_LIMITED` for too much in a short time.
   */
  subscribe(viewer: Viewer, message: SubscribeMessage): void {
    const { consumes, maxFps, window, since } = message;
    const wish: Wish = {
      wantsFrames: consumes?.includes('video-frame') ?? true,
      wantsAlerts: !viewer.isService && (consumes?.includes('alert') ?? true),
      maxFps,
      window,
    };
    const requests = this.#admitRequest(viewer, message.streamIds?.length ?? 1);
    const places = { streams: this.#streams, ...this.#parts };
    const missed = since === undefined || !wish.wantsAlerts ? undefined : recall(viewer, message, since, places);
    const isForAll = message.streamId === ALL_STREAMS;
    const added = isForAll
      ? this.#subscribeAll(viewer, wish, missed)
      : message.streamId !== undefined
        ? [this.#subscribeOne(viewer, message.streamId, wish, missed)]
        : this.#subscribeEach(viewer, message.streamIds ?? [], wish, missed);
    for (const { outgoing, streamId } of missed?.alerts ?? []) {
      const viewing = viewer.viewings.get(streamId);
      const isWanted = isForAll ? (viewing?.isFromAll ?? true) : viewing?.wish.wantsAlerts;
      if (isWanted && viewer.peer.answer(outgoing)) this.#parts.counters.alertsReplayed += 1;
    }
    requests.take(added.length + (missed?.alerts.length ?? 0));
    // Last: the newest frames of a wall fill the socket, and everything else would wait behind them.
    for (const viewing of added) this.#bindOrWait(viewing);
  }

  /**
   * Subscribes to a live stream without a word: for a door where the viewer says nothing and is told nothing.
   * @throws ProtocolError as `subscribe` does, and `ROUTING_ERROR` when the stream is not live.
   */
  watch(viewer: Viewer, streamId: string, wish: Wish): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) throw new ProtocolError(ErrorCode.routingError, `streamId: ${streamId} is not live`);
    const objection = this.#rules.objection(viewer, streamId, stream);
    if (objection !== undefined) throw objection;
    this.#bindOrWait(this.#add(viewer, streamId, wish, false));
  }

  /** Offers the newest frames again to a viewer whose subscriptions have a window, see `Audience.repeat`. */
  repeat(viewer: Viewer): void {
    for (const viewing of viewer.viewings.values()) viewing.audience?.repeat(viewing);
  }

  /** @throws ProtocolError `ROUTING_ERROR` when there is no such subscription. */
  unsubscribe(viewer: Viewer, streamId: string): void {
    const wasFromAll = viewer.viewings.get(streamId)?.isFromAll ?? true;
    const found = streamId === ALL_STREAMS ? this.#forgetAll(viewer) : this.#remove(viewer, streamId);
    if (!found) throw new ProtocolError(ErrorCode.routingError, `streamId: not subscribed to ${streamId}`);
    viewer.peer.answer(
      new Outgoing({ type: 'success', message: 'Unsubscribed', streamId, timestamp: this.#parts.clock.epochMs() }),
    );
    // Its own subscription had taken the place of the one to all streams, which has it again.
    const stream = this.#streams.get(streamId);
    const wish = this.#allWatchers.wishOf(viewer);
    if (!wasFromAll && wish !== undefined && stream !== undefined && isAmongAll(viewer, stream)) {
      this.#bindOrWait(this.#addFromAll(viewer, stream, wish));
    }
  }

  /**
   * Frames have arrived at a viewer with a window: the newest one may go out.
   * @throws ProtocolError `ROUTING_ERROR` without such a subscription, or for more frames than were sent on it.
   */
  acknowledge(viewer: Viewer, { streamId, received }: AckMessage): void {
    const viewing = viewer.viewings.get(streamId);
    const watchesAll = this.#allWatchers.wishOf(viewer) !== undefined;
    // Streams come and go by themselves there: an `ack` may be of one that has just ended, or begun anew.
    if (watchesAll && (viewing === undefined || (viewing.isFromAll && received > (viewing.window?.sent ?? 0)))) return;
    if (viewing?.window === undefined) {
      throw new ProtocolError(ErrorCode.routingError, `streamId: no subscription with a window to ${streamId}`);
    }
    const nowMs = this.#parts.clock.monotonicMs();
    const news = viewing.window.acknowledge(received, nowMs);
    if (news === 0) return;
    viewing.delivered(news, nowMs);
    viewing.audience?.release(viewing, nowMs);
  }

  /** The viewer's connection is gone. Answers what became of the frames of the subscriptions that end with it. */
  gone(viewer: Viewer): FrameTally {
    const viewings = [...viewer.viewings.values()];
    const sum = new FrameTally();
    this.#forgetAll(viewer);
    for (const viewing of viewings) {
      this.#remove(viewer, viewing.streamId);
      sum.add(viewing.tally);
    }
    return sum;
  }

  /**
   * The socket refused a message for this viewer, so it is over its limit and gets no more frames until it has drained.
   * `refused`: it was a frame of a topic, which nobody else takes back.
   */
  dropped(viewer: Viewer, refused: RefusedFrame | undefined): void {
    const lost = refused === undefined ? [] : lostFrames(viewer, refused, this.#parts.publishLog);
    const wasBehind = viewer.isBehind;
    if (!wasBehind) viewer.fallBehind();
    // Also of one that is behind: what the library has gathered in this turn it refuses after what it was sent directly.
    for (const [viewing, frames] of lost) viewing.audience?.takeBack(viewing, frames);
    // The turn after the next: only then has the library said what became of what it gathered in this one.
    if (!wasBehind) this.#parts.defer(() => this.#parts.defer(() => viewer.leaveTopics()));
  }

  /** A stream came to life: who waited for it watches it, or learns that it is not theirs to watch; so does who watches all. */
  bind(stream: Stream): void {
    const status = this.#streams.statusOf(stream.id, stream.status);
    for (const viewing of this.#waiting.take(stream.id)) {
      const { viewer } = viewing;
      const objection = this.#rules.objection(viewer, stream.id, stream);
      if (objection === undefined) {
        viewer.peer.tell(status);
        stream.audience.admit(viewing);
      } else {
        viewer.viewings.delete(stream.id);
        viewing.end();
        this.#refuse(viewer, objection);
      }
    }
    for (const [viewer, wish] of this.#allWatchers.of(stream.ownerId)) {
      this.#bindOrWait(this.#addFromAll(viewer, stream, wish));
    }
  }

  /** A stream ended: its viewers wait for the next one of that id, but for those who watch whatever there is, or came for this one alone. */
  streamEnded(stream: Stream): void {
    for (const viewing of [...stream.audience.viewings]) {
      stream.audience.dismiss(viewing);
      const { endsWithStream } = viewing.wish;
      if (viewing.isFromAll || endsWithStream) {
        viewing.viewer.viewings.delete(stream.id);
        viewing.end();
      } else this.#waiting.add(viewing);
      if (endsWithStream) viewing.socket.close(NORMAL_CLOSURE, 'The stream has ended');
    }
  }

  /** @throws ProtocolError `RATE_LIMITED` to who subscribes to everything again and again: it takes the time of everybody. */
  #admitRequest(viewer: Viewer, streams: number): TokenBucket {
    const nowMs = this.#parts.clock.monotonicMs();
    viewer.requests ??= new TokenBucket(REQUESTS_PER_SECOND, REQUESTS_BURST, nowMs);
    if (viewer.requests.has(streams, nowMs)) return viewer.requests;
    throw new ProtocolError(ErrorCode.rateLimited, 'subscribe: too much at once, try again in a few seconds');
  }

  #subscribeOne(viewer: Viewer, streamId: string, wish: Wish, missed: Recollection | undefined): Viewing {
    const stream = this.#streams.get(streamId);
    const objection = this.#rules.objection(viewer, streamId, stream);
    if (objection !== undefined) throw objection;
    this.#remove(viewer, streamId);
    if (viewer.viewings.size >= MAX_SUBSCRIPTIONS) throw tooMany(streamId);
    const viewing = this.#add(viewer, streamId, wish, false);
    viewer.peer.answer(this.#subscribed(viewer, streamId, wish, missed));
    viewer.peer.answer(this.#streams.statusOf(streamId, stream?.status ?? 'offline'));
    return viewing;
  }

  /** As if each had been asked for by itself. */
  #subscribeEach(
    viewer: Viewer,
    streamIds: readonly string[],
    wish: Wish,
    missed: Recollection | undefined,
  ): readonly Viewing[] {
    return [...new Set(streamIds)].flatMap((streamId) => {
      try {
        return this.#subscribeOne(viewer, streamId, wish, missed);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#refuse(viewer, error);
        return [];
      }
    });
  }

  #subscribeAll(viewer: Viewer, wish: Wish, missed: Recollection | undefined): readonly Viewing[] {
    this.#forgetAll(viewer);
    this.#allWatchers.add(viewer, wish);
    viewer.peer.answer(this.#subscribed(viewer, ALL_STREAMS, wish, missed));
    const all = [...this.#streams.all].filter((stream) => isAmongAll(viewer, stream));
    return all.flatMap((stream) => this.#addFromAll(viewer, stream, wish) ?? []);
  }

  /** To be bound. Undefined when a subscription of its own to this stream counts more, or there is no room. */
  #addFromAll(viewer: Viewer, stream: Stream, wish: Wish): Viewing | undefined {
    if (viewer.viewings.has(stream.id)) return undefined;
    const isFull = viewer.viewings.size >= MAX_SUBSCRIPTIONS;
    const objection = isFull ? tooMany(stream.id) : this.#rules.objection(viewer, stream.id, stream);
    if (objection !== undefined) {
      this.#refuse(viewer, objection);
      return undefined;
    }
    viewer.peer.answer(this.#streams.statusOf(stream.id, stream.status));
    return this.#add(viewer, stream.id, wish, true);
  }

  /** A subscription that was answered: into the stream's audience, with its newest frame, or among those who wait for it. */
  #bindOrWait(viewing: Viewing | undefined): void {
    if (viewing === undefined) return;
    const stream = this.#streams.get(viewing.streamId);
    if (stream === undefined) {
      this.#waiting.add(viewing);
      return;
    }
    stream.audience.admit(viewing);
    this.#streams.askForMore(stream, viewing.wish);
  }

  /** False when it did not watch all. */
  #forgetAll(viewer: Viewer): boolean {
    if (!this.#allWatchers.remove(viewer)) return false;
    for (const { isFromAll, streamId } of [...viewer.viewings.values()]) if (isFromAll) this.#remove(viewer, streamId);
    return true;
  }

  #add(viewer: Viewer, streamId: string, wish: Wish, isFromAll: boolean): Viewing {
    const { clock, counters } = this.#parts;
    const viewing = new Viewing(viewer, streamId, wish, isFromAll, clock.monotonicMs(), counters.frames);
    viewer.viewings.set(streamId, viewing);
    return viewing;
  }

  #remove(viewer: Viewer, streamId: string): boolean {
    const viewing = viewer.viewings.get(streamId);
    if (viewing === undefined) return false;
    viewer.viewings.delete(streamId);
    viewing.audience?.dismiss(viewing);
    viewing.end();
    this.#waiting.remove(viewing);
    return true;
  }

  #subscribed({ peer }: Viewer, streamId: string, { wantsAlerts }: Wish, missed: Recollection | undefined): Outgoing {
    const { clock, newAlertId } = this.#parts;
    return new Outgoing({
      type: 'success',
      message: 'Subscription successful',
      streamId,
      ...(missed === undefined ? {} : { alerts: missed.isComplete ? ('complete' as const) : ('gap' as const) }),
      ...(wantsAlerts && peer.knowsThisProtocol ? { lastAlert: newAlertId() } : {}),
      timestamp: clock.epochMs(),
    });
  }

  /** A refusal of one of several subscriptions. */
  #refuse(viewer: Viewer, { code, message, streamId }: ProtocolError): void {
    if (code === ErrorCode.unauthorized) this.#parts.counters.unauthorized += 1;
    const about = streamId === undefined ? {} : { streamId };
    viewer.peer.tell(new Outgoing({ type: 'error', code, message, ...about, timestamp: this.#parts.clock.epochMs() }));
  }
}
