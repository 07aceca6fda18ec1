import { CloseCode } from '../../proto/close-codes.ts';
import { ErrorCode, invalid, ProtocolError } from '../../proto/errors.ts';
import type { RegisterMessage, StreamStatus } from '../../proto/messages.ts';
import { Outgoing } from './outgoing.ts';
import type { Clock, Log, StreamOwners } from './ports.ts';
import { type EncoderLink, Stream, type StreamParts } from './stream.ts';
import type { Wish } from './viewing.ts';

/** A `streaming` stream that brings no frame for this long is `online` again. */
const QUIET_AFTER_MS = 5_000;
/** What an encoder is asked for while nobody needs anything: a viewer that comes then sees a picture of the last second. */
const LEAST_FPS = 1;
/** Less is asked for only after this time: a page that is loaded anew must not make the camera falter. */
const LESS_AFTER_MS = 2_000;

export interface StreamsParts extends StreamParts {
  clock: Clock;
  log: Log;
  graceMs: number;
  /** `stream_` and word characters, with at least 96 random bits: clients in the field parse it with `/stream_\w+/`. */
  newStreamId: () => string;
  newResumeToken: () => string;
  /** Who owns streams that are not live, where somebody knows. */
  owners: StreamOwners | undefined;
  maxStreamsPerUser: number;
  /** A stream of this id became live: pending viewers may be bound. */
  onLive: (stream: Stream) => void;
  /** A stream ended; its audience was told. */
  onEnded: (stream: Stream) => void;
}

/** All live streams: registering, taking over, the grace after a disconnect, and the end. */
export class Streams {
  readonly #parts: StreamsParts;
  readonly #streams = new Map<string, Stream>();
  readonly #byResumeToken = new Map<string, Stream>();
  readonly #countOfUser = new Map<string, number>();
  #lastKey = 0;

  constructor(parts: StreamsParts) {
    this.#parts = parts;
  }

