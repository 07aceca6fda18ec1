import { invalid } from './errors.ts';

/**
 * Finds the `data` text of a JSON frame without parsing it: `JSON.parse` of a 34 KB frame's text costs more than sending it.
 * Only the top level is looked at, and only enough to find that one string; what lies around it still goes through
 * `JSON.parse`. What is inside the string is the caller's to check.
 */

/**
 * `[start, end)` of the text between the quotes, or undefined when there is no top-level string `data`, or more than `maxBesideBytes`
 * beside it.
 * @throws ProtocolError `INVALID_MESSAGE` when a field of a frame appears twice: parsers disagree about which one counts.
 */
export function findDataText(bytes: Buffer, maxBesideBytes: number): { start: number; end: number } | undefined {
  let found: { start: number; end: number } | undefined;
  let besideBytes = 0;
  const seen = new Set<string>();
  let at = skipSpace(bytes, 0);
  if (bytes[at] !== OPEN_BRACE) return undefined;
  at = skipSpace(bytes, at + 1);
  while (bytes[at] === QUOTE) {
    const pairStart = at;
    const keyEnd = endOfString(bytes, at);
    if (keyEnd === -1) return undefined;
    const key = fieldName(bytes, at + 1, keyEnd);
    if (key !== undefined && seen.has(key)) throw invalid(`${key}: appears twice`);
    if (key !== undefined) seen.add(key);
    at = skipSpace(bytes, keyEnd + 1);
    if (bytes[at] !== COLON) return undefined;
    at = skipSpace(bytes, at + 1);
    const valueEnd = endOfValue(bytes, at);
    if (valueEnd === -1) return undefined;
    if (key === 'data') {
      if (bytes[at] !== QUOTE) return undefined;
      found = { start: at + 1, end: valueEnd - 1 };
    } else {
      besideBytes += valueEnd - pairStart;
      if (besideBytes > maxBesideBytes) return undefined;
    }
    at = skipSpace(bytes, valueEnd);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return found;
}

/** The field of a frame that a key names, whether or not it is written with escapes; undefined for any other key. */
function fieldName(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start > LONGEST_ESCAPED_FIELD) return undefined;
  const key = bytes.toString('latin1', start, end);
  if (FIELDS.has(key)) return key;
  if (!key.includes('\\')) return undefined;
  try {
    const name = JSON.parse(`"${key}"`) as string;
    return FIELDS.has(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

const FIELDS: ReadonlySet<string> = new Set(['type', 'streamId', 'data', 'timestamp']);
/** `timestamp` with every character as `\u0000`. */
const LONGEST_ESCAPED_FIELD = 9 * 6;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;

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
