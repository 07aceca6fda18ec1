import { expect, test } from 'vitest';
import { Feed } from '../../src/client/feed.ts';
import { Frame } from '../../src/client/frame.ts';

const frame = (timestamp: number) => new Frame('gate', timestamp, 0, new Uint8Array(4));

/** A feed, what was acknowledged, and a page that takes frames when it is told to. */
function setUp({ window = 2, isSlow = false }: { window?: number; isSlow?: boolean }) {
  const acks: number[] = [];
  const handed: number[] = [];
  let take: () => void = () => undefined;
  const feed = new Feed({
    window,
    nowMs: () => 0,
    acknowledge: (_feed, received) => acks.push(received),
    hand: ({ timestamp }) => {
      handed.push(timestamp);
      if (!isSlow) return undefined;
      return new Promise((resolve) => {
        take = resolve;
      });
    },
  });
  const taken = async () => {
    take();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { feed, acks, handed, taken };
}

test('a quick page acknowledges each frame as it comes', () => {
  const { feed, acks, handed } = setUp({});
  for (const number of [1, 2, 3]) feed.take(frame(number), false);
  expect(acks).toEqual([1, 2, 3]);
  expect(handed).toEqual([1, 2, 3]);
});

test('a slow page acknowledges when it is done, and goes on with the newest that has come', async () => {
  const { feed, acks, handed, taken } = setUp({ window: 3, isSlow: true });
  for (const number of [1, 2, 3]) feed.take(frame(number), false);
  // The second one is given up for the third.
  expect(acks).toEqual([1]);
  await taken();
  expect(handed).toEqual([1, 3]);
  expect(acks).toEqual([1, 2]);
  await taken();
  expect(acks).toEqual([1, 2, 3]);
});

test('with one credit kept back, a window of two has one frame on its way', () => {
  const { feed, acks } = setUp({});
  feed.reserved = 1;
  feed.take(frame(1), false);
  expect(acks).toEqual([]);
  feed.take(frame(2), false);
  feed.take(frame(3), false);
  expect(acks).toEqual([1, 2]);
  feed.reserved = 0;
  feed.settle();
  expect(acks).toEqual([1, 2, 3]);
});

test('a frame that the page knows is acknowledged, and not shown twice', () => {
  const { feed, acks, handed } = setUp({});
  feed.take(frame(1), true);
  feed.take(frame(2), false);
  expect(handed).toEqual([2]);
  expect(acks).toEqual([1, 2]);
});

test('once its subscription is replaced it acknowledges nothing, whatever the page still does', async () => {
  const { feed, acks, handed, taken } = setUp({ isSlow: true });
  feed.take(frame(1), false);
  feed.silence();
  feed.take(frame(2), false);
  await taken();
  expect(handed).toEqual([1, 2]);
  feed.end();
  await taken();
  feed.take(frame(3), false);
  expect(acks).toEqual([]);
});
