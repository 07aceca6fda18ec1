import { Encoder } from '@msgpack/msgpack';
import {
  checkBase64Shape,
  checkFirstLine,
  decodedLength,
  decodeInto,
  encodeInto,
  SMALLEST_JPEG_BYTES,
  unescaped,
} from './base64-text.ts';
import { decodeMap, type Encoded, type Encoding } from './codec.ts';
import { invalid } from './errors.ts';
import { DATA, type FrameField, fieldAt, isAscii, isAt, STREAM_ID, TIMESTAMP, TYPE } from './frame-fields.ts';
import { findFrameFields, JsonSpans, readPlainInteger, readPlainString } from './json-scan.ts';
import { MAX_CONTROL_BYTES } from './limits.ts';
import { isMap, plain } from './metadata.ts';
import {
  checkWellFormed,
  readBinarySpan,
  readMapHeader,
  readNumber,
  readStringSpan,
  skipValue,
} from './msgpack-scan.ts';

/**
 * One `video-frame` message, read in place: the view points into the message and copies nothing until somebody needs the
 * other encoding. Meant to be reused for message after message; it is valid only as long as the message's memory is.
 *
 * A JSON picture is checked for its first bytes, its length and its padding; its alphabet only where it is decoded, since
 * checking 46,000 characters costs more than sending them to a viewer.
 */
export class FrameView {
  encoding: Encoding = 'msgpack';
  bytes: Buffer = EMPTY;
  streamId = '';
  /** When the encoder captured it, ms since the epoch. */
  timestamp = 0;

  #likelyStreamId = '';
  #dataStart = 0;
  #dataEnd = 0;
  /** MessagePack: the fields that are not the protocol's, as they go into a JSON map: `,"zoom":2`. */
  #extraJson = '';
  /** JSON: all fields but `data`; undefined when they are only the protocol's. */
  #rest: Record<string, unknown> | undefined;
  /** JSON: the base64 text without its escapes (`\/` as Swift and PHP write it) where it had any, otherwise undefined. */
  #unescaped: Buffer | undefined;
  #jpeg: Buffer | undefined;
  #transcoded: Encoded | undefined;
  /** Made when first needed. The view's own, so that what `in` returned stays good until the view is pointed elsewhere. */
  #encoder: Encoder | undefined;
  #json = EMPTY;
  #decoded = EMPTY;
  readonly #span = { start: 0, end: 0 };
  readonly #spans = new JsonSpans();

  /**
   * Points the view at `bytes`. `likelyStreamId`: a registered id (so nothing in it is escaped in JSON); when it is this one, it need not be decoded.
   * @returns false when this is some other message (or none at all: whoever decodes it next will say).
   * @throws ProtocolError `INVALID_MESSAGE` for a malformed `video-frame`, naming the field.
   */
  read(bytes: Buffer, encoding: Encoding, likelyStreamId = ''): boolean {
    this.#likelyStreamId = likelyStreamId;
    this.bytes = bytes;
    this.encoding = encoding;
    this.#jpeg = undefined;
    this.#transcoded = undefined;
    this.#unescaped = undefined;
    return encoding === 'msgpack' ? this.#readMsgpack() : this.#readJson();
  }

  /**
   * The whole message in `encoding`: the received bytes themselves, or transcoded once and then remembered.
   * @throws ProtocolError `INVALID_MESSAGE` when the picture of a JSON frame turns out not to be base64.
   */
  in(encoding: Encoding): Encoded {
    if (encoding === this.encoding) return this.bytes;
    this.#transcoded ??= encoding === 'json' ? this.#toJson() : this.#toMsgpack();
    return this.#transcoded;
  }

