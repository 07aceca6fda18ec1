import { invalid, type ProtocolError } from './errors.ts';

/**
 * Walking over MessagePack bytes without building values: what the frame path needs (a frame's head costs a few dozen
 * bytes, however large its picture) and what must happen before a library may decode hostile bytes.
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** @throws ProtocolError `INVALID_MESSAGE` unless `bytes` is exactly one complete MessagePack value, of at most `maxValues` in all: keys count, too. */
export function checkWellFormed(bytes: Uint8Array, maxValues = Number.POSITIVE_INFINITY): void {
  if (skipValue(bytes, 0, maxValues) !== bytes.length) throw malformed('bytes after the end of the map');
}

/**
 * The offset just after the value that starts at `start`. Iterative: nesting costs no stack. Every element must really be
 * there, so a container that claims more than the bytes hold is refused before anything is allocated for it. One that claims more
 * than `maxValues` is not even walked.
 * @throws ProtocolError `INVALID_MESSAGE` for a truncated value, the unused type byte 0xc1, or too many values.
 */
export function skipValue(bytes: Uint8Array, start: number, maxValues = Number.POSITIVE_INFINITY): number {
  let at = start;
  let walked = 0;
  let claimed = 1;
  while (walked < claimed) {
    if (at >= bytes.length) throw malformed('it ends early');
    walked += 1;
    const type = bytes[at] as number;
    at += 1;
    if (type <= 0x7f || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) continue;
    if (type <= 0x8f) claimed += 2 * (type & 0x0f);
    else if (type <= 0x9f) claimed += type & 0x0f;
    else if (type <= 0xbf) at += type & 0x1f;
    else {
      const form = FORMS[type];
      if (form === undefined) throw malformed('the type byte 0xc1 is unused');
      const size = form.lengthBytes === 0 ? 0 : readUint(bytes, at, form.lengthBytes);
      at += form.lengthBytes + form.fixedBytes + size * form.bytesPerUnit;
      claimed += size * form.valuesPerUnit;
    }
    if (at > bytes.length) throw malformed('it ends early');
    if (claimed > maxValues) throw invalid(`message: more than ${maxValues} values`);
  }
  return at;
}

/** Where the content of a string or binary lies: `[start, end)`. Reused by its owner, since frames are many. */
export interface Span {
  start: number;
  end: number;
}

/** Reads the span of a `str` at `at` into `span`; false when something else is there. The span may end past the bytes. */
export function readStringSpan(bytes: Uint8Array, at: number, span: Span): boolean {
  const type = bytes[at] as number;
  if (type >= 0xa0 && type <= 0xbf) return setSpan(span, at + 1, type & 0x1f);
  if (type >= 0xd9 && type <= 0xdb) return readSizedSpan(bytes, at, 1 << (type - 0xd9), span);
  return false;
}

/** Reads the span of a `bin` at `at` into `span`; false when something else is there. The span may end past the bytes. */
export function readBinarySpan(bytes: Uint8Array, at: number, span: Span): boolean {
  const type = bytes[at] as number;
  return type >= 0xc4 && type <= 0xc6 && readSizedSpan(bytes, at, 1 << (type - 0xc4), span);
}

/** How many pairs the map at `at` has and where its first key is; undefined when no map is there. */
export function readMapHeader(bytes: Uint8Array): { pairs: number; firstKey: number } | undefined {
  const type = bytes[0];
  if (type === undefined) return undefined;
  if (type >= 0x80 && type <= 0x8f) return { pairs: type & 0x0f, firstKey: 1 };
  if (type === 0xde) return { pairs: readUint(bytes, 1, 2), firstKey: 3 };
  if (type === 0xdf) return { pairs: readUint(bytes, 1, 4), firstKey: 5 };
  return undefined;
}

const UINT8 = 0xcc;
const UINT64 = 0xcf;

/** The finite number at `at`, in any of MessagePack's number types; undefined when something else is there. */
export function readNumber(bytes: Uint8Array, at: number): number | undefined {
  const type = bytes[at] as number;
  if (type <= 0x7f) return type;
  if (type >= 0xe0) return type - 0x100;
  const width = NUMBER_BYTES[type];
  if (width === undefined || at + 1 + width > bytes.length) return undefined;
  if (type >= UINT8 && type <= UINT64) {
    const value = readUint(bytes, at + 1, width);
    if (value <= Number.MAX_SAFE_INTEGER) return value;
  }
  // Byte by byte: a view for eight bytes would cost more than reading all the rest of the head.
  for (let i = 0; i < 8; i += 1) scratchBytes[i] = i < width ? (bytes[at + 1 + i] as number) : 0;
  const value = NUMBER_READERS[type]?.();
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

function readSizedSpan(bytes: Uint8Array, at: number, lengthBytes: number, span: Span): boolean {
  return setSpan(span, at + 1 + lengthBytes, readUint(bytes, at + 1, lengthBytes));
}

function setSpan(span: Span, start: number, length: number): true {
  span.start = start;
  span.end = start + length;
  return true;
}

function readUint(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) throw malformed('it ends early');
  let value = 0;
  for (let index = at; index < at + width; index += 1) value = value * 256 + (bytes[index] as number);
  return value;
}

function malformed(problem: string): ProtocolError {
  return invalid(`message: a binary message must be MessagePack (${problem})`);
}

interface Form {
  lengthBytes: number;
  fixedBytes: number;
  bytesPerUnit: number;
  valuesPerUnit: number;
}

function form(lengthBytes: number, fixedBytes: number, bytesPerUnit = 0, valuesPerUnit = 0): Form {
  return { lengthBytes, fixedBytes, bytesPerUnit, valuesPerUnit };
}

/** The types with a length field or a fixed body: 0xc4 (bin8) to 0xdf (map32). */
const FORMS: Readonly<Record<number, Form>> = {
  196: form(1, 0, 1),
  197: form(2, 0, 1),
  198: form(4, 0, 1),
  199: form(1, 1, 1),
  200: form(2, 1, 1),
  201: form(4, 1, 1),
  202: form(0, 4),
  203: form(0, 8),
  204: form(0, 1),
  205: form(0, 2),
  206: form(0, 4),
  207: form(0, 8),
  208: form(0, 1),
  209: form(0, 2),
  210: form(0, 4),
  211: form(0, 8),
  212: form(0, 2),
  213: form(0, 3),
  214: form(0, 5),
  215: form(0, 9),
  216: form(0, 17),
  217: form(1, 0, 1),
  218: form(2, 0, 1),
  219: form(4, 0, 1),
  220: form(2, 0, 0, 1),
  221: form(4, 0, 0, 1),
  222: form(2, 0, 0, 2),
  223: form(4, 0, 0, 2),
};

const scratch = new DataView(new ArrayBuffer(8));
const scratchBytes = new Uint8Array(scratch.buffer);
const NUMBER_BYTES: Readonly<Record<number, number>> = {
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
};
const NUMBER_READERS: Readonly<Record<number, () => number>> = {
  202: () => scratch.getFloat32(0),
  203: () => scratch.getFloat64(0),
  204: () => scratch.getUint8(0),
  205: () => scratch.getUint16(0),
  206: () => scratch.getUint32(0),
  207: () => Number(scratch.getBigUint64(0)),
  208: () => scratch.getInt8(0),
  209: () => scratch.getInt16(0),
  210: () => scratch.getInt32(0),
  211: () => Number(scratch.getBigInt64(0)),
};
