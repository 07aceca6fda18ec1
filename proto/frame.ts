import { Encoder } from '@msgpack/msgpack';
import { decodeMap, type Encoded, type Encoding } from './codec.ts';
import { invalid } from './errors.ts';
import { findDataText } from './json-scan.ts';
import { MAX_CONTROL_BYTES } from './limits.ts';
import { isMap } from './metadata.ts';
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

  #dataStart = 0;
  #dataEnd = 0;
  /** MessagePack: how many fields the map has. */
  #pairs = 0;
  /** JSON: all fields but `data`. */
  #rest: Record<string, unknown> = NO_FIELDS;
  /** JSON: the base64 text where it holds escapes (`\/` as Swift and PHP write it), otherwise undefined. */
  #unescaped: string | undefined;
  #jpeg: Buffer | undefined;
  #transcoded: Encoded | undefined;
  /** Made when first needed. The view's own, so that what `in` returned stays good until the view is pointed elsewhere. */
  #encoder: Encoder | undefined;
  readonly #span = { start: 0, end: 0 };

  /**
   * Points the view at `bytes`.
   * @returns false when this is some other message (or none at all: whoever decodes it next will say).
   * @throws ProtocolError `INVALID_MESSAGE` for a malformed `video-frame`, naming the field.
   */
  read(bytes: Buffer, encoding: Encoding): boolean {
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
   * The JPEG bytes: a view into the message (MessagePack) or the decoded text (JSON).
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
    let type: string | undefined;
    let streamId: string | undefined;
    let timestamp: number | undefined;
    let dataAt = -1;
    let at = header.firstKey;
    for (let pair = 0; pair < header.pairs; pair += 1) {
      if (at < bytes.length && !readStringSpan(bytes, at, span)) throw invalid('message: map keys must be strings');
      if (at >= bytes.length || span.end > bytes.length) checkWellFormed(bytes);
      const key = bytes.toString('latin1', span.start, span.end);
      const valueAt = span.end;
      at = skipValue(bytes, valueAt);
      if (key === 'type') type = once(key, type, this.#stringAt(valueAt));
      else if (key === 'streamId') streamId = once(key, streamId, this.#stringAt(valueAt));
      else if (key === 'timestamp') timestamp = once(key, timestamp, readNumber(bytes, valueAt));
      else if (key === 'data') dataAt = once(key, dataAt === -1 ? undefined : dataAt, valueAt) ?? -1;
    }
    if (at !== bytes.length) checkWellFormed(bytes);
    if (type !== 'video-frame') return false;
    this.#setHead(streamId, timestamp);
    if (dataAt === -1) throw invalid('data: required');
    if (!readBinarySpan(bytes, dataAt, span)) throw invalid('data: must be MessagePack bin');
    this.#dataStart = span.start;
    this.#dataEnd = span.end;
    this.#pairs = header.pairs;
    if (bytes[span.start] !== 0xff || bytes[span.start + 1] !== 0xd8 || span.end - span.start < 4) {
      throw invalid('data: must be a JPEG (it starts with FF D8)');
    }
    this.#checkFieldsSize();
    return true;
  }

  #readJson(): boolean {
    const { bytes } = this;
    const data = findDataText(bytes);
    if (data === undefined) return this.#withoutPicture();
    this.#dataStart = data.start;
    this.#dataEnd = data.end;
    if (bytes.length - (data.end - data.start) > MAX_CONTROL_BYTES) return this.#withoutPicture();
    let rest: unknown;
    try {
      rest = JSON.parse(bytes.toString('utf8', 0, data.start) + bytes.toString('utf8', data.end, bytes.length));
    } catch {
      throw invalid('message: a text message must be JSON');
    }
    if (!isMap(rest) || rest['type'] !== 'video-frame') return false;
    if (rest['data'] !== '') throw invalid('data: appears twice');
    this.#setHead(rest['streamId'], rest['timestamp']);
    this.#rest = rest;
    this.#checkBase64();
    return true;
  }

  /** No picture was found in this text. If the message calls itself a frame, something is wrong with it: say what. */
  #withoutPicture(): false {
    if (this.bytes.length > MAX_CONTROL_BYTES) return false;
    const map = decodeMap(this.bytes, 'json');
    if (map['type'] !== 'video-frame') return false;
    this.#setHead(map['streamId'], map['timestamp']);
    if (typeof map['data'] === 'string') throw invalid('data: appears twice');
    throw invalid(map['data'] === undefined ? 'data: required' : 'data: must be base64 text');
  }

  #setHead(streamId: unknown, timestamp: unknown): void {
    if (typeof streamId !== 'string' || streamId === '') throw invalid('streamId: required, a string');
    if (typeof timestamp !== 'number') throw invalid('timestamp: required, a number (ms since the epoch)');
    this.streamId = streamId;
    this.timestamp = timestamp;
  }

  #stringAt(at: number): string | undefined {
    return readStringSpan(this.bytes, at, this.#span)
      ? this.bytes.toString('utf8', this.#span.start, this.#span.end)
      : undefined;
  }

  #checkFieldsSize(): void {
    if (this.bytes.length - (this.#dataEnd - this.#dataStart) > MAX_CONTROL_BYTES) {
      throw invalid(`message: the fields beside data end at ${MAX_CONTROL_BYTES} bytes`);
    }
  }

  #checkBase64(): void {
    const { bytes } = this;
    const backslash = bytes.indexOf(0x5c, this.#dataStart);
    if (backslash !== -1 && backslash < this.#dataEnd) {
      this.#unescaped = unescaped(bytes.toString('latin1', this.#dataStart, this.#dataEnd));
      checkBase64Shape(Buffer.from(this.#unescaped, 'latin1'), 0, this.#unescaped.length);
    } else {
      checkBase64Shape(bytes, this.#dataStart, this.#dataEnd);
    }
  }

  #decodeBase64(): Buffer {
    const text = this.#unescaped ?? this.bytes.toString('latin1', this.#dataStart, this.#dataEnd);
    const jpeg = Buffer.from(text, 'base64');
    // Node skips what is not base64, so the decoded length tells whether everything was.
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
    if (jpeg.length !== (text.length / 4) * 3 - padding) throw invalid('data: not base64 (RFC 4648, no line breaks)');
    return jpeg;
  }

  #toJson(): string {
    const base64 = this.bytes.toString('base64', this.#dataStart, this.#dataEnd);
    const head = `{"type":"video-frame","streamId":${JSON.stringify(this.streamId)},"timestamp":${this.timestamp}`;
    // Base64 needs no escaping, so it is spliced in: JSON.stringify would look at each of its characters.
    return `${head}${this.#pairs > KNOWN_FIELDS ? this.#extraJson() : ''},"data":"${base64}"}`;
  }

  #extraJson(): string {
    const { type, streamId, timestamp, data, ...extra } = decodeMap(new Uint8Array(this.bytes), 'msgpack');
    return passOn(() => {
      const json = JSON.stringify(extra, (_key, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
      );
      return json === '{}' ? '' : `,${json.slice(1, -1)}`;
    });
  }

  #toMsgpack(): Uint8Array {
    const message = { ...this.#rest, data: this.jpeg() };
    this.#encoder ??= new Encoder();
    const encoder = this.#encoder;
    return passOn(() => encoder.encodeSharedRef(message));
  }
}

const EMPTY = Buffer.alloc(0);
const NO_FIELDS: Record<string, unknown> = {};
const PAD = 0x3d;
/** `type`, `streamId`, `data`, `timestamp`. */
const KNOWN_FIELDS = 4;

function once<T>(field: string, earlier: T | undefined, value: T | undefined): T | undefined {
  if (earlier !== undefined) throw invalid(`${field}: appears twice`);
  return value;
}

/** Undoes JSON escapes; the text cannot hold an unescaped quote, since that ended it. */
function unescaped(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    throw invalid('message: a text message must be JSON');
  }
}

/** Unknown fields are passed on as they are; what the other encoding cannot express is the encoder's mistake. */
function passOn<T>(encode: () => T): T {
  try {
    return encode();
  } catch {
    throw invalid('message: its extra fields nest too deep to be passed on');
  }
}

/** FF D8 starts every JPEG, so its base64 starts with `/9` and one of g, h, i, j. */
function checkBase64Shape(text: Uint8Array, start: number, end: number): void {
  const length = end - start;
  if (length === 0) throw invalid('data: must not be empty');
  if (text[start] !== 0x2f || text[start + 1] !== 0x39 || !isBetween(text[start + 2], 0x67, 0x6a)) {
    throw invalid('data: must be a JPEG in base64 (it starts with /9j/)');
  }
  const padding = text[end - 1] !== PAD ? 0 : text[end - 2] !== PAD ? 1 : 2;
  if (length % 4 !== 0 || text[end - 1 - padding] === PAD || (padding === 0 && text[end - 2] === PAD)) {
    throw invalid('data: not base64 (a length that is a multiple of 4, padded with at most two =, no line breaks)');
  }
}

function isBetween(byte: number | undefined, low: number, high: number): boolean {
  return byte !== undefined && byte >= low && byte <= high;
}