  /**
   * The JPEG bytes: a view into the message (MessagePack), or the text decoded into memory of this view (JSON).
   * @throws ProtocolError as `in` does.
   */
  jpeg(): Buffer {
    this.#jpeg ??=
      this.encoding === 'msgpack' ? this.bytes.subarray(this.#dataStart, this.#dataEnd) : this.#decodeBase64();
    return this.#jpeg;
  }

  #readMsgpack(): boolean {
    const { bytes } = this;
    const header = readMapHeader(bytes);
    if (header === undefined) return false;
    const span = this.#span;
    // null: the field is there and has not the right kind of value.
    let isFrame: boolean | undefined;
    let streamId: string | null | undefined;
    let timestamp: number | null | undefined;
    let dataAt: number | undefined;
    let besideBytes = 0;
    let at = header.firstKey;
    for (let pair = 0; pair < header.pairs; pair += 1) {
      if (at < bytes.length && !readStringSpan(bytes, at, span)) throw invalid('message: map keys must be strings');
      if (at >= bytes.length || span.end > bytes.length) checkWellFormed(bytes);
      const keyAt = at;
      const field = fieldAt(bytes, span.start, span.end);
      const valueAt = span.end;
      at = skipValue(bytes, valueAt);
      // Sixteen MiB of keys would take a third of a second to look at.
      if (field !== DATA) besideBytes += at - keyAt;
      if (besideBytes > MAX_CONTROL_BYTES) return false;
      if (field === TYPE) isFrame = once(field, isFrame, this.#isTextAt(valueAt, VIDEO_FRAME));
      else if (field === STREAM_ID) streamId = once(field, streamId, this.#stringAt(valueAt));
      else if (field === TIMESTAMP) timestamp = once(field, timestamp, readNumber(bytes, valueAt) ?? null);
      else if (field === DATA) dataAt = once(field, dataAt, valueAt);
    }
    if (at !== bytes.length) checkWellFormed(bytes);
    if (!isFrame) return false;
    this.#setHead(streamId, timestamp);
    if (dataAt === undefined) throw invalid('data: required');
    if (!readBinarySpan(bytes, dataAt, span)) throw invalid('data: must be MessagePack bin');
    this.#dataStart = span.start;
    this.#dataEnd = span.end;
    if (bytes[span.start] !== 0xff || bytes[span.start + 1] !== 0xd8 || span.end - span.start < SMALLEST_JPEG_BYTES) {
      throw invalid('data: must be a JPEG (it starts with FF D8)');
    }
    this.#extraJson = header.pairs > KNOWN_FIELDS ? this.#readExtra() : '';
    return true;
  }

  #readJson(): boolean {
    const { bytes } = this;
    const spans = this.#spans;
    if (!findFrameFields(bytes, MAX_CONTROL_BYTES, spans)) return this.#withoutPicture();
    this.#dataStart = spans.dataStart;
    this.#dataEnd = spans.dataEnd;
    if (this.#readPlainHead()) {
      this.#checkBase64();
      return true;
    }
    let rest: unknown;
    try {
      const [start, end] = [spans.dataStart, spans.dataEnd];
      rest = JSON.parse(bytes.toString('utf8', 0, start) + bytes.toString('utf8', end, bytes.length));
    } catch {
      throw invalid('message: a text message must be JSON');
    }
    if (!isMap(rest) || rest['type'] !== 'video-frame') return false;
    this.#setHead(rest['streamId'], rest['timestamp']);
    this.#rest = rest;
    this.#checkBase64();
    // Here and not where it is transcoded: whether a frame is good must not depend on who watches.
    if (Object.keys(rest).length > KNOWN_FIELDS) passOn(rest);
    return true;
  }

  /**
   * The head of a frame as nearly all of them are: the four fields, plain values. False for any other, which goes through `JSON.parse`; what
   * that and the strings it needs cost was a tenth of relaying a frame to one viewer.
   */
  #readPlainHead(): boolean {
    const { bytes } = this;
    const spans = this.#spans;
    if (!spans.isPlain || !isAt(bytes, spans.typeStart, spans.typeEnd, QUOTED_VIDEO_FRAME)) return false;
    const streamId = this.#isLikelyStreamId(spans.streamIdStart, spans.streamIdEnd)
      ? this.#likelyStreamId
      : readPlainString(bytes, spans.streamIdStart, spans.streamIdEnd);
    const timestamp = readPlainInteger(bytes, spans.timestampStart, spans.timestampEnd);
    if (streamId === undefined || streamId === '' || timestamp === undefined) return false;
    this.streamId = streamId;
    this.timestamp = timestamp;
    this.#rest = undefined;
    return true;
  }