  get all(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  get(streamId: string): Stream | undefined {
    return this.#streams.get(streamId);
  }

  /**
   * Binds an encoder to its stream: a new one, one it takes over from an older connection of the same user, or its own again.
   * @throws ProtocolError `UNAUTHORIZED` when the id or the resume token is another user's, `INVALID_MESSAGE` when this connection already
   * has another stream, or the token is that of another, `ROUTING_ERROR` when the user has as many streams as are allowed,
   * `UNAVAILABLE` when it is not known whose the name is.
   */
  register(link: EncoderLink, message: RegisterMessage): Stream {
    const resumed = message.resumeToken === undefined ? undefined : this.#byResumeToken.get(message.resumeToken);
    if (resumed !== undefined && resumed.ownerId !== link.peer.principal.userId) {
      throw new ProtocolError(ErrorCode.unauthorized, 'resumeToken: it belongs to another user');
    }
    const streamId = message.streamId ?? resumed?.id ?? link.stream?.id ?? this.#parts.newStreamId();
    if (resumed !== undefined && resumed.id !== streamId) {
      throw invalid(`resumeToken: it is that of another stream than ${streamId}`);
    }
    if (link.stream !== undefined && link.stream.id !== streamId) {
      throw invalid(`streamId: this connection already registered ${link.stream.id}; one connection, one stream`);
    }
    const existing = this.#streams.get(streamId);
    const stream = existing === undefined ? this.#open(streamId, link, message) : this.#rebind(existing, link);
    stream.metadata = message.metadata ?? stream.metadata;
    link.produces = message.produces ?? ['video-frame'];
    link.consumes = message.consumes ?? [];
    link.peer.learns(message.understands);
    return stream;
  }

  /** After the answer to `register`: what the encoder need not send, if it wants to know. */
  askForWhatIsWanted(stream: Stream): void {
    this.#ask(stream, this.#wantedFps(stream));
  }

  /** A viewer came: an encoder that sends less than is wanted now is asked for more. */
  askForMore(stream: Stream, { wantsFrames, maxFps }: Wish): void {
    const wanted = Math.min(this.#parts.limits.maxFps, maxFps ?? Number.POSITIVE_INFINITY);
    if (wantsFrames && wanted > this.#askedFps(stream)) this.#ask(stream, wanted);
  }

  /** The encoder's connection is gone: the stream lives on for the grace period. */
  encoderGone(link: EncoderLink): void {
    const { stream } = link;
    if (stream === undefined) return;
    stream.encoder = undefined;
    stream.graceEndsMs = this.#parts.clock.monotonicMs() + this.#parts.graceMs;
    this.#parts.log('info', { streamId: stream.id, graceMs: this.#parts.graceMs }, 'encoder gone, grace begins');
  }

  setStatus(stream: Stream, status: StreamStatus): void {
    if (stream.status === status) return;
    stream.status = status;
    stream.audience.tell(this.statusOf(stream.id, status));
  }

  statusOf(streamId: string, status: StreamStatus): Outgoing {
    return new Outgoing({ type: 'status', streamId, status, timestamp: this.#parts.clock.epochMs() });
  }

  /** Lets time pass: to be called a few times a second. */
  tick(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const stream of this.#streams.values()) {
      if (stream.status === 'streaming' && nowMs - stream.lastFrameMs >= QUIET_AFTER_MS)
        this.setStatus(stream, 'online');
      stream.audience.tick();
      this.#askForLess(stream, nowMs);
      if (nowMs >= stream.graceEndsMs) this.#end(stream);
    }
  }

  /**
   * Ends a stream at its owner's wish, and sends its encoder away. False when there is no such stream.
   * @throws ProtocolError `UNAUTHORIZED` when it is another user's.
   */
  delete(streamId: string, userId: string): boolean {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return false;
    if (stream.ownerId !== userId) throw notTheirs(streamId);
    const { encoder } = stream;
    stream.encoder = undefined;
    if (encoder !== undefined) {
      encoder.stream = undefined;
      encoder.peer.socket.close(CloseCode.streamDeleted, 'Stream deleted');
    }
    this.#end(stream);
    return true;
  }

  /** A name that is not live may be another's all the same: where owners are known, it must be known whose it is. */
  #checkOwner(streamId: string, userId: string): void {
    const { owners } = this.#parts;
    if (owners === undefined) return;
    const owner = owners.known(streamId);
    if (owner === undefined) {
      throw new ProtocolError(ErrorCode.unavailable, 'streamId: its owner cannot be looked up now, try again');
    }
    if (owner.userId !== undefined && owner.userId !== userId) throw notTheirs(streamId);
  }

  #open(streamId: string, link: EncoderLink, { streamId: named, metadata = {} }: RegisterMessage): Stream {
    const { principal } = link.peer;
    if (named !== undefined) this.#checkOwner(streamId, principal.userId);
    const count = this.#countOfUser.get(principal.userId) ?? 0;
    if (count >= this.#parts.maxStreamsPerUser) {
      this.#parts.counters.streamsRefused += 1;
      const message = `register: this user has ${count} streams, as many as are allowed`;
      throw new ProtocolError(ErrorCode.routingError, message);
    }
    this.#countOfUser.set(principal.userId, count + 1);
    this.#lastKey += 1;
    const nowMs = this.#parts.clock.monotonicMs();
    const resumeToken = this.#parts.newResumeToken();
    const origin = { id: streamId, ownerId: principal.userId, metadata, key: this.#lastKey, resumeToken };
    const stream = new Stream(origin, nowMs, this.#parts);
    this.#streams.set(streamId, stream);
    this.#byResumeToken.set(resumeToken, stream);
    this.#bind(stream, link);
    this.#parts.log('info', { streamId, userId: principal.userId }, 'stream online');
    this.#parts.onLive(stream);
    return stream;
  }

  #rebind(stream: Stream, link: EncoderLink): Stream {
    if (stream.ownerId !== link.peer.principal.userId) {
      throw notTheirs(stream.id);
    }
    const older = stream.encoder;
    this.#bind(stream, link);
    if (older !== undefined && older !== link) {
      older.stream = undefined;
      older.peer.socket.close(CloseCode.takenOver, 'Taken over by a newer connection');
      this.#parts.log('info', { streamId: stream.id }, 'stream taken over by a newer connection');
    }
    return stream;
  }

  #bind(stream: Stream, link: EncoderLink): void {
    stream.encoder = link;
    stream.graceEndsMs = Number.POSITIVE_INFINITY;
    link.stream = stream;
  }

  #end(stream: Stream): void {
    this.#streams.delete(stream.id);
    const left = (this.#countOfUser.get(stream.ownerId) ?? 1) - 1;
    if (left > 0) this.#countOfUser.set(stream.ownerId, left);
    else this.#countOfUser.delete(stream.ownerId);
    this.#byResumeToken.delete(stream.resumeToken);
    this.setStatus(stream, 'offline');
    this.#parts.log('info', { streamId: stream.id, frames: stream.seq }, 'stream offline');
    this.#parts.onEnded(stream);
  }

  /** Once less was wanted for a while. */
  #askForLess(stream: Stream, nowMs: number): void {
    if (!stream.encoder?.peer.understands('throttle')) return;
    const wanted = this.#wantedFps(stream);
    if (wanted >= this.#askedFps(stream)) stream.lessWantedSinceMs = Number.POSITIVE_INFINITY;
    else if (stream.lessWantedSinceMs === Number.POSITIVE_INFINITY) stream.lessWantedSinceMs = nowMs;
    else if (nowMs - stream.lessWantedSinceMs >= LESS_AFTER_MS) this.#ask(stream, wanted);
  }

  #ask(stream: Stream, maxFps: number): void {
    const { encoder, id } = stream;
    if (!encoder?.peer.understands('throttle') || maxFps === this.#askedFps(stream)) return;
    encoder.askedFps = maxFps;
    stream.lessWantedSinceMs = Number.POSITIVE_INFINITY;
    const timestamp = this.#parts.clock.epochMs();
    encoder.peer.tell(new Outgoing({ type: 'throttle', streamId: id, maxFps, reason: 'demand', timestamp }));
  }

  /** What it sends at most, as far as anybody told it. */
  #askedFps({ encoder }: Stream): number {
    return encoder?.askedFps ?? this.#parts.limits.maxFps;
  }

  /** By the most demanding of viewers and analysis; never more than the limit. */
  #wantedFps({ audience }: Stream): number {
    const { tap, limits } = this.#parts;
    return Math.min(limits.maxFps, Math.max(LEAST_FPS, Math.ceil(tap.fps), audience.wantedFps));
  }
}

function notTheirs(streamId: string): ProtocolError {
  return new ProtocolError(ErrorCode.unauthorized, `streamId: ${streamId} belongs to another user`);
}
