import { expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { type Closing, verdictOn } from '../../src/client/close-policy.ts';

const closing = (code: number, more: Partial<Closing> = {}) =>
  verdictOn({ code, reason: '', refusal: undefined, mayRenew: false, ...more });

test('what a close code asks for is done, also for those of later routers', () => {
  const { messageTooBig, serviceRestart, tryAgainLater, outboxFull, heartbeatMissed } = CloseCode;
  const retried = [
    1000,
    1001,
    1006,
    1011,
    messageTooBig,
    serviceRestart,
    tryAgainLater,
    4500,
    outboxFull,
    heartbeatMissed,
    4599,
  ];
  expect(retried.map((code) => closing(code).kind)).toEqual(retried.map(() => 'retry'));
  const final = [
    CloseCode.policyViolation,
    4400,
    CloseCode.streamDeleted,
    CloseCode.takenOver,
    CloseCode.tooManyInvalidMessages,
    4499,
  ];
  expect(final.map((code) => closing(code).kind)).toEqual(final.map(() => 'stop'));
});

test('every code of the protocol is decided on, and every verdict has its reason', () => {
  for (const code of Object.values(CloseCode)) expect(closing(code).reason).toMatch(/\w{3,}/);
});

test('fresh credentials are worth one more try when the session is the matter, and only then', () => {
  expect(closing(1008, { mayRenew: true }).kind).toBe('renew');
  expect(closing(4401, { mayRenew: true }).kind).toBe('renew');
  expect(closing(4409, { mayRenew: true }).kind).toBe('stop');
  expect(closing(1013, { mayRenew: true }).kind).toBe('retry');
});

test('the page is told in the router’s own words where it has said some', () => {
  const refusal = { code: 'AUTH_REQUIRED', message: 'A valid session token is required' } as const;
  expect(closing(1008, { refusal }).reason).toBe('Not signed in: A valid session token is required');
  expect(closing(1008, { reason: 'Unauthorized' }).reason).toBe('Not signed in: Unauthorized');
  const full = { code: 'TOO_MANY_CONNECTIONS', message: 'Too many connections of this user' } as const;
  expect(closing(1013, { refusal: full }).reason).toBe('Too many connections of this user');
  expect(closing(4455, { reason: 'Moved' }).reason).toContain('4455 Moved');
});
