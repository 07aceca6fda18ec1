import { ExtData } from '@msgpack/msgpack';
import * as z from 'zod';
import { MAX_METADATA_DEPTH } from './limits.ts';

/**
 * Free-form `metadata`, made plain: what comes out can be written in both encodings and holds no view into the message
 * it came from (decoded MessagePack `bin` is such a view, and the socket library takes that memory back).
 * `bin` becomes base64 text, MessagePack timestamps become ISO text, numbers JSON cannot write become `null`.
 */
export const metadataSchema = z.custom<Record<string, unknown>>(isMap, 'must be a map').transform((value, context) => {
  try {
    return plain(value, 1) as Record<string, unknown>;
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** Whether `value` is what both encodings call a map (object), and not an array, binary, date or extension. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date) &&
    !(value instanceof ExtData)
  );
}

/**
 * A copy of `value` that both encodings can write and every client can read.
 * Left out: keys named `__proto__` (MessagePack decoders refuse the whole message for one). Mended: half of a surrogate pair (it has no
 * UTF-8). `depth` counts from 1 for the outermost map.
 * @throws Error in words for the client's author: nested too deep, or an extension type.
 */
export function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'object' || value === null) return value ?? null;
  if (depth > MAX_METADATA_DEPTH) throw new Error(`must not nest deeper than ${MAX_METADATA_DEPTH}`);
  if (value instanceof Uint8Array) return toBase64(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof ExtData) throw new Error('must not hold MessagePack extension types');
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__');
  return Object.fromEntries(entries.map(([key, item]) => [key.toWellFormed(), plain(item, depth + 1)]));
}

/** Base64 without Node's Buffer, since browsers import this file too. Metadata is small; frames do not come here. */
function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
