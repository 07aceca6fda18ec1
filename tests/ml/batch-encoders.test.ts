import { encode } from '@msgpack/msgpack';
import { expect, test } from 'vitest';
import { BatchEncoders } from '../../src/ml/batch-encoders.ts';
import type { SampledFrame } from '../../src/ml/transport.ts';

function frames(count: number, bytes: number, filler: number): SampledFrame[] {
  return Array.from({ length: count }, (_, seq) => ({
    streamId: `stream-${seq}`,
    timestamp: 1_729_943_200_000 + seq,
    seq,
    data: new Uint8Array(bytes).fill(filler),
  }));
}

/** As a fresh encoder writes it. `toEqual` would take half a minute to look at these megabytes. */
function isBatchOf(bytes: Uint8Array, batch: readonly SampledFrame[]): boolean {
  return Buffer.from(encode({ frames: batch })).equals(bytes);
}

test('a batch whose request is still under way is not written over by the next one', () => {
  const encoders = new BatchEncoders(4);
  const first = encoders.encode(frames(16, 34_000, 1));
  const second = encoders.encode(frames(16, 34_000, 2));
  expect(isBatchOf(first.bytes, frames(16, 34_000, 1))).toBe(true);
  expect(isBatchOf(second.bytes, frames(16, 34_000, 2))).toBe(true);
});

test('a batch in used memory holds its own frames and nothing of the one before, larger or smaller', () => {
  const encoders = new BatchEncoders(4);
  for (const [count, bytes] of [
    [16, 34_000],
    [1, 2_000],
    [16, 34_000],
    [16, 400_000],
    [3, 10],
  ] as const) {
    const body = encoders.encode(frames(count, bytes, count));
    expect(isBatchOf(body.bytes, frames(count, bytes, count))).toBe(true);
    body.release();
  }
});

test('a steady service is sent its batches from the same memory', () => {
  const encoders = new BatchEncoders(1);
  const first = encoders.encode(frames(16, 34_000, 1));
  first.release();
  const second = encoders.encode(frames(16, 35_000, 2));
  expect(second.bytes.buffer).toBe(first.bytes.buffer);
});
