import { SMALLEST_JPEG_BYTES } from '../../../proto/base64-text.ts';
import type { Exchange } from '../http/exchange.ts';
import type { BodyReader, RequestBody } from '../http/request-body.ts';
import type { FrameMessage } from './frame-message.ts';
import type { LastingRequest, Room } from './lasting-requests.ts';

export interface PicturePostParts {
  exchange: Exchange;
  body: RequestBody;
  room: Room;
  message: FrameMessage;
  /** Takes the whole picture, and answers. */
  onWhole: (message: FrameMessage) => void;
  /** Calls `action`, and answers what it throws. */
  attempt: (action: () => void) => void;
}

/** A body that brings nothing for so long is given up. */
const SILENCE_LIMIT_MS = 30_000;

/** One picture on its way in. */
export class PicturePost implements BodyReader, LastingRequest {
  /** The connection is its encoder's, see `PostingEncoders`. */
  readonly facts = undefined;
  readonly #parts: PicturePostParts;

  constructor(parts: PicturePostParts) {
    this.#parts = parts;
  }

  take(chunk: Buffer): void {
    this.#attempt(() => this.#parts.message.add(chunk));
  }

  end(): void {
    this.#attempt(() => this.#parts.onWhole(this.#parts.message));
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

  #attempt(action: () => void): void {
    this.#parts.attempt(action);
    if (this.#parts.exchange.isOver) this.#parts.room.leave();
  }

  #refuse(status: number, code: string, message: string): void {
    this.#attempt(() => this.#parts.exchange.error(status, code, message));
  }
}

/** As far as its first bytes say. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes.length >= SMALLEST_JPEG_BYTES && bytes[0] === 0xff && bytes[1] === 0xd8;
}
