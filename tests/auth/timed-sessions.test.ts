import { expect, test } from 'vitest';
import { timeSessions } from '../../src/auth/timed-sessions.ts';
import type { Verification } from '../../src/router/ports.ts';

test('how long the database took to say something of a session is told, and what it said', async () => {
  let nowMs = 1_000;
  const answers: Verification[] = [
    { kind: 'session', principal: { userId: 'anna', sessionId: '1' }, expiresAtMs: 1 },
    { kind: 'refused' },
    { kind: 'unavailable' },
  ];
  const took: unknown[] = [];
  const sessions = timeSessions(
    {
      async verify(token) {
        nowMs += Number(token);
        return answers[took.length] ?? { kind: 'refused' };
      },
    },
    { epochMs: () => 0, monotonicMs: () => nowMs },
    (...one) => took.push(one),
  );
  expect([await sessions.verify('3'), await sessions.verify('5'), await sessions.verify('10000')]).toEqual(answers);
  expect(took).toEqual([
    [3, 'session'],
    [5, 'refused'],
    [10_000, 'unavailable'],
  ]);
});
