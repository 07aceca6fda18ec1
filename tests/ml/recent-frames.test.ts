import { expect, test } from 'vitest';
import { PICTURE_OVERHEAD_BYTES } from '../../src/ml/picture-bytes.ts';
import { RecentFrames } from '../../src/ml/recent-frames.ts';

const frame = (seq: number, bytes = 10) => ({
  seq,
  timestamp: 1_700_000_000_000 + seq,
  takenAtMs: seq,
  jpeg: new Uint8Array(bytes).fill(seq),
});

test('a frame is found by its number, and by when it was captured, among those of its stream alone', () => {
  const recent = new RecentFrames(1_000_000);
  recent.begin('door');
  for (const seq of [1, 2, 3]) recent.keep('door', frame(seq));
  expect(recent.find({ streamId: 'door', seq: 2 })?.jpeg[0]).toBe(2);
  expect(recent.find({ streamId: 'door', timestamp: 1_700_000_000_003 })?.seq).toBe(3);
  // The number is the surer one.
  expect(recent.find({ streamId: 'door', seq: 1, timestamp: 1_700_000_000_003 })?.seq).toBe(1);
  expect(recent.find({ streamId: 'yard', seq: 2 })).toBeUndefined();
  expect(recent.find({ streamId: 'door' })).toBeUndefined();
  expect(recent.find({ streamId: 'door', seq: 4 })).toBeUndefined();
});

test('they take so much memory and no more, the oldest go first, and each stays as it was', () => {
  const recent = new RecentFrames(10 * (10 + PICTURE_OVERHEAD_BYTES));
  recent.begin('door');
  const first = frame(1);
  recent.keep('door', first);
  first.jpeg.fill(99);
  expect(recent.find({ streamId: 'door', seq: 1 })?.jpeg[0]).toBe(1);
  for (let seq = 2; seq <= 11; seq += 1) recent.keep('door', frame(seq));
  const kept = Array.from({ length: 11 }, (_, index) => recent.find({ streamId: 'door', seq: index + 1 })?.seq);
  expect(kept).toEqual([undefined, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('of pictures as small as a camera may send no more are kept than the memory holds with all that belongs to each', () => {
  const recent = new RecentFrames(50 * PICTURE_OVERHEAD_BYTES);
  recent.begin('door');
  for (let seq = 1; seq <= 1_000; seq += 1) recent.keep('door', frame(seq, 4));
  const kept = (hint: (seq: number) => object) =>
    Array.from({ length: 1_000 }, (_, index) => recent.find({ streamId: 'door', ...hint(index + 1) })?.seq).filter(
      (seq) => seq !== undefined,
    );
  const newest = Array.from({ length: 49 }, (_, index) => 952 + index);
  expect(kept((seq) => ({ seq }))).toEqual(newest);
  expect(kept((seq) => ({ timestamp: 1_700_000_000_000 + seq }))).toEqual(newest);
});

test('of two frames that were captured in the same moment the later one is found, also when the earlier one is gone', () => {
  const recent = new RecentFrames(2 * (10 + PICTURE_OVERHEAD_BYTES));
  recent.begin('door');
  const moment = { streamId: 'door', timestamp: 5 };
  recent.keep('door', { ...frame(1), timestamp: 5 });
  recent.keep('door', { ...frame(2), timestamp: 5 });
  expect(recent.find(moment)?.seq).toBe(2);
  recent.keep('door', frame(3));
  expect(recent.find(moment)?.seq).toBe(2);
  recent.keep('door', frame(4));
  expect(recent.find(moment)).toBeUndefined();
});

test('the next stream of a name is not shown the pictures of the last one, which may have been another user’s', () => {
  const recent = new RecentFrames(1_000_000);
  recent.begin('door');
  recent.keep('door', frame(1));
  recent.end('door');
  expect(recent.find({ streamId: 'door', seq: 1 })).toBeUndefined();
  // An answer that was still under way.
  recent.keep('door', frame(2));
  recent.begin('door');
  for (const seq of [1, 2]) expect(recent.find({ streamId: 'door', seq })).toBeUndefined();
  expect(recent.find({ streamId: 'door', timestamp: 1_700_000_000_001 })).toBeUndefined();
  recent.keep('door', frame(1));
  expect(recent.find({ streamId: 'door', seq: 1 })?.jpeg[0]).toBe(1);
});
