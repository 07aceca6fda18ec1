import { describe, expect, test } from 'vitest';
import { parseRetryAfter } from '../../src/gateways/webhook/retry.ts';
import { settled } from '../ml/fakes.ts';
import { alertOf, ForwarderWorld, idsOf } from './fakes.ts';

describe('order', () => {
  test('alerts of a stream arrive in the order they were taken, also when one has to be tried again', async () => {
    const world = new ForwarderWorld();
    world.take('door1', 'door2', 'door3');
    expect(world.receiver.ids).toEqual(['door1']);
    await world.lastPost.answer(503);
    world.take('door4');
    expect(world.receiver.ids).toEqual(['door1']);
    world.time.advance(500);
    expect(await world.deliverAll()).toEqual(idsOf('door', 4));
    expect(world.stats).toMatchObject({ queued: 0, inFlight: 0, delivered: 4, retries: 1 });
  });

  test('a stream whose alert is not answered, or waits to be tried again, does not hold up the others', async () => {
    const world = new ForwarderWorld();
    world.take('hanging1', 'failing1');
    await world.lastPost.answer(500);
    world.take('door1');
    await world.lastPost.answer(200);
    expect(world.stats).toMatchObject({ queued: 1, inFlight: 1, delivered: 1 });
  });

  test('the receiver gets at most 8 requests at a time, and streams take turns', async () => {
    const world = new ForwarderWorld();
    const first = Array.from({ length: 9 }, (_, index) => `${'abcdefghi'[index]}1`);
    world.take(...first, 'a2');
    expect(world.receiver.open).toHaveLength(8);
    expect(await world.deliverAll()).toEqual([...first, 'a2']);
  });
});

describe('the bound', () => {
  test('a stream that floods a dead receiver loses its own oldest alerts, the others lose none', async () => {
    const world = new ForwarderWorld();
    world.take('door1', 'door2', ...idsOf('flood', 1_500));
    expect(world.stats).toMatchObject({ queued: 998, inFlight: 2, dropped: { overflow: 502 } });
    // The first was under way before.
    const arrived = await world.deliverAll();
    expect(arrived.filter((id) => id.startsWith('door'))).toEqual(['door1', 'door2']);
    expect(arrived.filter((id) => id.startsWith('flood'))).toEqual(['flood1', ...idsOf('flood', 1_500).slice(503)]);
  });

  test('an alert that waits to be tried again makes room too, and the next one is not sent any sooner for it', async () => {
    const world = new ForwarderWorld({ maxAlerts: 2 });
    world.take('door1');
    await world.lastPost.answer(503);
    world.take('door2', 'door3');
    expect(world.stats).toMatchObject({ queued: 2, dropped: { overflow: 1 } });
    world.time.advance(499);
    expect(world.receiver.ids).toEqual(['door1']);
    world.time.advance(1);
    expect(await world.deliverAll()).toEqual(['door2', 'door3']);
  });

  test('an alert under way is never dropped, be there nothing else to drop but the new one', async () => {
    const world = new ForwarderWorld({ maxAlerts: 2 });
    world.take('a1', 'b1', 'c1');
    expect(world.stats).toMatchObject({ queued: 0, inFlight: 2, dropped: { overflow: 1 } });
    expect(await world.deliverAll()).toEqual(['a1', 'b1']);
  });

  test('large alerts cannot fill the memory: the stream that has most of it waiting loses its oldest', async () => {
    const world = new ForwarderWorld({ maxBytes: 12_000 });
    world.take('door1', 'door2', 'door3');
    for (const id of idsOf('large', 5)) world.takeAlert(alertOf(id, 'x'.repeat(3_000)));
    expect(world.stats.dropped.overflow).toBe(2);
    expect((await world.deliverAll()).sort()).toEqual(['door1', 'door2', 'door3', 'large1', 'large4', 'large5']);
    // What was delivered takes no room.
    for (const id of idsOf('later', 3)) world.takeAlert(alertOf(id, 'x'.repeat(3_000)));
    expect(world.stats.dropped.overflow).toBe(2);
  });
});

