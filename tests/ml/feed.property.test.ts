import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FeedWorld, pictureOf } from './fakes.ts';

const STREAMS = ['a', 'b', 'c', 'd', 'e'];

type Step =
  | { do: 'frame'; stream: number; bytes: number }
  | { do: 'answer' | 'fail'; request: number }
  | { do: 'time'; ms: number }
  | { do: 'end stream'; stream: number };

const stream = fc.nat(STREAMS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('frame' as const), stream, bytes: fc.integer({ min: 1, max: 300 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(1, 10, 25, 200, 600) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('answer' as const, 'fail' as const), request: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end stream' as const), stream }) },
);

const scenario = fc.record({
  steps: fc.array(step, { maxLength: 60 }),
  batchSize: fc.integer({ min: 1, max: 4 }),
  maxInFlight: fc.integer({ min: 1, max: 3 }),
});

async function play(world: FeedWorld, next: Step): Promise<void> {
  switch (next.do) {
    case 'frame':
      world.frame(STREAMS[next.stream] as string, next.bytes);
      return;
    case 'answer':
      await world.service.open[next.request]?.answer(['fall']);
      return;
    case 'fail':
      await world.service.open[next.request]?.fail();
      return;
    case 'time':
      world.time.advance(next.ms);
      return;
    case 'end stream':
      world.end(STREAMS[next.stream] as string);
  }
}

function expectSound(world: FeedWorld, batchSize: number, maxInFlight: number): void {
  const { service, feed } = world;
  expect(service.open.length).toBeLessThanOrEqual(maxInFlight);
  expect(feed.stats.inFlight).toBe(service.open.length);
  for (const { frames, pictures, isOpen } of service.requests) {
    expect(frames.length).toBeGreaterThan(0);
    expect(frames.length).toBeLessThanOrEqual(batchSize);
    expect(new Set(frames.map(({ streamId }) => streamId)).size).toBe(frames.length);
    // What is at the service is as it was sent, whatever came in since.
    if (isOpen) expect(frames.map(pictureOf)).toEqual(pictures);
  }
  for (const streamId of STREAMS) {
    const sent = service.sent(streamId);
    expect(sent).toEqual([...new Set(sent)].sort((one, other) => one - other));
  }
  const { sampled, sent, dropped } = feed.stats;
  const over = service.requests.filter(({ isOpen }) => !isOpen);
  expect(sent).toBe(over.reduce((sum, { frames }) => sum + frames.length, 0));
  // What is left over waits in the slots, or went with its stream.
  expect(sampled - sent - dropped.replaced - dropped.stale).toBeGreaterThanOrEqual(0);
}

test('whatever streams and the service do: bounded requests, frames in order and untouched, each accounted for', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ steps, batchSize, maxInFlight }) => {
      const world = new FeedWorld({ batchSize, maxInFlight });
      for (const next of steps) {
        await play(world, next);
        expectSound(world, batchSize, maxInFlight);
      }
    }),
    { numRuns: 100 },
  );
});

test('a service that answers again gets every waiting stream within a few turns, and everything is accounted for', async () => {
  const withoutEnds = scenario.filter(({ steps }) => steps.every((next) => next.do !== 'end stream'));
  await fc.assert(
    fc.asyncProperty(withoutEnds, async ({ steps, batchSize, maxInFlight }) => {
      const world = new FeedWorld({ batchSize, maxInFlight });
      for (const next of steps) await play(world, next);
      for (let turn = 0; turn < 20; turn += 1) {
        for (const request of world.service.open) await request.answer();
        world.time.advance(25);
      }
      const { sampled, sent, dropped, inFlight } = world.feed.stats;
      expect(inFlight).toBe(0);
      expect(sampled).toBe(sent + dropped.replaced + dropped.stale);
    }),
    { numRuns: 60 },
  );
});
