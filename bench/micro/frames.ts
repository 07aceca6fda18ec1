import { encode } from '@msgpack/msgpack';
import type { Encoding } from '../../proto/codec.ts';

/** As long as the ids a router generates. */
export const STREAM_ID = 'stream_0123456789abcdef0123456789abcdef';

const BYTES_PER_KB = 1000;
const CAPTURED_AT_MS = 1_729_943_200_000;

/** A `video-frame` as an encoder holds it before it writes it. */
export interface PlainFrame {
  type: 'video-frame';
  streamId: string;
  timestamp: number;
  data: Buffer;
}

/**
 * A frame with a picture of `jpegKb` × 1000 bytes. It starts as a JPEG does. The rest is noise, the same in each run,
 * since compressed data looks like noise: one in 64 characters of its base64 is then a `/`, which some encoders escape.
 */
export function plainFrame(jpegKb: number): PlainFrame {
  const data = Buffer.alloc(jpegKb * BYTES_PER_KB);
  let state = 0x9e3779b9;
  for (let at = 0; at < data.length; at += 1) {
    // Marsaglia's xorshift32.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    data[at] = state & 0xff;
  }
  data.set([0xff, 0xd8, 0xff, 0xe0]);
  return { type: 'video-frame', streamId: STREAM_ID, timestamp: CAPTURED_AT_MS, data };
}

/** As an encoder writes it. */
export function writeMsgpack(frame: PlainFrame): Uint8Array {
  return encode(frame);
}

/** As an encoder writes it. */
export function writeJson(frame: PlainFrame): string {
  return JSON.stringify({ ...frame, data: frame.data.toString('base64') });
}

/** The whole message, in memory of its own. */
export function frameMessage(jpegKb: number, encoding: Encoding): Buffer {
  const frame = plainFrame(jpegKb);
  return encoding === 'msgpack' ? Buffer.from(writeMsgpack(frame)) : Buffer.from(writeJson(frame));
}