  /** No picture was found in this text. If the message calls itself a frame, something is wrong with it: say what. */
  #withoutPicture(): false {
    if (this.bytes.length > MAX_CONTROL_BYTES) return false;
    const map = decodeMap(this.bytes, 'json');
    if (map['type'] !== 'video-frame') return false;
    this.#setHead(map['streamId'], map['timestamp']);
    throw invalid(map['data'] === undefined ? 'data: required' : 'data: must be base64 text');
  }

  #setHead(streamId: unknown, timestamp: unknown): void {
    if (typeof streamId !== 'string' || streamId === '') throw invalid('streamId: required, a string');
    // JSON can write 1e999, which reads as Infinity.
    if (typeof timestamp !== 'number' || !Number.isFinite(timestamp))
      throw invalid('timestamp: required, a number (ms since the epoch)');
    this.streamId = streamId;
    this.timestamp = timestamp;
  }

  #stringAt(at: number): string | null {
    if (!readStringSpan(this.bytes, at, this.#span)) return null;
    const { start, end } = this.#span;
    if (isAscii(this.bytes, start, end, this.#likelyStreamId)) return this.#likelyStreamId;
    return this.bytes.toString('utf8', start, end);
  }

  /** JSON: with the quotes around it. */
  #isLikelyStreamId(start: number, end: number): boolean {
    const { bytes } = this;
    if (this.#likelyStreamId === '' || bytes[start] !== 0x22) return false;
    return isAscii(bytes, start + 1, end - 1, this.#likelyStreamId);
  }

  #isTextAt(at: number, expected: Uint8Array): boolean {
    return readStringSpan(this.bytes, at, this.#span) && isAt(this.bytes, this.#span.start, this.#span.end, expected);
  }

  #checkBase64(): void {
    const { bytes } = this;
    checkFirstLine(bytes, this.#dataStart, this.#dataEnd);
    const backslash = bytes.indexOf(0x5c, this.#dataStart);
    if (backslash !== -1 && backslash < this.#dataEnd) {
      const text = unescaped(bytes, this.#dataStart, this.#dataEnd);
      checkBase64Shape(text, 0, text.length);
      this.#unescaped = text;
    } else {
      checkBase64Shape(bytes, this.#dataStart, this.#dataEnd);
    }
  }

  #decodeBase64(): Buffer {
    const text = this.#unescaped ?? this.bytes.subarray(this.#dataStart, this.#dataEnd);
    const length = decodedLength(text);
    if (this.#decoded.length < length) this.#decoded = Buffer.allocUnsafeSlow(Math.ceil(length * HEADROOM));
    decodeInto(this.#decoded, text);
    return this.#decoded.subarray(0, length);
  }

  /** Bytes, not text: the socket library would write a text anew for each viewer it is sent to. */
  #toJson(): Buffer {
    const head = `{"type":"video-frame","streamId":${JSON.stringify(this.streamId)},"timestamp":${this.timestamp}`;
    const start = Buffer.from(`${head}${this.#extraJson},"data":"`);
    const length = start.length + Math.ceil((this.#dataEnd - this.#dataStart) / 3) * 4 + 2;
    if (this.#json.length < length) this.#json = Buffer.allocUnsafeSlow(Math.ceil(length * HEADROOM));
    this.#json.set(start);
    // Base64 needs no escaping, so it is spliced in: JSON.stringify would look at each of its characters.
    const written = encodeInto(this.#json, start.length, this.bytes, this.#dataStart, this.#dataEnd);
    this.#json.write('"}', written, 'latin1');
    return this.#json.subarray(0, length);
  }

  #readExtra(): string {
    const { buffer, byteOffset, length } = this.bytes;
    // A plain Uint8Array: of a Buffer the library would make Buffers, which write themselves to JSON in a way of their own.
    const { type, streamId, timestamp, data, ...extra } = decodeMap(
      new Uint8Array(buffer, byteOffset, length),
      'msgpack',
    );
    const json = JSON.stringify(passOn(extra));
    return json === '{}' ? '' : `,${json.slice(1, -1)}`;
  }

  #toMsgpack(): Uint8Array {
    this.#encoder ??= new Encoder();
    const rest = this.#rest ?? { type: 'video-frame', streamId: this.streamId, timestamp: this.timestamp };
    return this.#encoder.encodeSharedRef({ ...passOn(rest), data: this.jpeg() });
  }
}

const EMPTY = Buffer.alloc(0);
const VIDEO_FRAME = Buffer.from('video-frame');
const QUOTED_VIDEO_FRAME = Buffer.from('"video-frame"');
/** Room above a frame's size, so that frames that vary a little do not grow the buffer again and again. */
const HEADROOM = 1.25;

/** `type`, `streamId`, `data`, `timestamp`. */
const KNOWN_FIELDS = 4;

function once<T>(field: FrameField, earlier: T | undefined, value: T): T {
  if (earlier !== undefined) throw invalid(`${field.name}: appears twice`);
  return value;
}

/** Unknown fields are passed on as they are; what the other encoding cannot express is the encoder's mistake. */
function passOn(fields: Record<string, unknown>): Record<string, unknown> {
  try {
    return plain(fields, 0) as Record<string, unknown>;
  } catch (error) {
    throw invalid(`message: extra fields ${(error as Error).message}`);
  }
}
