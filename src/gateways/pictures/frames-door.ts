import { decodeControl } from '../../../proto/codec.ts';
import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import type { RegisterMessage } from '../../../proto/messages.ts';
import { CONTENT_TYPES, type ContentKind, contentKind } from '../../mjpeg/content-kind.ts';
import { MultipartError } from '../../mjpeg/multipart-reader.ts';
import { OncePer } from '../../router/once-per.ts';
import type { OpenConnection } from '../../router/open-connection.ts';
import type { Clock, Log, Principal, SessionWatch, StreamOwners } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import { TokenBucket } from '../../router/token-bucket.ts';
import { queryValue } from '../credentials.ts';
import type { Doorkeeper } from '../http/doorkeeper.ts';
import type { Exchange } from '../http/exchange.ts';
import { HoldingRoom, type RequestBody } from '../http/request-body.ts';
import type { Routes } from '../http/routes.ts';
import { FrameMessage } from './frame-message.ts';
import { HttpEncoder } from './http-encoder.ts';
import type { LastingRequests, Room } from './lasting-requests.ts';
import { isJpeg, PicturePost } from './picture-post.ts';
import { PostingEncoders } from './posting-encoders.ts';
import { readTimestamp } from './timestamp.ts';
import { Upload } from './upload.ts';

export interface FramesDoorParts {
  router: Router;
  doorkeeper: Doorkeeper;
  sessionWatch: SessionWatch;
  owners: StreamOwners | undefined;
  lasting: LastingRequests;
  clock: Clock;
  log: Log;
  /** Largest picture. */
  maxPictureBytes: number;
  /** One that no connection has had. */
  newConnectionId: () => number;
}

/** For what comes while sessions are looked up; of those that are known nothing waits. */
const HELD_BYTES = 16 * 1024 * 1024;
/** Names whose owners are looked up: as many as one WebSocket may have. */
const LOOK_UPS_PER_SECOND = 500;
const LOOK_UPS_BURST = 5_000;

/** The statuses of what the router refuses, and how soon it is worth trying again. */
const STATUSES: Readonly<Partial<Record<ErrorCode, { status: number; retryAfterSeconds?: number }>>> = {
  [ErrorCode.invalidMessage]: { status: 400 },
  [ErrorCode.unauthorized]: { status: 403 },
  [ErrorCode.payloadTooLarge]: { status: 413 },
  [ErrorCode.rateLimited]: { status: 429, retryAfterSeconds: 1 },
  // As many streams as the user may have.
  [ErrorCode.routingError]: { status: 429, retryAfterSeconds: 60 },
  [ErrorCode.unavailable]: { status: 503, retryAfterSeconds: 5 },
};

type Registration = RegisterMessage & { streamId: string };

/** `POST /streams/{id}/frames`: encoders that speak nothing but HTTP, with a picture in each request, or with all of them in one. */
export class FramesDoor {
  readonly #parts: FramesDoorParts;
  readonly #postings: PostingEncoders;
  readonly #lookUps: TokenBucket;
  readonly #errorLine = new OncePer(1000);

  constructor(routes: Routes, parts: FramesDoorParts) {
    this.#parts = parts;
    this.#postings = new PostingEncoders(parts);
    this.#lookUps = new TokenBucket(LOOK_UPS_PER_SECOND, LOOK_UPS_BURST, parts.clock.monotonicMs());
    const holdingRoom = new HoldingRoom(HELD_BYTES);
    routes.add('/streams/:stream/frames', {
      POST: {
        needs: 'session',
        handle: (exchange) => {
          const body = exchange.holdBody(parts.clock, holdingRoom);
          const admit = parts.doorkeeper.withSession((_exchange, { principal }) => {
            this.#attempt(exchange, () => this.#admitted(exchange, principal, body));
          });
          admit.handle(exchange);
        },
      },
    });
  }

  /** Encoders that post picture by picture; those with one long request are among the lasting ones. */
  connections(): Iterable<OpenConnection> {
    return this.#postings.connections();
  }

  /** No time passes any more for who posts picture by picture. */
  stop(): void {
    this.#postings.stop();
  }

