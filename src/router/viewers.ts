import type { Encoding } from '../../proto/codec.ts';
import { ErrorCode, ProtocolError } from '../../proto/errors.ts';
import { FrameView } from '../../proto/frame.ts';
import { ALL_STREAMS, MAX_SUBSCRIPTIONS } from '../../proto/limits.ts';
import type { AckMessage, SubscribeMessage } from '../../proto/messages.ts';
import { mayWatch, type StreamAccess } from './access.ts';
import type { AlertHistory, Recollection } from './alert-history.ts';
import type { Counters } from './counters.ts';
import { FrameTally } from './frame-tally.ts';
import type { Lanes } from './lanes.ts';
import { Outgoing } from './outgoing.ts';
import type { Clock, Defer } from './ports.ts';
import type { PublishLog } from './publish-log.ts';
import type { Stream } from './stream.ts';
import type { Streams } from './streams.ts';
import type { Viewer } from './viewer.ts';
import { Viewing, type Wish } from './viewing.ts';

export interface ViewersParts {
  clock: Clock;
  counters: Counters;
  defer: Defer;
  access: StreamAccess;
  publishLog: PublishLog;
  history: AlertHistory;
}

/** A frame of a topic that a socket did not take. */
export interface RefusedFrame {
  bytes: Buffer;
  encoding: Encoding;
}

/** Subscriptions: to live streams, to ones that do not exist yet, and to all of a user's. */
export class Viewers {
  readonly #parts: ViewersParts;
  readonly #streams: Streams;
  readonly #pending = new Map<string, Set<Viewing>>();
  /** By user: who watches all of that user's streams, and how. */
  readonly #watchingAll = new Map<string, Map<Viewer, Wish>>();

  constructor(streams: Streams, parts: ViewersParts) {
    this.#streams = streams;
    this.#parts = parts;
  }

  /**
   * Answers for each stream `success`, the current status, the newest frame; then alerts missed since `since`; live frames and alerts follow. A
   * stream that is not there yet makes the subscription wait. Subscribing again replaces what was asked for before.
   * @throws ProtocolError `UNAUTHORIZED` when the one stream is not this user's to watch, `ROUTING_ERROR` over the limit.
   */
  subscribe(viewer: Viewer, message: SubscribeMessage): void {
    const { consumes, maxFps, window, since } = message;
    const wish: Wish = {
      wantsFrames: consumes?.includes('video-frame') ?? true,
      wantsAlerts: consumes?.includes('alert') ?? true,
      maxFps,
      window,
    };
    const missed = since === undefined || !wish.wantsAlerts ? undefined : this.#recall(viewer, message, since);
    if (message.streamId === ALL_STREAMS) this.#subscribeAll(viewer, wish, missed);
    else if (message.streamId !== undefined) this.#subscribeOne(viewer, message.streamId, wish, missed);
    else this.#subscribeEach(viewer, message.streamIds ?? [], wish, missed);
    for (const { outgoing, streamId } of missed?.alerts ?? []) {
      if (viewer.viewings.has(streamId) || message.streamId === ALL_STREAMS) viewer.peer.tell(outgoing);
    }
  }

