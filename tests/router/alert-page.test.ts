import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SEVERITIES } from '../../proto/messages.ts';
import { AlertHistory, type Remembered } from '../../src/router/alert-history.ts';
import { type AlertQuery, alertPage } from '../../src/router/alert-page.ts';
import { Outgoing } from '../../src/router/outgoing.ts';

const ALL: AlertQuery = {
  streamId: undefined,
  severities: undefined,
  sinceMs: undefined,
  untilMs: undefined,
  beforeId: undefined,
  limit: 200,
};

/** Anna's alerts, numbered from 1, one each second. */
class Alerts {
  readonly #history = new AlertHistory('');
  #last = 0;

  add(streamId = 'door', severity: (typeof SEVERITIES)[number] = 'high', text = 'fall'): number {
    this.#last += 1;
    const alert = { id: String(this.#last).padStart(8, '0'), streamId, severity };
    const message = { type: 'alert', ...alert, message: text, metadata: {}, timestamp: 1 } as const;
    this.#history.add('anna', alert, this.#last * 1_000, new Outgoing(message));
    return this.#last;
  }

  get all(): readonly Remembered[] {
    return this.#history.of('anna');
  }

  /** The numbers on one page, and where the next one begins. */
  page(query: Partial<AlertQuery> = {}): { numbers: number[]; last: string | undefined } {
    const { alerts, last } = alertPage(this.all, { ...ALL, ...query });
    return { numbers: alerts.map(({ id }) => Number(id)), last };
  }
}

/** So many alerts. */
function alertsOf(count: number): Alerts {
  const alerts = new Alerts();
  for (let number = 1; number <= count; number += 1) alerts.add();
  return alerts;
}

describe('a page of alerts', () => {
  test('has the newest first, and says where the next one begins only when there is more', () => {
    const alerts = alertsOf(3);
    expect(alerts.page()).toEqual({ numbers: [3, 2, 1], last: undefined });
    expect(alerts.page({ limit: 3 }).last).toBeUndefined();
    const first = alerts.page({ limit: 2 });
    expect(first).toEqual({ numbers: [3, 2], last: '00000002' });
    expect(alerts.page({ limit: 2, beforeId: first.last })).toEqual({ numbers: [1], last: undefined });
    expect(new Alerts().page()).toEqual({ numbers: [], last: undefined });
  });

  test('has those of a stream, of some severities, of a time: the first moment is in it, the last is not', () => {
    const alerts = new Alerts();
    for (const streamId of ['door', 'yard']) for (const severity of SEVERITIES) alerts.add(streamId, severity);
    expect(alerts.page({ streamId: 'yard' }).numbers).toEqual([8, 7, 6, 5]);
    expect(alerts.page({ severities: ['low', 'critical'] }).numbers).toEqual([8, 5, 4, 1]);
    expect(alerts.page({ sinceMs: 3_000, untilMs: 6_000 }).numbers).toEqual([5, 4, 3]);
    expect(alerts.page({ streamId: 'door', severities: ['critical'], sinceMs: 5_000 }).numbers).toEqual([]);
    // What does not fit is no reason to promise a next page.
    expect(alerts.page({ streamId: 'door', limit: 4 }).last).toBeUndefined();
  });

  test('ends early when its alerts are very large, and has one at least', () => {
    const alerts = new Alerts();
    for (let number = 1; number <= 5; number += 1) alerts.add('door', 'high', 'x'.repeat(400_000));
    const first = alerts.page();
    expect(first.numbers).toEqual([5, 4]);
    expect(alerts.page({ beforeId: first.last }).numbers).toEqual([3, 2]);
    alerts.add('door', 'high', 'x'.repeat(2_000_000));
    expect(alerts.page()).toEqual({ numbers: [6], last: '00000006' });
  });

  test('after page shows every alert that was there exactly once, while new ones come in', () => {
    const streams = fc.constantFrom('door', 'yard');
    const severity = fc.constantFrom(...SEVERITIES);
    const arriving = fc.array(fc.tuple(streams, severity), { maxLength: 40 });
    fc.assert(
      fc.property(
        arriving,
        fc.array(arriving, { maxLength: 50 }),
        fc.integer({ min: 1, max: 7 }),
        fc.option(streams, { nil: undefined }),
        fc.option(fc.subarray([...SEVERITIES]), { nil: undefined }),
        (first, later, limit, streamId, severities) => {
          const alerts = new Alerts();
          const isWanted = (one: Remembered) =>
            (streamId === undefined || one.streamId === streamId) && (severities?.includes(one.severity) ?? true);
          for (const one of first) alerts.add(...one);
          const expected = alerts.all.filter(isWanted).map(({ id }) => Number(id));
          const seen: number[] = [];
          let beforeId: string | undefined;
          const arrivals = later.values();
          do {
            const { numbers, last } = alerts.page({ streamId, severities, limit, beforeId });
            expect(numbers.length).toBeLessThanOrEqual(limit);
            seen.push(...numbers);
            expect(seen.length).toBeLessThanOrEqual(expected.length);
            beforeId = last;
            for (const one of arrivals.next().value ?? []) alerts.add(...one);
          } while (beforeId !== undefined);
          expect(seen).toEqual(expected.toReversed());
        },
      ),
      { numRuns: 200 },
    );
  });
});
