import { describe, expect, test } from 'vitest';
import { PICTURE_OVERHEAD_BYTES } from '../../src/ml/picture-bytes.ts';
import { WatchedFrames } from '../../src/ml/watched-frames.ts';
import type { FrameTap } from '../../src/router/ports.ts';

const STREAM = { id: 'gate', metadata: {} };
const picture = (number: number, bytes = 4) => new Uint8Array(bytes).fill(number);

function world(maxBytes = 1_000_000) {
  const inner = { wanted: false, taken: [] as number[], closed: 0 };
  const tap: FrameTap = {
    fps: 7,
    open: () => ({
      wants: () => inner.wanted,
      take: (_jpeg, _timestamp, seq) => void inner.taken.push(seq),
      close: () => {
        inner.closed += 1;
      },
    }),
  };
  const watched = new Set<string>();
  const frames = new WatchedFrames({ tap, isWatched: (streamId) => watched.has(streamId), maxBytes });
  return { inner, watched, frames };
}

describe('frames of streams that an ML service watches', () => {
  test('are kept, and found by when they were captured', () => {
    const { watched, frames } = world();
    watched.add('gate');
    const tap = frames.open(STREAM, 0);
    const jpeg = picture(1);
    expect(tap.wants(10)).toBe(true);
    tap.take(jpeg, 1000.5, 1, 10);
    // The memory is taken back.
    jpeg.fill(9);
    expect(frames.find({ streamId: 'gate', timestamp: 1000.5 })).toEqual({
      seq: 1,
      timestamp: 1000.5,
      takenAtMs: 10,
      jpeg: picture(1),
    });
    expect(frames.find({ streamId: 'gate', timestamp: 1000 })).toBeUndefined();
    expect(frames.find({ streamId: 'yard', timestamp: 1000.5 })).toBeUndefined();
    expect(frames.find({ streamId: 'gate' })).toBeUndefined();
  });

  test('are taken for it alone: who samples for another place gets what it wants, and only that', () => {
    const { inner, watched, frames } = world();
    const tap = frames.open(STREAM, 0);
    const offer = (seq: number) => {
      const wants = tap.wants(seq);
      if (wants) tap.take(picture(seq), seq, seq, seq);
      return wants;
    };
    expect(offer(1)).toBe(false);
    inner.wanted = true;
    expect(offer(2)).toBe(true);
    watched.add('gate');
    expect(offer(3)).toBe(true);
    inner.wanted = false;
    expect(offer(4)).toBe(true);
    expect(inner.taken).toEqual([2, 3]);
    expect([1, 2, 3, 4].map((timestamp) => frames.find({ streamId: 'gate', timestamp })?.seq)).toEqual([
      undefined,
      undefined,
      3,
      4,
    ]);
    expect(frames.fps).toBe(7);
  });

  test.each([4, 100])(
    'of %i bytes take no more memory than they may, with all that belongs to each: the oldest go',
    (bytes) => {
      const { watched, frames } = world(10 * (bytes + PICTURE_OVERHEAD_BYTES));
      watched.add('gate');
      const tap = frames.open(STREAM, 0);
      for (let seq = 1; seq <= 20; seq += 1) {
        expect(tap.wants(seq)).toBe(true);
        tap.take(picture(seq, bytes), seq, seq, seq);
      }
      const kept = Array.from({ length: 20 }, (_, index) => index + 1).filter(
        (timestamp) => frames.find({ streamId: 'gate', timestamp }) !== undefined,
      );
      expect(kept).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    },
  );

  test('are not the next stream’s of that name', () => {
    const { inner, watched, frames } = world();
    watched.add('gate');
    const first = frames.open(STREAM, 0);
    first.wants(1);
    first.take(picture(1), 5, 1, 1);
    first.close();
    expect(frames.find({ streamId: 'gate', timestamp: 5 })).toBeUndefined();
    frames.open(STREAM, 2);
    expect(frames.find({ streamId: 'gate', timestamp: 5 })).toBeUndefined();
    expect(inner.closed).toBe(1);
  });
});
