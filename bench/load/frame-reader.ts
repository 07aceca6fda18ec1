/** Bytes at the beginning of a message that are handed on; of the rest only the number counts. */
const HEAD_BYTES = 512;

export interface MessageSink {
  /** The beginning of a message: at most `HEAD_BYTES`, all of it when it is shorter. Only good during the call. */
  head(head: Buffer, isText: boolean): void;
  /** The last byte of that message has arrived. */
  end(messageBytes: number): void;
  ping(payload: Buffer): void;
  /** `code`: 1005 when the close frame has none. */
  close(code: number): void;
}

const CONTINUATION = 0;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Reads the WebSocket frames of a server without keeping them: heads and lengths are what a load needs to know. */
export class FrameReader {
  readonly #sink: MessageSink;
  /** The beginning of a frame, or of a message, that came in pieces. */
  #partial: Buffer = Buffer.alloc(0);
  #state: 'header' | 'head' | 'rest' = 'header';
  #opcode = 0;
  #isFinal = true;
  #payloadBytes = 0;
  #leftBytes = 0;
  #messageBytes = 0;

  constructor(sink: MessageSink) {
    this.#sink = sink;
  }

  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'rest') {
        const taken = Math.min(this.#leftBytes, chunk.length - at);
        at += taken;
        this.#leftBytes -= taken;
        if (this.#leftBytes === 0) this.#frameEnded();
      } else if (this.#partial.length > 0) {
        // Pieces of a header or a head are rare, so they may cost a copy.
        const pieces = Buffer.concat([this.#partial, chunk.subarray(at)]);
        this.#partial = Buffer.alloc(0);
        this.read(pieces);
        return;
      } else {
        const used = this.#state === 'header' ? this.#readHeader(chunk, at) : this.#readHead(chunk, at);
        if (used < 0) {
          this.#partial = Buffer.from(chunk.subarray(at));
          return;
        }
        at += used;
      }
    }
  }

  /** Bytes used, or -1 when the header is not whole yet. */
  #readHeader(chunk: Buffer, at: number): number {
    if (chunk.length - at < 2) return -1;
    const first = chunk[at] as number;
    const short = (chunk[at + 1] as number) & 0x7f;
    const size = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (chunk.length - at < size) return -1;
    this.#isFinal = (first & 0x80) !== 0;
    this.#opcode = first & 0x0f;
    this.#payloadBytes =
      short < 126 ? short : short === 126 ? chunk.readUInt16BE(at + 2) : Number(chunk.readBigUInt64BE(at + 2));
    this.#leftBytes = this.#payloadBytes;
    this.#state = 'head';
    // An empty payload has no bytes that would bring `#readHead` here again.
    if (this.#payloadBytes === 0) this.#headRead(chunk.subarray(0, 0));
    return size;
  }

  #readHead(chunk: Buffer, at: number): number {
    // Control frames are small, and read whole.
    const headBytes = this.#opcode >= CLOSE ? this.#payloadBytes : Math.min(this.#payloadBytes, HEAD_BYTES);
    if (chunk.length - at < headBytes) return -1;
    this.#leftBytes -= headBytes;
    this.#headRead(chunk.subarray(at, at + headBytes));
    return headBytes;
  }

  #headRead(head: Buffer): void {
    this.#state = 'rest';
    if (this.#opcode === CLOSE) this.#sink.close(head.length >= 2 ? head.readUInt16BE(0) : 1005);
    else if (this.#opcode === PING) this.#sink.ping(head);
    else if (this.#opcode !== PONG && this.#opcode !== CONTINUATION) {
      this.#messageBytes = 0;
      this.#sink.head(head, this.#opcode === TEXT);
    }
    if (this.#leftBytes === 0) this.#frameEnded();
  }

  #frameEnded(): void {
    this.#state = 'header';
    if (this.#opcode >= CLOSE) return;
    this.#messageBytes += this.#payloadBytes;
    if (this.#isFinal) this.#sink.end(this.#messageBytes);
  }
}