  /** @throws ProtocolError `ROUTING_ERROR` when there is no such subscription. */
  unsubscribe(viewer: Viewer, streamId: string): void {
    const wasFromAll = viewer.viewings.get(streamId)?.isFromAll ?? true;
    const found = streamId === ALL_STREAMS ? this.#unsubscribeAll(viewer) : this.#remove(viewer, streamId);
    if (!found) throw new ProtocolError(ErrorCode.routingError, `streamId: not subscribed to ${streamId}`);
    viewer.peer.tell(this.#success('Unsubscribed', streamId));
    // Its own subscription had taken the place of the one to all streams, which has it again.
    const stream = this.#streams.get(streamId);
    const wish = this.#watchingAll.get(viewer.peer.principal.userId)?.get(viewer);
    if (!wasFromAll && wish !== undefined && stream?.ownerId === viewer.peer.principal.userId) {
      this.#addFromAll(viewer, stream, wish);
    }
  }

  /**
   * Frames have arrived at a viewer with a window: the newest one may go out.
   * @throws ProtocolError `ROUTING_ERROR` without such a subscription, `INVALID_MESSAGE` for more frames than were sent.
   */
  acknowledge(viewer: Viewer, { streamId, received }: AckMessage): void {
    const viewing = viewer.viewings.get(streamId);
    if (viewing?.window === undefined) {
      throw new ProtocolError(ErrorCode.routingError, `streamId: no subscription with a window to ${streamId}`);
    }
    viewing.tally.deliver(viewing.window.acknowledge(received));
    viewing.audience?.release(viewing);
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
    if (viewer.isBehind) return;
    const lost = refused === undefined ? new Map<Viewing, number>() : this.#lost(viewer, refused);
    viewer.fallBehind();
    for (const [viewing, frames] of lost) viewing.audience?.takeBack(viewing, frames);
    this.#parts.defer(() => viewer.leaveTopics());
  }

  /** A stream came to life: who waited for it watches it, or learns that it is not theirs to watch; so does who watches all. */
  bind(stream: Stream): void {
    const waiting = this.#pending.get(stream.id) ?? [];
    this.#pending.delete(stream.id);
    const status = this.#streams.statusOf(stream.id, stream.status);
    for (const viewing of waiting) {
      const { viewer } = viewing;
      if (this.#mayWatch(viewer, stream)) {
        viewer.peer.tell(status);
        stream.audience.admit(viewing);
      } else {
        viewer.viewings.delete(stream.id);
        this.#refuse(viewer, unauthorized(stream.id));
      }
    }
    for (const [viewer, wish] of this.#watchingAll.get(stream.ownerId) ?? []) this.#addFromAll(viewer, stream, wish);
  }

  /** A stream ended: its viewers wait for the next one of that id, but for those who watch whatever there is. */
  streamEnded(stream: Stream): void {
    for (const viewing of [...stream.audience.viewings]) {
      stream.audience.dismiss(viewing);
      if (viewing.isFromAll) {
        viewing.viewer.viewings.delete(stream.id);
        viewing.end();
      } else this.#wait(viewing);
    }
  }

  #subscribeOne(viewer: Viewer, streamId: string, wish: Wish, missed: Recollection | undefined): void {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined && !this.#mayWatch(viewer, stream)) throw unauthorized(streamId);
    this.#remove(viewer, streamId);
    if (viewer.viewings.size >= MAX_SUBSCRIPTIONS) throw tooMany(streamId);
    const viewing = this.#add(viewer, streamId, wish, false);
    viewer.peer.tell(this.#success('Subscription successful', streamId, missed));
    viewer.peer.tell(this.#streams.statusOf(streamId, stream?.status ?? 'offline'));
    if (stream === undefined) this.#wait(viewing);
    else this.#admit(stream, viewing);
  }

  /** As if each had been asked for by itself. */
  #subscribeEach(viewer: Viewer, streamIds: readonly string[], wish: Wish, missed: Recollection | undefined): void {
    for (const streamId of new Set(streamIds)) {
      try {
        this.#subscribeOne(viewer, streamId, wish, missed);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#refuse(viewer, error);
      }
    }
  }

  #subscribeAll(viewer: Viewer, wish: Wish, missed: Recollection | undefined): void {
    this.#forgetAll(viewer);
    const { userId } = viewer.peer.principal;
    const watching = this.#watchingAll.get(userId) ?? new Map<Viewer, Wish>();
    watching.set(viewer, wish);
    this.#watchingAll.set(userId, watching);
    viewer.peer.tell(this.#success('Subscription successful', ALL_STREAMS, missed));
    for (const stream of this.#streams.all) if (stream.ownerId === userId) this.#addFromAll(viewer, stream, wish);
  }

  /** A subscription of its own to this stream counts more. */
  #addFromAll(viewer: Viewer, stream: Stream, wish: Wish): void {
    if (viewer.viewings.has(stream.id)) return;
    if (viewer.viewings.size >= MAX_SUBSCRIPTIONS) {
      this.#refuse(viewer, tooMany(stream.id));
      return;
    }
    const viewing = this.#add(viewer, stream.id, wish, true);
    viewer.peer.tell(this.#streams.statusOf(stream.id, stream.status));
    this.#admit(stream, viewing);
  }

  #unsubscribeAll(viewer: Viewer): boolean {
    const found = this.#watchingAll.get(viewer.peer.principal.userId)?.has(viewer) ?? false;
    this.#forgetAll(viewer);
    return found;
  }

  #forgetAll(viewer: Viewer): void {
    const { userId } = viewer.peer.principal;
    const watching = this.#watchingAll.get(userId);
    if (watching === undefined || !watching.delete(viewer)) return;
    if (watching.size === 0) this.#watchingAll.delete(userId);
    for (const { isFromAll, streamId } of [...viewer.viewings.values()]) if (isFromAll) this.#remove(viewer, streamId);
  }

  #add(viewer: Viewer, streamId: string, wish: Wish, isFromAll: boolean): Viewing {
    const { clock, counters } = this.#parts;
    const viewing = new Viewing(viewer, streamId, wish, isFromAll, clock.monotonicMs(), counters.frames);
    viewer.viewings.set(streamId, viewing);
    return viewing;
  }

