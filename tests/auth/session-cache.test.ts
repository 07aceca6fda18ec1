import { expect, test } from 'vitest';
import { cacheSessions } from '../../src/auth/session-cache.ts';
import type { Verification } from '../../src/router/ports.ts';

/** Sessions that count how often they are asked, under a clock that stands until it is moved. */
function setUp(answer: () => Verification, maxAgeMs = 30_000) {
  let nowMs = 1_000_000;
  let lookUps = 0;
  const clock = { epochMs: () => nowMs, monotonicMs: () => nowMs };
  const lines: string[] = [];
  const cache = cacheSessions({
    maxAgeMs,
    clock,
    log: (level, _facts, message) => void lines.push(`${level}: ${message}`),
    sessions: {
      async verify() {
        lookUps += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return answer();
      },
    },
  });
  return {
    cache,
    clock,
    lines,
    lookUps: () => lookUps,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

function sessionUntil(expiresAtMs: number): Verification {
  return { kind: 'session', principal: { userId: 'anna', sessionId: '1' }, expiresAtMs };
}

const FAR = Number.MAX_SAFE_INTEGER;

test('5,000 viewers of 50 sessions that come back at once ask the database 50 times', async () => {
  const { cache, lookUps } = setUp(() => sessionUntil(FAR));
  const answers = await Promise.all(Array.from({ length: 5_000 }, (_, viewer) => cache.verify(`token-${viewer % 50}`)));
  expect(answers.every(({ kind }) => kind === 'session')).toBe(true);
  expect(lookUps()).toBe(50);
});

test('a session is asked for again once its time in the cache is over', async () => {
  const { cache, lookUps, pass } = setUp(() => sessionUntil(FAR));
  await cache.verify('token');
  pass(29_999);
  await cache.verify('token');
  expect(lookUps()).toBe(1);
  pass(2);
  await cache.verify('token');
  expect(lookUps()).toBe(2);
});

test('a session that ends by itself is not let in a moment longer', async () => {
  let answer: Verification = { kind: 'refused' };
  const { cache, clock, pass } = setUp(() => answer);
  answer = sessionUntil(clock.epochMs() + 5_000);
  expect((await cache.verify('token')).kind).toBe('session');
  answer = { kind: 'refused' };
  pass(5_001);
  expect((await cache.verify('token')).kind).toBe('refused');
});

test('a token that was refused is good soon after the web app has written its session', async () => {
  let answer: Verification = { kind: 'refused' };
  const { cache, lookUps, pass } = setUp(() => answer);
  await cache.verify('token');
  await cache.verify('token');
  expect(lookUps()).toBe(1);
  answer = sessionUntil(FAR);
  pass(1_001);
  expect((await cache.verify('token')).kind).toBe('session');
});

test('a database that did not answer is asked again at once, and a good session is not forgotten for it', async () => {
  let answer: Verification = { kind: 'unavailable' };
  const { cache, lookUps } = setUp(() => answer);
  const together = await Promise.all([cache.verify('token'), cache.verify('token')]);
  expect(together.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable']);
  expect(lookUps()).toBe(1);
  answer = sessionUntil(FAR);
  expect((await cache.verify('token')).kind).toBe('session');
  answer = { kind: 'unavailable' };
  expect((await cache.verify('token')).kind).toBe('session');
});

test('with a cache time of 0 the next connection asks anew', async () => {
  const { cache, lookUps, pass } = setUp(() => sessionUntil(FAR), 0);
  await cache.verify('token');
  pass(2);
  await cache.verify('token');
  expect(lookUps()).toBe(2);
});

test('what nobody foresaw is a line in the log, and an answer to try again', async () => {
  const { cache, lines } = setUp(() => {
    throw new TypeError('a fault of ours');
  });
  expect(await cache.verify('token')).toEqual({ kind: 'unavailable' });
  expect(lines).toEqual(['error: a session could not be looked up']);
});

test('that the database is away is said where it is asked, and not once more', async () => {
  const { cache, lines } = setUp(() => ({ kind: 'unavailable' }));
  expect(await cache.verify('token')).toEqual({ kind: 'unavailable' });
  expect(lines).toEqual([]);
});
