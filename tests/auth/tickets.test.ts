import { expect, test } from 'vitest';
import { type TicketSession, Tickets } from '../../src/auth/tickets.ts';

/** An office under a clock that stands until it is moved. */
function setUp() {
  let nowMs = 1_000_000;
  const tickets = new Tickets({ epochMs: () => nowMs, monotonicMs: () => nowMs });
  return {
    tickets,
    issue(session: TicketSession): string {
      const issued = tickets.issue(session);
      if (issued === undefined) throw new Error('no ticket was issued');
      return issued.ticket;
    },
    inMs: (ms: number) => nowMs + ms,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

function sessionOf(userId: string, sessionId = `${userId}-1`, expiresAtMs = Number.MAX_SAFE_INTEGER): TicketSession {
  return { kind: 'session', principal: { userId, sessionId }, expiresAtMs };
}

test('a ticket stands for the session that it was bought with, once', () => {
  const { tickets, issue } = setUp();
  const [annas, bobs] = [issue(sessionOf('anna')), issue(sessionOf('bob'))];
  expect(annas).toMatch(/^[\w-]{43}$/);
  expect(tickets.redeem(bobs)).toEqual(sessionOf('bob'));
  expect(tickets.redeem(annas)).toEqual(sessionOf('anna'));
  expect(tickets.redeem(annas)).toBeUndefined();
  expect(tickets.redeem(bobs)).toBeUndefined();
});

test('what was never issued stands for nobody', () => {
  const { tickets, issue } = setUp();
  const ticket = issue(sessionOf('anna'));
  for (const invented of ['', 'x', ticket.slice(1), `${ticket}A`, ticket.toLowerCase(), '__proto__']) {
    expect(tickets.redeem(invented)).toBeUndefined();
  }
  expect(tickets.redeem(ticket)).toEqual(sessionOf('anna'));
});

test('it is good for 30 s, as it says, and not a moment longer', () => {
  const { tickets, issue, pass } = setUp();
  expect(tickets.issue(sessionOf('anna'))?.expiresInMs).toBe(30_000);
  const [early, late] = [issue(sessionOf('anna')), issue(sessionOf('anna'))];
  pass(30_000);
  expect(tickets.redeem(early)).toEqual(sessionOf('anna'));
  pass(1);
  expect(tickets.redeem(late)).toBeUndefined();
});

test('it does not outlive the session that it was bought with', () => {
  const { tickets, issue, inMs, pass } = setUp();
  const short = sessionOf('anna', 'anna-1', inMs(5_000));
  expect(tickets.issue(short)?.expiresInMs).toBe(5_000);
  const ticket = issue(short);
  pass(5_001);
  expect(tickets.redeem(ticket)).toBeUndefined();
});

test('a user holds 100 unused ones; others may buy all the same', () => {
  const { tickets, issue } = setUp();
  const held = Array.from({ length: 100 }, (_, number) => issue(sessionOf('anna', `anna-${number}`)));
  expect(tickets.issue(sessionOf('anna', 'another-session'))).toBeUndefined();
  expect(tickets.issue(sessionOf('bob'))).toBeDefined();
  expect(held.every((ticket) => tickets.redeem(ticket) !== undefined)).toBe(true);
});

test('one that was used makes room for exactly one, however often it is shown', () => {
  const { tickets, issue } = setUp();
  const held = Array.from({ length: 100 }, () => issue(sessionOf('anna')));
  for (let times = 0; times < 5; times += 1) tickets.redeem(held[0] ?? '');
  expect(tickets.issue(sessionOf('anna'))).toBeDefined();
  expect(tickets.issue(sessionOf('anna'))).toBeUndefined();
});

test('those that ran out unused make room, shown again or not', () => {
  const { tickets, issue, pass } = setUp();
  const held = Array.from({ length: 100 }, () => issue(sessionOf('anna')));
  pass(30_001);
  for (const ticket of held.slice(0, 50)) expect(tickets.redeem(ticket)).toBeUndefined();
  for (let bought = 0; bought < 100; bought += 1) issue(sessionOf('anna'));
  expect(tickets.issue(sessionOf('anna'))).toBeUndefined();
});

test('those of a session that has ended open nothing, those of the user’s other sessions do, and the room is there again', () => {
  const { tickets, issue } = setUp();
  const ended = Array.from({ length: 99 }, () => issue(sessionOf('anna', 'ended')));
  const [other, bobs] = [issue(sessionOf('anna', 'other')), issue(sessionOf('bob'))];
  expect(tickets.issue(sessionOf('anna', 'other'))).toBeUndefined();
  tickets.forget(new Set(['ended', 'unknown']));
  expect(ended.filter((ticket) => tickets.redeem(ticket) !== undefined)).toEqual([]);
  expect(tickets.redeem(other)).toEqual(sessionOf('anna', 'other'));
  expect(tickets.redeem(bobs)).toEqual(sessionOf('bob'));
  for (let bought = 0; bought < 100; bought += 1) issue(sessionOf('anna', 'other'));
  expect(tickets.issue(sessionOf('anna', 'other'))).toBeUndefined();
});
