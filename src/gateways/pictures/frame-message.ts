import { encode } from '@msgpack/msgpack';
import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';

/** Room for a picture of a small camera; a larger one makes it grow. */
const FIRST_ROOM_BYTES = 64 * 1024;
const FLOAT64 = 0xcb;
const BIN32 = 0xc6;
const MAP_OF_FOUR = 0x84;

/**
 * A `video-frame` message that is written around a picture while that arrives: so it takes the way of every frame, and is copied once. The memory is used
 * again for the next picture.
 */
export class FrameMessage {
  readonly #maxPictureBytes: number;
  readonly #timestampAt: number;
  readonly #lengthAt: number;
  readonly #pictureAt: number;
  #buffer: Buffer;
  #end: number;

  constructor(streamId: string, maxPictureBytes: number) {
    this.#maxPictureBytes = maxPictureBytes;
    const start = Buffer.concat(
      [
        [MAP_OF_FOUR],
        ...['type', 'video-frame', 'streamId', streamId, 'timestamp'].map((text) => encode(text)),
        [FLOAT64],
      ].map((bytes) => Uint8Array.from(bytes)),
    );
    const data = encode('data');
    this.#timestampAt = start.length;
    this.#lengthAt = this.#timestampAt + 8 + data.length + 1;
    this.#pictureAt = this.#lengthAt + 4;
    this.#buffer = Buffer.allocUnsafeSlow(this.#pictureAt + Math.min(FIRST_ROOM_BYTES, maxPictureBytes));
    this.#buffer.set(start);
    this.#buffer.set(data, this.#timestampAt + 8);
    this.#buffer[this.#lengthAt - 1] = BIN32;
    this.#end = this.#pictureAt;
  }

  /** What there is of the picture: a view, until the next `add` or `clear`. */
  get picture(): Buffer {
    return this.#buffer.subarray(this.#pictureAt, this.#end);
  }

  /** Begins the next picture. */
  clear(): void {
    this.#end = this.#pictureAt;
  }

  /** @throws ProtocolError `PAYLOAD_TOO_LARGE` for more than a picture may have; what there was of it is gone then. */
  add(bytes: Uint8Array): void {
    const end = this.#end + bytes.length;
    if (end - this.#pictureAt > this.#maxPictureBytes) {
      this.clear();
      throw new ProtocolError(ErrorCode.payloadTooLarge, `A picture may have ${this.#maxPictureBytes} bytes`);
    }
    if (end > this.#buffer.length) this.#grow(end);
    this.#buffer.set(bytes, this.#end);
    this.#end = end;
  }

  /** The whole message: a view, until the next `add` or `clear`. */
  complete(timestampMs: number): Buffer {
    this.#buffer.writeDoubleBE(timestampMs, this.#timestampAt);
    this.#buffer.writeUInt32BE(this.#end - this.#pictureAt, this.#lengthAt);
    return this.#buffer.subarray(0, this.#end);
  }

  #grow(neededBytes: number): void {
    const largest = this.#pictureAt + this.#maxPictureBytes;
    const grown = Buffer.allocUnsafeSlow(Math.min(largest, Math.max(neededBytes, 2 * this.#buffer.length)));
    grown.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = grown;
  }
}
