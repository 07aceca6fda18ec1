import { expect, test } from 'vitest';
import { FeedWorld, settled } from './fakes.ts';

test('how long a request took is told when it is answered, and when it failed', async () => {
  const took: unknown[] = [];
  const world = new FeedWorld({ batchSize: 1, requestTook: (...one) => took.push(one) });
  world.frames(['a', 'b']);
  expect(world.feed.waiting).toBe(0);
  world.time.advance(40);
  await world.service.request(1).answer();
  world.time.advance(60);
  await world.service.request(0).fail();
  await settled();
  expect(took).toEqual([
    [40, 'answered'],
    [100, 'failed'],
  ]);
});

test('the queue is as long as there are streams that wait for a request', async () => {
  const world = new FeedWorld({ batchSize: 2, maxInFlight: 1 });
  world.frames(['a', 'b', 'c', 'd', 'e']);
  expect(world.feed.waiting).toBe(3);
  await world.service.request(0).answer();
  expect(world.feed.waiting).toBe(1);
});
