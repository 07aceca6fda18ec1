import { describe, expect, test } from 'vitest';
import { AlertHistory, type HistoryLimits } from '../../src/router/alert-history.ts';
import { Outgoing } from '../../src/router/outgoing.ts';

/** Alerts have ids of 8 digits, which sort as text. */
function id(number: number): string {
  return String(number).padStart(8, '0');
}

function alert(number: number, streamId: string, text = 'fall'): Outgoing {
  const fields = { severity: 'high', message: text, metadata: {}, timestamp: 1 } as const;
  return new Outgoing({ type: 'alert', id: id(number), streamId, ...fields });
}

/** Takes an alert in. */
function add(history: AlertHistory, ownerId: string, number: number, streamId = 'door', text?: string): void {
  history.add(ownerId, { id: id(number), streamId, severity: 'high' }, 1, alert(number, streamId, text));
}

/** What it remembers of all streams of a user: numbers, and whether that is all. */
function missed(
  history: AlertHistory,
  since: number,
  ...ownerIds: string[]
): { numbers: number[]; isComplete: boolean } {
  const places = ownerIds.map((ownerId) => ({ ownerId, streamId: undefined }));
  const { alerts, isComplete } = history.after(id(since), places);
  return { numbers: alerts.map((found) => Number(found.id)), isComplete };
}

/** The size of an alert whose text is so long. */
function sizeOf(textLength: number): number {
  const message = alert(1, 'door', 'x'.repeat(textLength));
  return message.in('msgpack').length + message.in('json').length;
}

const ROOMY: HistoryLimits = { alertsPerUser: 1_000, bytesPerUser: 1e6, bytes: 1e7 };

describe('what was missed', () => {
  test('is every later alert, in order, as it was sent then', () => {
    const history = new AlertHistory(id(0));
    for (const number of [1, 2, 3]) add(history, 'anna', number);
    expect(missed(history, 1, 'anna')).toEqual({ numbers: [2, 3], isComplete: true });
    const [first] = history.after(id(2), [{ ownerId: 'anna', streamId: undefined }]).alerts;
    expect(JSON.parse(String(first?.outgoing.in('json')))).toMatchObject({ type: 'alert', id: id(3), message: 'fall' });
  });

  test('is nothing, and that is all, after the last alert, and where there never was one', () => {
    const history = new AlertHistory(id(0));
    add(history, 'anna', 1);
    expect(missed(history, 1, 'anna')).toEqual({ numbers: [], isComplete: true });
    expect(missed(history, 0, 'bert')).toEqual({ numbers: [], isComplete: true });
  });

  test('is found for an id in between that the user was never sent', () => {
    const history = new AlertHistory(id(0));
    for (const number of [10, 20, 30]) add(history, 'anna', number);
    expect(missed(history, 15, 'anna')).toEqual({ numbers: [20, 30], isComplete: true });
  });

  test('is only of the streams that are asked for, whoever else was heard', () => {
    const history = new AlertHistory(id(0));
    for (const [index, streamId] of ['door', 'garage', 'yard', 'door'].entries()) {
      add(history, 'anna', index + 1, streamId);
    }
    add(history, 'bert', 5, 'door');
    const places = ['door', 'yard'].map((streamId) => ({ ownerId: 'anna', streamId }));
    expect(history.after(id(0), places).alerts.map((found) => Number(found.id))).toEqual([1, 3, 4]);
  });

  test('is in one order over several streams and owners', () => {
    const history = new AlertHistory(id(0));
    for (const [number, ownerId, streamId] of [
      [1, 'anna', 'door'],
      [2, 'bert', 'street'],
      [3, 'anna', 'garage'],
      [4, 'bert', 'street'],
      [5, 'anna', 'door'],
      [6, 'bert', 'cellar'],
    ] as const) {
      add(history, ownerId, number, streamId);
    }
    const places = [
      { ownerId: 'bert', streamId: 'street' },
      { ownerId: 'anna', streamId: 'door' },
      { ownerId: 'anna', streamId: 'garage' },
    ];
    const { alerts, isComplete } = history.after(id(1), places);
    expect(alerts.map((found) => Number(found.id))).toEqual([2, 3, 4, 5]);
    expect(isComplete).toBe(true);
  });
});

