import { CloseCode } from '../../proto/close-codes.ts';
import { ErrorCode, invalid, ProtocolError } from '../../proto/errors.ts';
import type { RegisterMessage, StreamStatus } from '../../proto/messages.ts';
import { Claims, type ClaimsParts, notTheirs } from './claims.ts';
import { Outgoing } from './outgoing.ts';
import type { Clock, Log } from './ports.ts';
import type { Device, Reservation } from './reservations.ts';
import { type EncoderLink, Stream, type StreamParts } from './stream.ts';
import type { Wish } from './viewing.ts';

/** A `streaming` stream that brings no frame for this long is `online` again. */
const QUIET_AFTER_MS = 5_000;
/** What an encoder is asked for while nobody needs anything: a viewer that comes then sees a picture of the last second. */
const LEAST_FPS = 1;
/** Less is asked for only after this time: a page that is loaded anew must not make the camera falter. */
const LESS_AFTER_MS = 2_000;

export interface StreamsParts extends StreamParts, ClaimsParts {
  clock: Clock;
  log: Log;
  graceMs: number;
  /** `stream_` and word characters, with at least 96 random bits: clients in the field parse it with `/stream_\w+/`. */
  newStreamId: () => string;
  newResumeToken: () => string;
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
  readonly #claims: Claims;
  #lastKey = 0;

  constructor(parts: StreamsParts) {
    this.#parts = parts;
    this.#claims = new Claims(parts);
  }

  get all(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  get(streamId: string): Stream | undefined {
    return this.#streams.get(streamId);
  }

  /** Whose the name is: the owner of its live stream, or for whom it is reserved. */
  ownerOf(streamId: string): string | undefined {
    return this.#streams.get(streamId)?.ownerId ?? this.#parts.reservations.get(streamId)?.ownerId;
  }

  /**
   * Keeps a new name for a stream of this user.
   * @throws ProtocolError `ROUTING_ERROR` when the user has as many streams as are allowed, or says too much of them, `UNAVAILABLE` when no more
   * names can be kept.
   */
  reserve(ownerId: string, device: Device): Reservation {
    const reservation = this.#claims.reserve(this.#parts.newStreamId(), ownerId, device);
    this.#parts.log('info', { streamId: reservation.streamId, userId: ownerId }, 'stream reserved');
    return reservation;
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
    if (message.metadata !== undefined) stream.metadata = this.#described(streamId, message.metadata);
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
    const wanted = Math.min(this.#parts.limits.maxFps, Math.ceil(maxFps ?? Number.POSITIVE_INFINITY));
    if (wantsFrames && wanted > this.#askedFps(stream)) this.#ask(stream, wanted);
  }

  /** The encoder's connection is gone: the stream lives on for the grace period. */
  encoderGone(link: EncoderLink): void {
    const { stream } = link;
    if (stream === undefined) return;
    const nowMs = this.#parts.clock.monotonicMs();
    stream.encoder = undefined;
    stream.lastLinkMs = nowMs;
    stream.graceEndsMs = nowMs + this.#parts.graceMs;
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

  /** When it was last there: a frame of it, or its encoder as it came or went. Ms since the epoch. */
  lastSeenMs({ lastFrameMs, lastLinkMs }: Stream): number {
    const { clock } = this.#parts;
    return Math.round(clock.epochMs() - (clock.monotonicMs() - Math.max(lastFrameMs, lastLinkMs)));
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
    this.#parts.reservations.tick();
  }

  /**
   * Ends a stream at its owner's wish, sends its encoder away, and keeps its name no longer. False when there is no such stream, live or reserved.
   * @throws ProtocolError `UNAUTHORIZED` when it is another user's.
   */
  delete(streamId: string, userId: string): boolean {
    const ownerId = this.ownerOf(streamId);
    if (ownerId === undefined) return false;
    if (ownerId !== userId) throw notTheirs(streamId);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#cutOff(stream);
    const reservation = this.#parts.reservations.get(streamId);
    if (reservation !== undefined) this.#parts.reservations.remove(reservation);
    return true;
  }

  #cutOff(stream: Stream): void {
    const { encoder } = stream;
    stream.encoder = undefined;
    if (encoder !== undefined) {
      encoder.stream = undefined;
      encoder.peer.socket.close(CloseCode.streamDeleted, 'Stream deleted');
    }
    this.#end(stream);
  }

  /** What the encoder says, over what was said when the name was reserved. */
  #described(streamId: string, metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const reservation = this.#parts.reservations.get(streamId);
    return reservation === undefined ? metadata : { ...reservation.metadata, ...metadata };
  }

  #open(streamId: string, link: EncoderLink, { streamId: named, metadata = {} }: RegisterMessage): Stream {
    const { principal } = link.peer;
    this.#claims.take(streamId, principal.userId, named !== undefined);
    this.#lastKey += 1;
    const { clock } = this.#parts;
    const origin = {
      id: streamId,
      ownerId: principal.userId,
      metadata: this.#described(streamId, metadata),
      key: this.#lastKey,
      resumeToken: this.#parts.newResumeToken(),
      createdAtMs: clock.epochMs(),
    };
    const stream = new Stream(origin, clock.monotonicMs(), this.#parts);
    this.#streams.set(streamId, stream);
    this.#byResumeToken.set(stream.resumeToken, stream);
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
    if (link.stream !== stream) link.seqBefore = stream.seq;
    stream.encoder = link;
    stream.lastLinkMs = this.#parts.clock.monotonicMs();
    stream.graceEndsMs = Number.POSITIVE_INFINITY;
    link.stream = stream;
  }

  #end(stream: Stream): void {
    this.#streams.delete(stream.id);
    this.#claims.giveBack(stream.id, stream.ownerId, this.lastSeenMs(stream));
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
