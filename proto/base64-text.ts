import { invalid, type ProtocolError } from './errors.ts';

/** The picture of a JSON frame as it stands in the message: what is looked at on every frame without decoding it, and the way to bytes and back. */

/** A JPEG's start and its end marker. */
export const SMALLEST_JPEG_BYTES = 4;
/** `=` */
const PAD = 0x3d;

/** FF D8 starts every JPEG, so its base64 starts with `/9` and one of g, h, i, j. */
export function checkBase64Shape(text: Uint8Array, start: number, end: number): void {
  const length = end - start;
  if (length === 0) throw invalid('data: must not be empty');
  if (text[start] !== 0x2f || text[start + 1] !== 0x39 || !isBetween(text[start + 2], 0x67, 0x6a)) {
    throw invalid('data: must be a JPEG in base64 (it starts with /9j/)');
  }
  const padding = paddingOf(text, end);
  if (length % 4 !== 0 || text[end - 1 - padding] === PAD || (padding === 0 && text[end - 2] === PAD)) {
    throw invalid('data: not base64 (a length that is a multiple of 4, padded with at most two =, no line breaks)');
  }
  if ((length / 4) * 3 - padding < SMALLEST_JPEG_BYTES) throw invalid('data: too short for a JPEG');
}

function isBetween(byte: number | undefined, low: number, high: number): boolean {
  return byte !== undefined && byte >= low && byte <= high;
}

/** Encoders that wrap base64 do so after 64 or 76 characters; none is known to after more than this. */
const LONGEST_LINE = 128;

/**
 * Line breaks that were not escaped: they make the text no JSON at all, and every viewer's parser throw. Careless encoders write one
 * after each line of base64, so the first line tells. To look for control characters in all of the text took 1.6 µs of the 36 that a
 * 34 KB frame costs (100 JSON streams to a viewer each, `perf record`); like the rest of the alphabet they are left to whoever decodes it.
 * @throws ProtocolError `INVALID_MESSAGE`.
 */
export function checkFirstLine(bytes: Uint8Array, start: number, end: number): void {
  const lineEnd = Math.min(end, start + LONGEST_LINE);
  for (let at = start; at < lineEnd; at += 1) {
    if ((bytes[at] as number) < 0x20) {
      throw invalid('message: a text message must be JSON (a control character in data)');
    }
  }
}

/** In one go the text of a frame of 100 KB lands among V8's large objects, and takes three times as long. */
const PIECE_BYTES = 48 * 1024;
const BACKSLASH = 0x5c;

/**
 * Undoes JSON escapes; the text cannot hold an unescaped quote, since that ended it. Nearly always they are `\/`, as Swift and PHP
 * write base64; any other goes through `JSON.parse`. 40 µs for 34 KB of JPEG (`npm run bench:micro -- --only codec`).
 */
export function unescaped(bytes: Buffer, start: number, end: number): Buffer {
  const text = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let at = start; at < end; ) {
    let pieceEnd = Math.min(at + PIECE_BYTES, end);
    // An escape stays whole.
    if (bytes[pieceEnd - 1] === BACKSLASH && pieceEnd < end) pieceEnd += 1;
    const piece = bytes.toString('latin1', at, pieceEnd).replaceAll('\\/', '/');
    if (piece.includes('\\')) return unescapedByParser(bytes, start, end);
    length += text.write(piece, length, 'latin1');
    at = pieceEnd;
  }
  return text.subarray(0, length);
}

function unescapedByParser(bytes: Buffer, start: number, end: number): Buffer {
  try {
    // As UTF-8, so that no character beyond ASCII can pass for one of base64.
    return Buffer.from(JSON.parse(`"${bytes.toString('utf8', start, end)}"`) as string);
  } catch {
    throw invalid('message: a text message must be JSON');
  }
}

/**
 * Pictures cross between bytes and base64 in pieces. In one go the text of more than 96 KB of JPEG lands among V8's large objects: 100 KB
 * to JSON took 97 µs, in pieces 15; from JSON 101 and 16 (`npm run bench:micro -- --only codec`). Each piece stands for itself: a multiple of 3
 * bytes, of 4 characters.
 */
const JPEG_PIECE = 48 * 1024;
const BASE64_PIECE = 64 * 1024;

/** How many bytes a base64 text stands for, if all of it is base64. */
export function decodedLength(text: Uint8Array): number {
  return (text.length / 4) * 3 - paddingOf(text, text.length);
}

/**
 * Decodes a text whose shape was checked. `into` has room for `decodedLength`.
 * @throws ProtocolError `INVALID_MESSAGE` when a character of it is none of base64.
 */
export function decodeInto(into: Buffer, text: Buffer): void {
  let length = 0;
  for (let at = 0; at < text.length; at += BASE64_PIECE) {
    const piece = text.toString('latin1', at, Math.min(at + BASE64_PIECE, text.length));
    length += into.write(piece, length, 'base64');
    // Node takes the URL alphabet, too.
    if (piece.includes('-') || piece.includes('_')) throw notBase64();
  }
  // And it skips what is not base64, so the decoded length tells whether everything was.
  if (length !== decodedLength(text)) throw notBase64();
}

/** Writes `[start, end)` of a picture as base64 into `into`, from `at` on. Answers where the text ends. */
export function encodeInto(into: Buffer, at: number, picture: Buffer, start: number, end: number): number {
  let written = at;
  for (let from = start; from < end; from += JPEG_PIECE) {
    const piece = picture.toString('base64', from, Math.min(from + JPEG_PIECE, end));
    written += into.write(piece, written, 'latin1');
  }
  return written;
}

function paddingOf(text: Uint8Array, end: number): number {
  return text[end - 1] !== PAD ? 0 : text[end - 2] !== PAD ? 1 : 2;
}

function notBase64(): ProtocolError {
  return invalid('data: not base64 (RFC 4648, no line breaks)');
}