describe('a gap is admitted', () => {
  test('for an id of before the start, which may be of another run of the router', () => {
    const history = new AlertHistory(id(100));
    expect(missed(history, 99, 'anna').isComplete).toBe(false);
    expect(missed(history, 100, 'anna').isComplete).toBe(true);
    add(history, 'anna', 101);
    expect(missed(history, 99, 'anna')).toEqual({ numbers: [101], isComplete: false });
    expect(missed(history, 100, 'anna')).toEqual({ numbers: [101], isComplete: true });
  });

  test('when more than 1,000 alerts came since: the last 1,000 are there', () => {
    const history = new AlertHistory(id(0));
    for (let number = 1; number <= 1_001; number += 1) add(history, 'anna', number);
    const expected = Array.from({ length: 1_000 }, (_, index) => index + 2);
    expect(missed(history, 0, 'anna')).toEqual({ numbers: expected, isComplete: false });
    // Who has seen the one that was forgotten misses nothing.
    expect(missed(history, 1, 'anna')).toEqual({ numbers: expected, isComplete: true });
  });

  test('only to the user whose alerts were so many', () => {
    const history = new AlertHistory(id(0), { ...ROOMY, alertsPerUser: 2 });
    add(history, 'bert', 1);
    for (const number of [2, 3, 4]) add(history, 'anna', number);
    expect(missed(history, 0, 'bert')).toEqual({ numbers: [1], isComplete: true });
    expect(missed(history, 0, 'anna')).toEqual({ numbers: [3, 4], isComplete: false });
  });

  test('when one of the owners asked for has lost some', () => {
    const history = new AlertHistory(id(0), { ...ROOMY, alertsPerUser: 2 });
    add(history, 'bert', 1);
    for (const number of [2, 3, 4]) add(history, 'anna', number);
    expect(missed(history, 0, 'bert', 'anna')).toEqual({ numbers: [1, 3, 4], isComplete: false });
    expect(missed(history, 0, 'anna', 'bert')).toEqual({ numbers: [1, 3, 4], isComplete: false });
  });
});

describe('memory', () => {
  test('of one user is bounded in bytes: large alerts push more than one small one out', () => {
    const history = new AlertHistory(id(0), { ...ROOMY, bytesPerUser: 4 * sizeOf(100) });
    for (const number of [1, 2, 3, 4]) add(history, 'anna', number, 'door', 'x'.repeat(100));
    expect(missed(history, 0, 'anna')).toEqual({ numbers: [1, 2, 3, 4], isComplete: true });
    add(history, 'anna', 5, 'door', 'x'.repeat(101));
    expect(missed(history, 0, 'anna').numbers).toEqual([3, 4, 5]);
    expect(missed(history, 1, 'anna').isComplete).toBe(false);
    expect(missed(history, 2, 'anna').isComplete).toBe(true);
  });

  test('does not take an alert larger than all there is: it is a gap, and later ones are remembered', () => {
    const history = new AlertHistory(id(0), { ...ROOMY, bytesPerUser: sizeOf(100) });
    add(history, 'anna', 1);
    add(history, 'anna', 2, 'door', 'x'.repeat(200));
    expect(missed(history, 1, 'anna')).toEqual({ numbers: [], isComplete: false });
    add(history, 'anna', 3);
    expect(missed(history, 2, 'anna')).toEqual({ numbers: [3], isComplete: true });
  });

  test('of all users together is bounded: whose last alert is the oldest is forgotten', () => {
    const history = new AlertHistory(id(0), { ...ROOMY, bytes: 4 * sizeOf(4) });
    for (const [index, ownerId] of ['anna', 'bert', 'carl', 'anna'].entries()) add(history, ownerId, index + 1);
    add(history, 'dora', 5);
    expect(missed(history, 0, 'bert')).toEqual({ numbers: [], isComplete: false });
    expect(missed(history, 0, 'anna')).toEqual({ numbers: [1, 4], isComplete: true });
    expect(missed(history, 0, 'carl')).toEqual({ numbers: [3], isComplete: true });
    expect(missed(history, 0, 'dora')).toEqual({ numbers: [5], isComplete: true });
  });

  test('that a forgotten user needs again is honest about what was before', () => {
    const history = new AlertHistory(id(0), { ...ROOMY, bytes: 2 * sizeOf(4) });
    add(history, 'bert', 1);
    add(history, 'anna', 2);
    add(history, 'anna', 3);
    add(history, 'bert', 4);
    expect(missed(history, 0, 'bert')).toEqual({ numbers: [4], isComplete: false });
    expect(missed(history, 3, 'bert')).toEqual({ numbers: [4], isComplete: true });
  });

  test('is given back: after any number of alerts as many are remembered as fit', () => {
    const history = new AlertHistory(id(0), { alertsPerUser: 10, bytesPerUser: 5 * sizeOf(4), bytes: 12 * sizeOf(4) });
    const users = ['anna', 'bert', 'carl', 'dora'];
    for (let number = 1; number <= 400; number += 1) add(history, users[number % 4] as string, number);
    // 5 fit for each of two users, and 2 users and 2 alerts are as many as fit for all: so one of them is not whole.
    const { numbers } = missed(history, 0, ...users);
    expect(numbers.length).toBeGreaterThanOrEqual(8);
    expect(numbers.length).toBeLessThanOrEqual(12);
    expect(numbers.at(-1)).toBe(400);
  });
});
