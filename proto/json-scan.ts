import { invalid } from './errors.ts';
import { ALL_FRAME_FIELDS, DATA, FRAME_FIELDS, type FrameField, fieldAt, STREAM_ID, TYPE } from './frame-fields.ts';

/**
 * Finds the `data` text of a JSON frame without parsing it: `JSON.parse` of a 34 KB frame's text costs more than sending it.
 * Only the top level is looked at, and only enough to find that one string; what lies around it still goes through
 * `JSON.parse`. What is inside the string is the caller's to check.
 */

/** Where the fields of a frame are: `[start, end)` of their values, strings with their quotes. Reused from message to message. */
export class JsonSpans {
  typeStart = 0;
  typeEnd = 0;
  streamIdStart = 0;
  streamIdEnd = 0;
  timestampStart = 0;
  timestampEnd = 0;
  /** Of the text between the quotes. */
  dataStart = 0;
  dataEnd = 0;
  /** The four fields of a frame, each once, and JSON around them without fault: what is left to check is the values of the other three. */
  isPlain = false;
}

/**
 * Finds the text of `data`, and the other fields of a frame beside it. False when there is no top-level string `data`, or more than
 * `maxBesideBytes` beside it.
 * @throws ProtocolError `INVALID_MESSAGE` when a field of a frame appears twice: parsers disagree about which one counts.
 */
export function findFrameFields(bytes: Buffer, maxBesideBytes: number, into: JsonSpans): boolean {
  let seen = 0;
  let besideBytes = 0;
  let isPlain = true;
  let at = skipSpace(bytes, 0);
  if (bytes[at] !== OPEN_BRACE) return false;
  at = skipSpace(bytes, at + 1);
  while (bytes[at] === QUOTE) {
    const pairStart = at;
    const keyEnd = endOfString(bytes, at);
    if (keyEnd === -1) return false;
    const field = fieldAt(bytes, at + 1, keyEnd) ?? escapedField(bytes, at + 1, keyEnd);
    at = skipSpace(bytes, keyEnd + 1);
    if (bytes[at] !== COLON) return false;
    at = skipSpace(bytes, at + 1);
    const valueEnd = endOfValue(bytes, at);
    if (valueEnd === -1) return false;
    if (field === undefined) isPlain = false;
    else {
      if ((seen & field.bit) !== 0) throw invalid(`${field.name}: appears twice`);
      seen |= field.bit;
    }
    if (field === DATA) {
      if (bytes[at] !== QUOTE) return false;
      into.dataStart = at + 1;
      into.dataEnd = valueEnd - 1;
    } else {
      besideBytes += valueEnd - pairStart;
      if (besideBytes > maxBesideBytes) return false;
      if (field !== undefined) note(into, field, at, valueEnd);
    }
    at = skipSpace(bytes, valueEnd);
    if (bytes[at] === COMMA) {
      at = skipSpace(bytes, at + 1);
      isPlain &&= bytes[at] === QUOTE;
    } else isPlain &&= bytes[at] === CLOSE_BRACE;
  }
  into.isPlain = isPlain && seen === ALL_FRAME_FIELDS && skipSpace(bytes, at + 1) === bytes.length;
  return (seen & DATA.bit) !== 0;
}

function note(into: JsonSpans, field: FrameField, start: number, end: number): void {
  if (field === TYPE) [into.typeStart, into.typeEnd] = [start, end];
  else if (field === STREAM_ID) [into.streamIdStart, into.streamIdEnd] = [start, end];
  else [into.timestampStart, into.timestampEnd] = [start, end];
}

/** `timestamp` with every character as `\u0000`. */
const LONGEST_ESCAPED_FIELD = 9 * 6;

/** Which field a key names that is written with escapes. */
function escapedField(bytes: Buffer, start: number, end: number): FrameField | undefined {
  if (end - start > LONGEST_ESCAPED_FIELD) return undefined;
  const key = bytes.toString('latin1', start, end);
  if (!key.includes('\\')) return undefined;
  try {
    const name = JSON.parse(`"${key}"`) as string;
    return FRAME_FIELDS.find((field) => field.name === name);
  } catch {
    return undefined;
  }
}

/** A string of printable ASCII without escapes, quotes included, as most ids are; undefined for any other value. */
export function readPlainString(bytes: Buffer, start: number, end: number): string | undefined {
  if (bytes[start] !== QUOTE) return undefined;
  for (let at = start + 1; at < end - 1; at += 1) {
    const byte = bytes[at] as number;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return undefined;
  }
  return bytes.toString('latin1', start + 1, end - 1);
}

/** More digits than this may be more than a double holds exactly. */
const MOST_DIGITS = 15;

/** A whole number without sign or exponent, as timestamps mostly are; undefined for any other value. */
export function readPlainInteger(bytes: Uint8Array, start: number, end: number): number | undefined {
  const digits = end - start;
  if (digits < 1 || digits > MOST_DIGITS || (digits > 1 && bytes[start] === ZERO)) return undefined;
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * Whether a JSON text may hold more than `limit` values, keys counted: at the first one too many it stops. What is in strings does not count, and an
 * empty map or list counts as two. What comes after a fault may be counted wrongly: no parser gets there.
 */
export function hasMoreValuesThan(bytes: Buffer, limit: number): boolean {
  let values = 1;
  for (let at = 0; at < bytes.length && values <= limit; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
      if (at === -1) return false;
    } else if (byte === COMMA || byte === COLON || byte === OPEN_BRACE || byte === OPEN_BRACKET) values += 1;
  }
  return values > limit;
}

/** Short strings are found faster by a loop than by a native call; a picture's text is far longer. */
const LOOP_BYTES = 48;

function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[at])
    at += 1;
  return at;
}

/** Index of the quote that closes the string opening at `from`, or -1. */
function endOfString(bytes: Buffer, from: number): number {
  const loopEnd = Math.min(bytes.length, from + 1 + LOOP_BYTES);
  for (let at = from + 1; at < loopEnd; at += 1) {
    if (bytes[at] === QUOTE && !isEscaped(bytes, at, from)) return at;
  }
  let at = bytes.indexOf(QUOTE, loopEnd);
  while (at !== -1 && isEscaped(bytes, at, from)) at = bytes.indexOf(QUOTE, at + 1);
  return at;
}

function isEscaped(bytes: Buffer, quote: number, stringStart: number): boolean {
  let backslashes = 0;
  for (let at = quote - 1; at > stringStart && bytes[at] === BACKSLASH; at -= 1) backslashes += 1;
  return backslashes % 2 === 1;
}

/** Index just after the value at `from`, or -1 when it does not end. */
function endOfValue(bytes: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
      if (at === -1) return -1;
      if (depth === 0) return at + 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (byte === COMMA && depth === 0) {
      return at;
    }
  }
  return -1;
}