  #admit(stream: Stream, viewing: Viewing): void {
    stream.audience.admit(viewing);
    this.#streams.askForMore(stream);
  }

  /** What the socket lost of each topic, in frames: the one it reported, and all that were published after it to this viewer. */
  #lost(viewer: Viewer, { bytes, encoding }: RefusedFrame): Map<Viewing, number> {
    const lost = new Map<Viewing, number>();
    const frame = new FrameView();
    if (!isFrame(frame, bytes, encoding)) return lost;
    const refused = viewer.viewings.get(frame.streamId);
    if (refused?.lanes === undefined || refused.lane !== 'topic') return lost;
    const byLanes = new Map<Lanes, Viewing>();
    for (const viewing of viewer.viewings.values()) {
      if (viewing.lane === 'topic' && viewing.lanes !== undefined) byLanes.set(viewing.lanes, viewing);
    }
    for (const { lanes, round } of this.#parts.publishLog.from(refused.lanes, bytes)) {
      const viewing = lanes === undefined ? undefined : byLanes.get(lanes);
      if (viewing !== undefined && round > viewing.joinedRounds) lost.set(viewing, (lost.get(viewing) ?? 0) + 1);
    }
    return lost;
  }

  /** Alerts after `since`, of the streams that the message names. */
  #recall(viewer: Viewer, { streamId, streamIds }: SubscribeMessage, since: string): Recollection {
    const { userId } = viewer.peer.principal;
    if (streamId === ALL_STREAMS) return this.#parts.history.after(since, [{ ownerId: userId, streamId: undefined }]);
    const named = new Set(streamIds ?? (streamId === undefined ? [] : [streamId]));
    const places = [...named].map((id) => ({ ownerId: this.#streams.get(id)?.ownerId ?? userId, streamId: id }));
    return this.#parts.history.after(since, places);
  }

  #mayWatch(viewer: Viewer, stream: Stream): boolean {
    return mayWatch(this.#parts.access, viewer.peer.principal.userId, stream.ownerId);
  }

  #wait(viewing: Viewing): void {
    const waiting = this.#pending.get(viewing.streamId) ?? new Set();
    waiting.add(viewing);
    this.#pending.set(viewing.streamId, waiting);
  }

  #remove(viewer: Viewer, streamId: string): boolean {
    const viewing = viewer.viewings.get(streamId);
    if (viewing === undefined) return false;
    viewer.viewings.delete(streamId);
    viewing.audience?.dismiss(viewing);
    viewing.end();
    const waiting = this.#pending.get(streamId);
    if (waiting?.delete(viewing) && waiting.size === 0) this.#pending.delete(streamId);
    return true;
  }

  #success(message: string, streamId: string, missed?: Recollection): Outgoing {
    const alerts = missed === undefined ? {} : { alerts: missed.isComplete ? ('complete' as const) : ('gap' as const) };
    return new Outgoing({ type: 'success', message, streamId, ...alerts, timestamp: this.#parts.clock.epochMs() });
  }

  /** A refusal of one of several subscriptions. */
  #refuse(viewer: Viewer, { code, message, streamId }: ProtocolError): void {
    const about = streamId === undefined ? {} : { streamId };
    viewer.peer.tell(new Outgoing({ type: 'error', code, message, ...about, timestamp: this.#parts.clock.epochMs() }));
  }
}

function isFrame(frame: FrameView, bytes: Buffer, encoding: Encoding): boolean {
  try {
    return frame.read(bytes, encoding);
  } catch {
    return false;
  }
}

function unauthorized(streamId: string): ProtocolError {
  return new ProtocolError(ErrorCode.unauthorized, `streamId: ${streamId} is not yours to watch`, streamId);
}

function tooMany(streamId: string): ProtocolError {
  const message = `streamId: one connection watches at most ${MAX_SUBSCRIPTIONS} streams`;
  return new ProtocolError(ErrorCode.routingError, message, streamId);
}
