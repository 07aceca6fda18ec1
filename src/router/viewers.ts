import { ErrorCode, ProtocolError } from '../../proto/errors.ts';
import type { SubscribeMessage } from '../../proto/messages.ts';
import { mayWatch, type StreamAccess } from './access.ts';
import type { Counters } from './counters.ts';
import { Outgoing } from './outgoing.ts';
import type { Clock, Defer } from './ports.ts';
import type { Stream } from './stream.ts';
import type { Streams } from './streams.ts';
import type { Viewer, Viewing } from './viewer.ts';

/** Streams one connection may watch or wait for. */
const MAX_VIEWINGS = 1_000;

export interface ViewersParts {
  clock: Clock;
  counters: Counters;
  defer: Defer;
  access: StreamAccess;
}

/** Subscriptions: to live streams, and to ones that do not exist yet. */
export class Viewers {
  readonly #parts: ViewersParts;
  readonly #streams: Streams;
  readonly #pending = new Map<string, Set<Viewing>>();

  constructor(streams: Streams, parts: ViewersParts) {
    this.#streams = streams;
    this.#parts = parts;
  }

  /**
   * Answers `success`, the current status, the newest frame; live frames follow. A stream that is not there yet makes the
   * subscription wait. Subscribing again replaces what was asked for before.
   * @throws ProtocolError `UNAUTHORIZED` when the stream is not this user's to watch, `ROUTING_ERROR` over the limit.
   */
  subscribe(viewer: Viewer, message: SubscribeMessage): void {
    const { streamId, consumes } = message;
    const stream = this.#streams.get(streamId);
    if (stream !== undefined && !this.#mayWatch(viewer, stream)) throw unauthorized(streamId);
    this.#remove(viewer, streamId);
    if (viewer.viewings.size >= MAX_VIEWINGS) {
      throw new ProtocolError(
        ErrorCode.routingError,
        `streamId: one connection watches at most ${MAX_VIEWINGS} streams`,
      );
    }
    const viewing: Viewing = {
      viewer,
      socket: viewer.peer.socket,
      streamId,
      wantsFrames: consumes?.includes('video-frame') ?? true,
      wantsAlerts: consumes?.includes('alert') ?? true,
      audience: undefined,
      lane: undefined,
      inTopic: false,
      caughtUpWith: 0,
    };
    viewer.viewings.set(streamId, viewing);
    viewer.peer.tell(this.#success('Subscription successful', streamId));
    viewer.peer.tell(this.#streams.statusOf(streamId, stream?.status ?? 'offline'));
    if (stream === undefined) this.#wait(viewing);
    else stream.audience.admit(viewing);
  }

  /** @throws ProtocolError `ROUTING_ERROR` when there is no such subscription. */
  unsubscribe(viewer: Viewer, streamId: string): void {
    if (!this.#remove(viewer, streamId)) {
      throw new ProtocolError(ErrorCode.routingError, `streamId: not subscribed to ${streamId}`);
    }
    viewer.peer.tell(this.#success('Unsubscribed', streamId));
  }

  /** The viewer's connection is gone. */
  gone(viewer: Viewer): void {
    for (const streamId of [...viewer.viewings.keys()]) this.#remove(viewer, streamId);
  }

  /**
   * The socket refused a message for this viewer, so it is over its limit and gets no more frames until it has drained.
   * `wasPublished`: it was a frame of a topic, which nobody else counts.
   */
  dropped(viewer: Viewer, wasPublished: boolean): void {
    if (viewer.isBehind) return;
    if (wasPublished) {
      this.#parts.counters.framesDelivered -= 1;
      this.#parts.counters.framesDropped.slow += 1;
    }
    viewer.fallBehind();
    this.#parts.defer(() => viewer.leaveTopics());
  }

  /** A stream came to life: who waited for it watches it, or learns that it is not theirs to watch. */
  bindPending(stream: Stream): void {
    const waiting = this.#pending.get(stream.id);
    if (waiting === undefined) return;
    this.#pending.delete(stream.id);
    const status = this.#streams.statusOf(stream.id, stream.status);
    for (const viewing of waiting) {
      const { viewer } = viewing;
      if (this.#mayWatch(viewer, stream)) {
        viewer.peer.tell(status);
        stream.audience.admit(viewing);
      } else {
        viewer.viewings.delete(stream.id);
        const { code, message } = unauthorized(stream.id);
        const timestamp = this.#parts.clock.epochMs();
        viewer.peer.tell(new Outgoing({ type: 'error', code, message, streamId: stream.id, timestamp }));
      }
    }
  }

  /** A stream ended: its viewers wait for the next one of that id. */
  streamEnded(stream: Stream): void {
    for (const viewing of [...stream.audience.viewings]) {
      stream.audience.dismiss(viewing);
      this.#wait(viewing);
    }
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
    const waiting = this.#pending.get(streamId);
    if (waiting?.delete(viewing) && waiting.size === 0) this.#pending.delete(streamId);
    return true;
  }

  #success(message: string, streamId: string): Outgoing {
    return new Outgoing({ type: 'success', message, streamId, timestamp: this.#parts.clock.epochMs() });
  }
}

function unauthorized(streamId: string): ProtocolError {
  return new ProtocolError(ErrorCode.unauthorized, `streamId: ${streamId} is not yours to watch`, streamId);
}
