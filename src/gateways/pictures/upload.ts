import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import { type ContentKind, isPicturePart } from '../../mjpeg/content-kind.ts';
import { MultipartReader } from '../../mjpeg/multipart-reader.ts';
import type { ConnectionFacts } from '../../router/open-connection.ts';
import type { Clock } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import { Strikes } from '../../router/strikes.ts';
import type { Exchange } from '../http/exchange.ts';
import type { BodyReader, RequestBody } from '../http/request-body.ts';
import type { FrameMessage } from './frame-message.ts';
import type { Dismissal, HttpEncoder } from './http-encoder.ts';
import { JpegSplitter } from './jpeg-splitter.ts';
import type { LastingRequest, Room } from './lasting-requests.ts';
import { readTimestamp } from './timestamp.ts';

export interface UploadParts {
  router: Router;
  clock: Clock;
  exchange: Exchange;
  body: RequestBody;
  room: Room;
  streamId: string;
  /** Of its stream. */
  encoder: HttpEncoder;
  message: FrameMessage;
  content: Exclude<ContentKind, { kind: 'picture' }>;
  /** Calls `action`, and answers what it throws. */
  attempt: (action: () => void) => void;
}

/** As long as a WebSocket may be silent. */
const SILENCE_LIMIT_MS = 120_000;
/** Pictures that are none which end it, and the time they must come in. */
const MAX_INVALID_PICTURES = 20;
const INVALID_WINDOW_MS = 10_000;

/** Takes a body apart into pictures. */
interface Reader {
  feed(chunk: Buffer): void;
  finish(): void;
}

/** One request that brings picture after picture, for as long as it lasts: an encoder like one on a WebSocket, but that it hears nothing before its end. */
export class Upload implements BodyReader, LastingRequest {
  readonly #parts: UploadParts;
  readonly #strikes = new Strikes(MAX_INVALID_PICTURES, INVALID_WINDOW_MS);
  readonly #counts = { received: 0, accepted: 0, rejected: { rate: 0, invalid: 0 } };
  #reader: Reader | undefined;
  /** Of the picture under way; undefined: it does not say. */
  #timestamp: number | undefined;
  /** The part under way is no picture. */
  #isSkipping = false;
  #isOver = false;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    if (parts.content.kind === 'parts') this.#reader = this.#partsReader(parts.content.boundary);
  }

  get facts(): ConnectionFacts {
    return this.#parts.encoder.facts;
  }

  take(chunk: Buffer): void {
    this.#attempt(() => {
      // A picture begins with another byte than a boundary.
      this.#reader ??=
        chunk[0] === DASH || chunk[0] === CARRIAGE_RETURN ? this.#partsReader(undefined) : this.#series();
      this.#reader.feed(chunk);
    });
  }

  end(): void {
    this.#attempt(() => {
      this.#reader?.finish();
      const { streamId, exchange } = this.#parts;
      if (this.#counts.received > 0) exchange.json(200, { streamId, frames: this.#counts });
      else throw new ProtocolError(ErrorCode.invalidMessage, 'body: no picture in it');
    });
  }

  /** The router sends it away: a newer connection took its stream over, or it was deleted. */
  dismiss({ status, code, message }: Dismissal): void {
    this.#refuse(status, code, message);
  }

  sessionEnded(): void {
    this.#refuse(401, 'AUTH_REQUIRED', 'The session has ended');
  }

  shutDown(): void {
    this.#refuse(503, 'UNAVAILABLE', 'The router is shutting down');
  }

  tick(nowMs: number): void {
    const { body } = this.#parts;
    if (nowMs - body.lastChunkMs < SILENCE_LIMIT_MS) body.keepOpen();
    else this.#refuse(408, 'TIMEOUT', `Nothing came for ${SILENCE_LIMIT_MS / 1000} s`);
  }

  /** It was answered, or the client is gone. */
  gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.encoder.leave();
    this.#parts.room.leave();
  }

  #partsReader(boundary: string | undefined): Reader {
    return new MultipartReader(boundary, {
      begin: (headers) => {
        this.#isSkipping = !isPicturePart(headers);
        this.#timestamp = readTimestamp(headers.get('x-timestamp') ?? '');
        this.#parts.message.clear();
      },
      add: (bytes) => {
        if (!this.#isSkipping) this.#parts.message.add(bytes);
      },
      end: (isWhole) => {
        if (!this.#isSkipping) this.#picture(isWhole);
      },
    });
  }

  #series(): Reader {
    const { message } = this.#parts;
    message.clear();
    const splitter = new JpegSplitter({
      add: (bytes) => message.add(bytes),
      end: () => {
        this.#picture(true);
        message.clear();
      },
      abandon: () => {
        this.#picture(false);
        message.clear();
      },
    });
    return {
      feed: (chunk) => splitter.feed(chunk),
      finish: () => {
        if (splitter.isInside) this.#picture(false);
      },
    };
  }

  /** @throws ProtocolError when too many were none. */
  #picture(isWhole: boolean): void {
    const { encoder, message, clock, router } = this.#parts;
    if (this.#isOver) return;
    this.#counts.received += 1;
    try {
      if (!isWhole) throw new ProtocolError(ErrorCode.invalidMessage, 'part: the picture is not whole');
      const isAdmitted = encoder.accept(message.complete(this.#timestamp ?? clock.epochMs()));
      if (isAdmitted) this.#counts.accepted += 1;
      else this.#counts.rejected.rate += 1;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      router.counters.messagesInvalid += 1;
      encoder.link.rejected.invalid += 1;
      this.#counts.rejected.invalid += 1;
      if (this.#strikes.strike(clock.monotonicMs())) throw error;
    }
  }

  #attempt(action: () => void): void {
    if (this.#isOver) return;
    this.#parts.attempt(action);
    if (this.#parts.exchange.isOver) this.gone();
  }

  #refuse(status: number, code: string, message: string): void {
    this.#attempt(() => this.#parts.exchange.error(status, code, message));
  }
}

const DASH = 0x2d;
const CARRIAGE_RETURN = 0x0d;
