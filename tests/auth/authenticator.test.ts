import { expect, test } from 'vitest';
import { createAuthenticator } from '../../src/auth/authenticator.ts';
import { cacheSessions } from '../../src/auth/session-cache.ts';
import { Tickets } from '../../src/auth/tickets.ts';
import type { Verification } from '../../src/router/ports.ts';

const MAX_FAILURES = 3;
const MINUTE_MS = 60_000;

/** Sessions of a database that knows `good-…`, and is away for `away-…`. */
function world() {
  let nowMs = 1_000;
  const clock = { epochMs: () => nowMs, monotonicMs: () => nowMs };
  const lookedUp: string[] = [];
  const sessions = cacheSessions({
    log: () => undefined,
    sessions: {
      async verify(token): Promise<Verification> {
        lookedUp.push(token);
        if (token.startsWith('away')) return { kind: 'unavailable' };
        if (!token.startsWith('good')) return { kind: 'refused' };
        return {
          kind: 'session',
          principal: { userId: token, sessionId: `session of ${token}` },
          expiresAtMs: Number.POSITIVE_INFINITY,
        };
      },
    },
    maxAgeMs: 30_000,
    clock,
  });
  const tickets = new Tickets(clock);
  const authenticator = createAuthenticator({ sessions, tickets, clock, maxFailuresPerMinute: MAX_FAILURES });
  return {
    lookedUp,
    tickets,
    sessions,
    pass: (ms: number) => {
      nowMs += ms;
    },
    show: async (token: string, address = '10.0.0.1') =>
      (await authenticator.verify({ kind: 'token', token }, address)).kind,
    use: async (ticket: string, address = '10.0.0.1') =>
      (await authenticator.verify({ kind: 'ticket', ticket }, address)).kind,
  };
}

test('after too many failures nothing is looked up for an address any more, and another address is as free as before', async () => {
  const { show, lookedUp } = world();
  for (let attempt = 0; attempt < MAX_FAILURES; attempt += 1) expect(await show(`bad-${attempt}`)).toBe('refused');
  expect(await show('bad-4')).toBe('limited');
  expect(await show('good-but-unknown')).toBe('limited');
  expect(lookedUp).toHaveLength(MAX_FAILURES);
  expect(await show('good-but-unknown', '10.0.0.2')).toBe('session');
});

test('who is known comes in all the same: many people may share an address with one bad device', async () => {
  const { show } = world();
  expect(await show('good-phone')).toBe('session');
  for (let attempt = 0; attempt < 2 * MAX_FAILURES; attempt += 1) await show(`bad-${attempt}`);
  expect(await show('good-phone')).toBe('session');
});

test('failures are forgotten evenly: one more attempt after a third of a minute, all of them after a minute', async () => {
  const { show, pass } = world();
  for (let attempt = 0; attempt < MAX_FAILURES; attempt += 1) await show(`bad-${attempt}`);
  pass(MINUTE_MS / MAX_FAILURES);
  expect(await show('bad-again')).toBe('refused');
  expect(await show('bad-again')).toBe('limited');
  pass(MINUTE_MS);
  expect(await show('good')).toBe('session');
});

test('a burst under way at once counts whole, and is made up for within two minutes, not an hour', async () => {
  const { show, pass } = world();
  const burst = await Promise.all(Array.from({ length: 100 }, (_, index) => show(`bad-${index}`)));
  expect(burst).toContain('refused');
  expect(await show('good')).toBe('limited');
  pass(2 * MINUTE_MS);
  expect(await show('good')).toBe('session');
});

test('a database that is away is nobody’s failure', async () => {
  const { show } = world();
  for (let attempt = 0; attempt < 2 * MAX_FAILURES; attempt += 1) {
    expect(await show(`away-${attempt}`)).toBe('unavailable');
  }
  expect(await show('good')).toBe('session');
});

test('a used ticket is a failure like a bad token', async () => {
  const { use, show, tickets } = world();
  const principal = { userId: 'anna', sessionId: '1' };
  const sold = tickets.issue({ kind: 'session', principal, expiresAtMs: Number.POSITIVE_INFINITY });
  expect(await use(sold?.ticket ?? '')).toBe('session');
  for (let attempt = 0; attempt < MAX_FAILURES; attempt += 1) expect(await use(sold?.ticket ?? '')).toBe('refused');
  expect(await show('good')).toBe('limited');
});

test('a session that has ended is looked up again, however well it was known', async () => {
  const { show, sessions, lookedUp } = world();
  await show('good-phone');
  sessions.forget(new Set(['session of good-phone']));
  expect(await show('good-phone')).toBe('session');
  expect(lookedUp).toEqual(['good-phone', 'good-phone']);
});

test('a crowd behind one address costs a look-up for each session; a flood of made-up ones is cut off before the database is asked', async () => {
  const { show, lookedUp } = world();
  const crowd = Array.from({ length: 5_000 }, (_, index) => show(`good-${index % 50}`));
  expect(new Set(await Promise.all(crowd))).toEqual(new Set(['session']));
  expect(lookedUp).toHaveLength(50);
  const flood = await Promise.all(Array.from({ length: 5_000 }, (_, index) => show(`bad-${index}`, '10.0.0.2')));
  expect(new Set(flood)).toEqual(new Set(['refused', 'limited']));
  expect(lookedUp.length).toBeLessThanOrEqual(50 + 500);
});