describe('trying again', () => {
  test.each([408, 425, 429, 500, 502, 503, 504, 599])('an answer of %d is not the end of an alert', async (status) => {
    const world = new ForwarderWorld();
    world.take('door1');
    await world.lastPost.answer(status);
    world.time.advance(500);
    expect(await world.deliverAll()).toEqual(['door1']);
  });

  test('a receiver that cannot be reached gets the alert when it is back', async () => {
    const world = new ForwarderWorld();
    world.take('door1');
    await world.lastPost.fail();
    world.time.advance(500);
    expect(await world.deliverAll()).toEqual(['door1']);
  });

  test.each([301, 302, 307, 400, 401, 404, 410, 422])(
    'an answer of %d is final, and the next goes out',
    async (status) => {
      const world = new ForwarderWorld();
      world.take('door1', 'door2');
      await world.lastPost.answer(status);
      expect(await world.deliverAll()).toEqual(['door2']);
      expect(world.stats).toMatchObject({ delivered: 1, retries: 0, dropped: { refused: 1, failed: 0 } });
    },
  );

  test('an alert is tried 8 times, then counted as failed; the next one begins anew', async () => {
    const world = new ForwarderWorld();
    world.take('door1', 'door2');
    for (const _ of Array(8)) {
      await world.lastPost.answer(503);
      world.time.advance(30_000);
    }
    expect(world.receiver.ids).toEqual([...Array(8).fill('door1'), 'door2']);
    expect(world.stats).toMatchObject({ retries: 7, inFlight: 1, dropped: { failed: 1 } });
    await world.lastPost.answer(503);
    world.time.advance(500);
    expect(await world.deliverAll()).toEqual(['door2']);
  });

  test.each([
    ['at most', 1, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000]],
    ['with jitter', 0.25, [125, 250, 500, 1_000, 2_000, 4_000, 7_500]],
  ])('the pauses double from half a second to 30 s, %s', async (_, random, expected) => {
    const world = new ForwarderWorld({ random: () => random });
    world.take('door1');
    const pauses: number[] = [];
    for (let attempt = 1; attempt < 8; attempt += 1) {
      const failedAtMs = world.lastPost.atMs;
      await world.lastPost.answer(503);
      while (world.receiver.open.length === 0) world.time.advance(25);
      pauses.push(world.lastPost.atMs - failedAtMs);
    }
    expect(pauses).toEqual(expected);
  });

  test('a receiver that asks to be left alone for a while is, and never for less than the back-off', async () => {
    const world = new ForwarderWorld();
    world.take('door1');
    await world.lastPost.answer(429, 20_000);
    world.time.advance(19_999);
    expect(world.receiver.posts).toHaveLength(1);
    world.time.advance(1);
    await world.lastPost.answer(429, 1);
    world.time.advance(999);
    expect(world.receiver.posts).toHaveLength(2);
    world.time.advance(1);
    expect(await world.deliverAll()).toEqual(['door1']);
  });

  test.each([
    ['7', 7_000],
    ['0', 0],
    ['86400', 60_000],
    ['Tue, 14 Nov 2023 22:13:50 GMT', 30_000],
    ['Tue, 14 Nov 2023 22:13:00 GMT', 0],
    ['Fri, 14 Nov 2025 22:13:00 GMT', 60_000],
    ['soon', 0],
    ['', 0],
    [undefined, 0],
  ])('Retry-After %j at 22:13:20 is %d ms', (header, delayMs) => {
    expect(parseRetryAfter(header, 1_700_000_000_000)).toBe(delayMs);
  });
});

test('a storm of failures is one log line per second and kind, which says how often and why', async () => {
  const world = new ForwarderWorld({ maxAlerts: 20 });
  world.take(...idsOf('flood', 100), 'down1', 'bad1');
  for (const post of world.receiver.open) await (post.alert.id === 'down1' ? post.fail() : post.answer(400));
  await world.deliverAll();
  world.time.advance(1_000);
  await world.lastPost.answer(503);
  const url = 'http://keeper/alerts';
  expect(world.logLines).toEqual([
    { facts: { times: 1, reason: 'too many wait', url }, message: 'alerts lost: overflow' },
    { facts: { times: 1, reason: 'answered 400', url }, message: 'alerts lost: refused' },
    { facts: { times: 1, reason: 'ECONNREFUSED', url }, message: 'alert not delivered yet, tried again later' },
    { facts: { times: 1, reason: 'answered 503', url }, message: 'alert not delivered yet, tried again later' },
  ]);
  world.time.advance(1_000);
  world.take(...idsOf('flood', 100));
  expect(world.logLines.at(-1)?.facts['times']).toBeGreaterThan(80);
});

describe('the end', () => {
  test('what waits is sent before the router ends, long back-offs are cut short', async () => {
    const world = new ForwarderWorld();
    world.take('door1', 'door2');
    await world.lastPost.answer(429, 60_000);
    const closed = world.forwarder.close(1_000);
    await world.lastPost.answer(429, 60_000);
    world.time.advance(500);
    expect(await world.deliverAll()).toEqual(['door1', 'door2']);
    await closed;
    expect(world.receiver.isClosed).toBe(true);
    expect(world.stats).toMatchObject({ delivered: 2, dropped: { shutdown: 0 } });
    expect(world.time.pendingTimers).toBe(0);
  });

  test('a receiver that hangs cannot hold the router up: the rest is counted and logged at the deadline', async () => {
    const world = new ForwarderWorld();
    world.take('door1', 'door2', 'failing1', 'failing2');
    await world.lastPost.answer(503);
    const closed = world.forwarder.close(1_000);
    await world.lastPost.answer(503);
    world.time.advance(400);
    expect(world.receiver.isClosed).toBe(false);
    world.time.advance(600);
    await closed;
    expect(world.receiver.isClosed).toBe(true);
    expect(world.stats).toMatchObject({ queued: 0, inFlight: 0, delivered: 0, dropped: { shutdown: 4 } });
    expect(world.logLines.at(-1)).toMatchObject({ facts: { count: 4 } });
    await settled();
    expect(world.stats.dropped).toEqual({ overflow: 0, refused: 0, failed: 0, shutdown: 4 });
    expect(world.time.pendingTimers).toBe(0);
  });

  test('an alert that comes after the end is counted, not sent', async () => {
    const world = new ForwarderWorld();
    await Promise.all([world.forwarder.close(1_000), world.forwarder.close(1_000)]);
    world.take('door1');
    expect(world.receiver.posts).toHaveLength(0);
    expect(world.stats.dropped.shutdown).toBe(1);
    expect(world.logLines).toEqual([]);
  });
});
