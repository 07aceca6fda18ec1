import { expect, test } from 'vitest';
import { Subscriptions } from '../../src/client/subscriptions.ts';
import type { Wish } from '../../src/client/wish.ts';

const FRAMES: Wish = { frames: true, alerts: false, maxFps: undefined, window: undefined };
const ALERTS: Wish = { frames: false, alerts: true, maxFps: undefined, window: undefined };
const BOTH: Wish = { frames: true, alerts: true, maxFps: 5, window: 3 };

function setUp(since?: string) {
  const sent: Record<string, unknown>[] = [];
  const subscriptions = new Subscriptions({ send: (message) => sent.push(message), since, replacing: () => undefined });
  const want = (wishes: Record<string, Wish>) => subscriptions.want(new Map(Object.entries(wishes)));
  const connect = () => {
    subscriptions.opened();
    subscriptions.admitted();
  };
  const answer = (streamId: string, more: object = {}) =>
    subscriptions.answered({ type: 'success', message: 'Subscription successful', streamId, ...more });
  return { sent, subscriptions, want, connect, answer };
}

test('what is wanted is asked for once there is a connection, all streams first, and nothing twice', () => {
  const { sent, want, connect } = setUp();
  want({ gate: FRAMES, '*': ALERTS });
  expect(sent).toEqual([]);
  connect();
  expect(sent.map(({ streamId }) => streamId)).toEqual(['*', 'gate']);
  expect(sent[1]).toMatchObject({ clientType: 'dashboard', consumes: ['video-frame'], window: 2 });
  expect(sent[0]).toMatchObject({ consumes: ['alert'], window: undefined });
  want({ gate: FRAMES, '*': ALERTS });
  expect(sent).toHaveLength(2);
  want({ gate: BOTH, '*': ALERTS });
  expect(sent[2]).toMatchObject({ streamId: 'gate', consumes: ['video-frame', 'alert'], maxFps: 5, window: 3 });
});

test('an answer counts when all that was asked about the stream is answered', () => {
  const { want, connect, answer } = setUp();
  connect();
  want({ gate: FRAMES });
  want({ gate: BOTH });
  want({});
  want({ gate: ALERTS });
  expect([answer('gate'), answer('gate'), answer('gate')]).toEqual([undefined, undefined, undefined]);
  expect(answer('gate', { alerts: 'gap' })).toEqual({ kind: 'began', streamId: 'gate', wish: ALERTS, hasGap: true });
  want({});
  expect(answer('gate')).toEqual({ kind: 'ended', streamId: 'gate' });
  expect(answer('gate')).toBeUndefined();
});

test('after a cut it asks for the alerts after the last one of each subscription', () => {
  const { sent, subscriptions, want, connect, answer } = setUp();
  connect();
  want({ '*': ALERTS, gate: BOTH, yard: FRAMES });
  for (const streamId of ['*', 'gate', 'yard']) answer(streamId, { lastAlert: '10' });
  subscriptions.noteAlert('12');
  // One that was missed comes again with its old id.
  subscriptions.noteAlert('11');
  want({ '*': ALERTS, gate: BOTH, yard: FRAMES, late: ALERTS });
  // Not answered yet, so nobody knows what it has missed.
  subscriptions.noteAlert('13');
  answer('late', { lastAlert: '12.5' });
  subscriptions.lost();
  sent.length = 0;
  connect();
  expect(sent.map(({ streamId, since }) => [streamId, since])).toEqual([
    ['*', '13'],
    ['gate', '13'],
    ['yard', undefined],
    ['late', '12.5'],
  ]);
  // On the same connection nothing can have been missed.
  answer('gate', { lastAlert: '99' });
  sent.length = 0;
  want({ '*': ALERTS, gate: ALERTS, yard: FRAMES, late: ALERTS });
  expect(sent).toEqual([expect.objectContaining({ streamId: 'gate', since: undefined })]);
  subscriptions.lost();
  sent.length = 0;
  connect();
  expect(sent[1]).toMatchObject({ streamId: 'gate', since: '13' });
});

test('alerts that were not wanted for a while are not sent afterwards', () => {
  const { sent, subscriptions, want, connect, answer } = setUp();
  connect();
  want({ gate: BOTH });
  answer('gate', { lastAlert: '10' });
  want({ gate: FRAMES });
  answer('gate');
  want({ gate: BOTH });
  answer('gate', { lastAlert: '20' });
  subscriptions.lost();
  sent.length = 0;
  connect();
  expect(sent[0]).toMatchObject({ since: '20' });
});

test('an id from before holds for what is wanted when the page opens, and not for later', () => {
  const { sent, want, connect } = setUp('5');
  want({ gate: ALERTS });
  connect();
  want({ gate: ALERTS, yard: ALERTS });
  expect(sent.map(({ since }) => since)).toEqual(['5', undefined]);
});

test('before it is let in it asks for a part of a large wall, and then for the rest', () => {
  const { sent, subscriptions, want } = setUp();
  want(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`s${index}`, FRAMES])));
  subscriptions.opened();
  expect(sent).toHaveLength(100);
  subscriptions.admitted();
  expect(new Set(sent.map(({ streamId }) => streamId)).size).toBe(300);
});

test('a refusal for good ends a subscription, one for now does not', () => {
  const { sent, subscriptions, want, connect } = setUp();
  connect();
  want({ gate: FRAMES, yard: FRAMES });
  expect(subscriptions.refused({ code: 'UNAUTHORIZED', message: '', streamId: 'gate' })).toBe(true);
  want({ yard: FRAMES });
  expect(subscriptions.refused({ code: 'UNAVAILABLE', message: '', streamId: 'yard' })).toBe(false);
  sent.length = 0;
  subscriptions.askAgain();
  expect(sent.map(({ streamId }) => streamId)).toEqual(['yard']);
  // Of a stream that came by `*`.
  expect(subscriptions.refused({ code: 'UNAUTHORIZED', message: '', streamId: 'barn' })).toBe(false);
});

test('a request that was refused without a name is asked again, once it is clear which it was', () => {
  const { sent, subscriptions, want, connect, answer } = setUp();
  connect();
  want({ gate: FRAMES, yard: FRAMES });
  answer('gate');
  subscriptions.forgetUnanswered();
  sent.length = 0;
  subscriptions.askAgain();
  expect(sent.map(({ streamId }) => streamId)).toEqual(['yard']);
});
