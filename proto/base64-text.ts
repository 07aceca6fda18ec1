import { invalid } from './errors.ts';

/** The picture of a JSON frame as it stands in the message: what is looked at on every frame, without decoding it. */

/** A JPEG's start and its end marker. */
export const SMALLEST_JPEG_BYTES = 4;
/** `=` */
export const PAD = 0x3d;

/** FF D8 starts every JPEG, so its base64 starts with `/9` and one of g, h, i, j. */
export function checkBase64Shape(text: Uint8Array, start: number, end: number): void {
  const length = end - start;
  if (length === 0) throw invalid('data: must not be empty');
  if (text[start] !== 0x2f || text[start + 1] !== 0x39 || !isBetween(text[start + 2], 0x67, 0x6a)) {
    throw invalid('data: must be a JPEG in base64 (it starts with /9j/)');
  }
  const padding = text[end - 1] !== PAD ? 0 : text[end - 2] !== PAD ? 1 : 2;
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
