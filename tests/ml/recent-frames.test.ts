import { expect, test } from 'vitest';
import { RecentFrames } from '../../src/ml/recent-frames.ts';

const frame = (seq: number, bytes = 10) => ({
  seq,
  timestamp: 1_700_000_000_000 + seq,
  takenAtMs: seq,
  jpeg: new Uint8Array(bytes).fill(seq),
});

test('a frame is found by its number, and by when it was captured, among those of its stream alone', () => {
  const recent = new RecentFrames(1_000);
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
  const recent = new RecentFrames(100);
  recent.begin('door');
  const first = frame(1);
  recent.keep('door', first);
  first.jpeg.fill(99);
  expect(recent.find({ streamId: 'door', seq: 1 })?.jpeg[0]).toBe(1);
  for (let seq = 2; seq <= 11; seq += 1) recent.keep('door', frame(seq));
  const kept = Array.from({ length: 11 }, (_, index) => recent.find({ streamId: 'door', seq: index + 1 })?.seq);
  expect(kept).toEqual([undefined, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('the next stream of a name is not shown the pictures of the last one, which may have been another user’s', () => {
  const recent = new RecentFrames(1_000);
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
