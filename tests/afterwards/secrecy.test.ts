import { expect, test } from 'vitest';
import { findLeaks, leaksSoFar } from '../support/evidence.ts';

test('nothing that any router printed in the whole run holds a token, cookie, ticket or key that was used in it', () => {
  const { lines, secrets, leaks } = leaksSoFar();
  process.stderr.write(`${lines} lines were printed by routers, ${secrets} secrets were used\n`);
  expect(leaks).toEqual([]);
  // In CI most of the suite has run (on Node 22 that prints 1,900 lines and uses 290 secrets): were there far fewer, nothing would have been looked at.
  if (process.env['CI']) {
    expect(lines).toBeGreaterThan(1_000);
    expect(secrets).toBeGreaterThan(150);
  }
});

test('a token in a log line is found, however it was written, and the line is shown', () => {
  const token = 'q1w2e3r4t5y6u7i8o9p0';
  const printed = `{"msg":"connected"}\n{"url":"/streams/subscribe?token=${token}"}\n`;
  expect(findLeaks(printed, [token])).toEqual({
    lines: 3,
    secrets: 1,
    leaks: [`{"url":"/streams/subscribe?token=${token}"}`],
  });
});

test('lines without a token are no leaks, and neither are words too short to be one', () => {
  expect(findLeaks('{"token":"x","userId":"anna"}\n', ['x', 'a-token-that-was-not-printed']).leaks).toEqual([]);
});
