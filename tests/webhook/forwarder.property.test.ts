import fc from 'fast-check';
import { expect, test } from 'vitest';
import { settled } from '../ml/fakes.ts';
import { alertOf, ForwarderWorld } from './fakes.ts';

const STREAMS = ['a', 'b', 'c', 'd'];

type Step =
  | { do: 'take'; stream: number; size: number }
  | { do: 'answer'; post: number; status: number; retryAfterMs: number }
  | { do: 'fail'; post: number }
  | { do: 'time'; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      stream: fc.nat(STREAMS.length - 1),
      size: fc.constantFrom(1, 1, 1, 400),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      post: fc.nat(3),
      status: fc.constantFrom(200, 204, 302, 400, 429, 503),
      retryAfterMs: fc.constantFrom(0, 0, 5_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fail' as const), post: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(1, 500, 5_000, 30_000) }) },
);

const scenario = fc.record({
  steps: fc.array(step, { maxLength: 80 }),
  afterClose: fc.array(step, { maxLength: 15 }),
  maxAlerts: fc.integer({ min: 1, max: 8 }),
  maxBytes: fc.constantFrom(700, 1_500, 100_000),
  maxInFlight: fc.integer({ min: 1, max: 3 }),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});

async function play(world: ForwarderWorld, next: Step): Promise<void> {
  switch (next.do) {
    case 'take':
      world.takeAlert(alertOf(`${STREAMS[next.stream]}${world.taken + 1}`, 'x'.repeat(next.size)));
      return;
    case 'answer':
      await world.receiver.open[next.post]?.answer(next.status, next.retryAfterMs);
      return;
    case 'fail':
      await world.receiver.open[next.post]?.fail();
      return;
    case 'time':
      world.time.advance(next.ms);
  }
}

interface Limits {
  maxAlerts: number;
  maxInFlight: number;
}

function expectSound(world: ForwarderWorld, { maxAlerts, maxInFlight }: Limits): void {
  const { delivered, dropped, queued, inFlight } = world.stats;
  const lost = dropped.overflow + dropped.refused + dropped.failed + dropped.shutdown;
  expect(delivered + lost + queued + inFlight).toBe(world.taken);
  expect(queued + inFlight).toBeLessThanOrEqual(maxAlerts);
  expect(inFlight).toBeLessThanOrEqual(maxInFlight);
  expect(inFlight).toBe(world.receiver.open.length);
  const open = world.receiver.open.map(({ alert }) => alert.streamId);
  expect(new Set(open).size).toBe(open.length);
  for (const streamId of STREAMS) {
    const numbers = world.receiver.posts
      .filter(({ alert }) => alert.streamId === streamId)
      .map(({ alert }) => Number(alert.id.slice(1)));
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    for (const number of numbers) expect(numbers.filter((other) => other === number).length).toBeLessThanOrEqual(8);
  }
}

test('whatever comes in and whatever the receiver does: in order, within the bounds, each alert delivered or counted', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ steps, afterClose, random, ...limits }) => {
      const world = new ForwarderWorld({ ...limits, random: () => random });
      for (const next of steps) {
        await play(world, next);
        expectSound(world, limits);
      }
      const closed = world.forwarder.close(10_000);
      for (const next of afterClose) {
        await play(world, next);
        await settled();
        expectSound(world, limits);
      }
      world.time.advance(10_000);
      await closed;
      expectSound(world, limits);
      expect(world.stats).toMatchObject({ queued: 0, inFlight: 0 });
      expect(world.time.pendingTimers).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test('a receiver that is well again gets everything that still waits, whatever happened before', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ steps, random, ...limits }) => {
      const world = new ForwarderWorld({ ...limits, random: () => random });
      for (const next of steps) await play(world, next);
      const { delivered, queued, inFlight } = world.stats;
      for (let turn = 0; turn < 3; turn += 1) {
        await world.deliverAll();
        world.time.advance(30_000);
      }
      expect(world.stats).toMatchObject({ queued: 0, inFlight: 0, delivered: delivered + queued + inFlight });
    }),
    { numRuns: 100 },
  );
});