  #admitted(exchange: Exchange, principal: Principal, body: RequestBody): void {
    const contentType = exchange.header('content-type');
    const content = contentKind(contentType);
    if (content === undefined) {
      const message = `content-type: must be ${CONTENT_TYPES}, this is ${contentType.slice(0, 100)}`;
      exchange.error(415, ErrorCode.invalidMessage, message);
      return;
    }
    const registration = registrationIn(exchange);
    const begin = () => this.#attempt(exchange, () => this.#begin(exchange, principal, body, content, registration));
    const lookUp = this.#lookUp(registration.streamId);
    if (lookUp === undefined) begin();
    else void lookUp.then(begin);
  }

  /**
   * Whose a name is that is neither live nor reserved. Undefined: nothing need be looked up.
   * @throws ProtocolError `RATE_LIMITED` for ever new names.
   */
  #lookUp(streamId: string): Promise<boolean> | undefined {
    const { owners, router, clock } = this.#parts;
    if (owners === undefined || router.streams.ownerOf(streamId) !== undefined) return undefined;
    const unknown = owners.unknownOf([streamId]);
    if (unknown.length === 0) return undefined;
    if (!this.#lookUps.has(1, clock.monotonicMs())) {
      throw new ProtocolError(ErrorCode.rateLimited, 'streamId: too many names at once, try again in a few seconds');
    }
    this.#lookUps.take(1);
    return owners.load(unknown);
  }

  #begin(
    exchange: Exchange,
    principal: Principal,
    body: RequestBody,
    content: ContentKind,
    registration: Registration,
  ): void {
    if (exchange.isOver) return;
    const { router, lasting, maxPictureBytes } = this.#parts;
    const ownerId = router.streams.ownerOf(registration.streamId);
    if (ownerId !== undefined && ownerId !== principal.userId) {
      throw new ProtocolError(ErrorCode.unauthorized, 'The stream is another user’s');
    }
    const room = lasting.enter(exchange, principal);
    if (room === undefined) return;
    exchange.onGone(() => room.leave());
    const declaredBytes = Number(exchange.header('content-length'));
    if (content.kind !== 'picture') {
      this.#beginUpload(exchange, principal, body, room, content, registration);
    } else if (declaredBytes > maxPictureBytes) {
      room.leave();
      throw new ProtocolError(ErrorCode.payloadTooLarge, `A picture may have ${maxPictureBytes} bytes`);
    } else this.#beginPicture(exchange, principal, body, room, registration);
  }

  #beginPicture(
    exchange: Exchange,
    principal: Principal,
    body: RequestBody,
    room: Room,
    registration: Registration,
  ): void {
    const { clock, maxPictureBytes } = this.#parts;
    const post = new PicturePost({
      exchange,
      body,
      room,
      message: new FrameMessage(registration.streamId, maxPictureBytes),
      attempt: (action) => this.#attempt(exchange, action),
      onWhole: (message) => {
        if (!isJpeg(message.picture)) throw notJpeg();
        const timestamp = readTimestamp(exchange.header('x-timestamp')) ?? clock.epochMs();
        this.#post(exchange, principal, registration, message.complete(timestamp));
      },
    });
    if (!body.read(post)) this.#noRoomForBody(exchange);
    if (exchange.isOver) room.leave();
    else room.keep(post);
  }

  #post(exchange: Exchange, principal: Principal, registration: Registration, message: Buffer): void {
    const posted = this.#postings.accept(principal, exchange.address, registration, message);
    if (posted.kind === 'accepted') exchange.bytes(204, '', {});
    else if (posted.kind === 'over rate') {
      throw new ProtocolError(ErrorCode.rateLimited, 'The picture is over the stream’s rate limit, and was dropped');
    } else exchange.error(posted.dismissal.status, posted.dismissal.code, posted.dismissal.message);
  }

  #beginUpload(
    exchange: Exchange,
    principal: Principal,
    body: RequestBody,
    room: Room,
    content: Exclude<ContentKind, { kind: 'picture' }>,
    registration: Registration,
  ): void {
    const { router, clock, maxPictureBytes } = this.#parts;
    const { streamId } = registration;
    const encoder = new HttpEncoder(router, principal, (dismissal) => upload.dismiss(dismissal));
    const message = new FrameMessage(streamId, maxPictureBytes);
    const attempt = (action: () => void) => this.#attempt(exchange, action);
    const upload = new Upload({ router, clock, exchange, body, room, streamId, encoder, message, content, attempt });
    exchange.onGone(() => upload.gone());
    try {
      encoder.register(registration);
    } catch (error) {
      upload.gone();
      throw error;
    }
    if (!body.read(upload)) {
      this.#noRoomForBody(exchange);
      upload.gone();
    }
    room.keep(upload);
  }

  #noRoomForBody(exchange: Exchange): void {
    exchange.error(503, ErrorCode.unavailable, 'Too many bodies wait for session checks', { 'retry-after': '1' });
  }

  /** Answers what `action` throws. What nobody foresaw must not end the process: the body comes in calls of the socket library. */
  #attempt(exchange: Exchange, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof MultipartError) this.#refuse(exchange, ErrorCode.invalidMessage, error.message);
      else if (error instanceof ProtocolError) this.#refuse(exchange, error.code, error.message);
      else this.#failed(exchange, error);
    }
  }

  #failed(exchange: Exchange, error: unknown): void {
    const times = this.#errorLine.due(this.#parts.clock.monotonicMs());
    if (times > 0) this.#parts.log('error', { err: error, times }, 'a picture could not be taken');
    exchange.error(500, 'INTERNAL_ERROR', 'The router could not answer this request');
  }

  #refuse(exchange: Exchange, code: ErrorCode, message: string): void {
    const { counters } = this.#parts.router;
    if (code === ErrorCode.unauthorized) counters.unauthorized += 1;
    if (code === ErrorCode.invalidMessage || code === ErrorCode.payloadTooLarge) counters.messagesInvalid += 1;
    const { status, retryAfterSeconds } = STATUSES[code] ?? { status: 500 };
    const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': `${retryAfterSeconds}` };
    exchange.error(status, code, message, headers);
  }
}

/**
 * As a WebSocket encoder says it; `metadata` as JSON in the query.
 * @throws ProtocolError `INVALID_MESSAGE` for a name that no stream may have, and for `metadata` that is none.
 */
function registrationIn(exchange: Exchange): Registration {
  const [streamId = ''] = exchange.parameters;
  const metadata = queryValue(exchange.request.query, 'metadata');
  if (metadata === null) throw new ProtocolError(ErrorCode.invalidMessage, 'metadata: given more than once');
  const said = { type: 'register', clientType: 'mobile', streamId };
  const message = metadata === undefined ? said : { ...said, metadata: jsonIn(metadata) };
  return { ...(decodeControl(Buffer.from(JSON.stringify(message)), 'json') as RegisterMessage), streamId };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError(ErrorCode.invalidMessage, 'metadata: must be JSON');
  }
}

function notJpeg(): ProtocolError {
  return new ProtocolError(ErrorCode.invalidMessage, 'body: must be a JPEG (it starts with FF D8)');
}
