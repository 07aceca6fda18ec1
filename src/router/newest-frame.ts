import type { Encoded, Encoding } from '../../proto/codec.ts';
import { FrameView } from '../../proto/frame.ts';

/** Room above the frame's size, so that frames that vary a little do not grow the buffer again and again. */
const HEADROOM = 1.25;

/**
 * A copy of a stream's newest frame, for viewers that join or were behind. The memory is reused from frame to frame: a
 * steady stream allocates nothing here.
 */
export class NewestFrame {
  #buffer = Buffer.alloc(0);
  #length = 0;
  #encoding: Encoding = 'msgpack';
  /** Made when the first viewer needs it: those with windows may be many. */
  #message: Buffer | undefined;
  #view: FrameView | undefined;
  /** It was tried to write it in the other encoding, in vain. */
  #cannotBe = false;
  #viewIsCurrent = false;
  /** Counts the frames kept; tells one from the next. */
  number = 0;

  /** Size of the message as it was received, bytes; 0 when there was no frame yet. */
  get byteLength(): number {
    return this.#length;
  }

  keep(message: Uint8Array, encoding: Encoding): void {
    if (message.length > this.#buffer.length)
      this.#buffer = Buffer.allocUnsafeSlow(Math.ceil(message.length * HEADROOM));
    this.#buffer.set(message);
    this.#length = message.length;
    this.number += 1;
    this.#encoding = encoding;
    this.#viewIsCurrent = false;
    this.#message = undefined;
    this.#cannotBe = false;
  }

  /** When its encoder captured it, ms since the epoch. Undefined when there is no frame. */
  timestamp(): number | undefined {
    if (this.#length === 0) return undefined;
    this.#message ??= this.#buffer.subarray(0, this.#length);
    return this.#viewOf(this.#message).timestamp;
  }

  /** A copy of its picture. Undefined when there is no frame, or its picture turns out not to be one. */
  jpeg(): Uint8Array | undefined {
    if (this.#length === 0) return undefined;
    this.#message ??= this.#buffer.subarray(0, this.#length);
    try {
      return new Uint8Array(this.#viewOf(this.#message).jpeg());
    } catch {
      return undefined;
    }
  }

  /**
   * The frame in `encoding`, to be sent at once: the memory is written again by the next frame. Transcoded at most once
   * per frame, however many join. Undefined when there is no frame, or its JSON picture turns out not to be base64.
   */
  in(encoding: Encoding): Encoded | undefined {
    if (this.#length === 0) return undefined;
    this.#message ??= this.#buffer.subarray(0, this.#length);
    const message = this.#message;
    if (encoding === this.#encoding) return message;
    if (this.#cannotBe) return undefined;
    try {
      return this.#viewOf(message).in(encoding);
    } catch {
      this.#cannotBe = true;
      return undefined;
    }
  }

  #viewOf(message: Buffer): FrameView {
    this.#view ??= new FrameView();
    if (!this.#viewIsCurrent) this.#view.read(message, this.#encoding);
    this.#viewIsCurrent = true;
    return this.#view;
  }
}
