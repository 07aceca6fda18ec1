import { expect, test } from 'vitest';
import { LiveSessions } from '../../src/auth/live-sessions.ts';

const NOW_MS = 1_000_000;

/** A database whose answers a test makes up, and which counts how often it is asked. */
function world() {
  const queries: (readonly string[])[] = [];
  const ended: string[] = [];
  const lines: string[] = [];
  let answer: (ids: readonly string[]) => Promise<ReadonlyMap<string, number>> = async () => new Map();
  const live = new LiveSessions({
    rows: {
      expiriesOf: (ids) => {
        queries.push(ids);
        return answer(ids);
      },
    },
    clock: { epochMs: () => NOW_MS, monotonicMs: () => NOW_MS },
    log: (level, _facts, message) => void lines.push(`${level}: ${message}`),
    onEnded: (ids) => void ended.push(...ids),
  });
  const closed: string[] = [];
  const holder = (name: string) => ({ sessionEnded: () => void closed.push(name) });
  return {
    live,
    queries,
    ended,
    lines,
    closed,
    holder,
    answers: (expiries: Record<string, number>) => {
      answer = async () => new Map(Object.entries(expiries));
    },
    fails: () => {
      answer = async () => {
        throw new Error('the database is away');
      };
    },
    hangs: () => {
      let go: (expiries: ReadonlyMap<string, number>) => void = () => undefined;
      answer = () =>
        new Promise((resolve) => {
          go = resolve;
        });
      return (expiries: Record<string, number>) => go(new Map(Object.entries(expiries)));
    },
  };
}

test('ten thousand connections of fifty sessions cost one query, which names each session once', async () => {
  const { live, queries, holder, answers } = world();
  for (let index = 0; index < 10_000; index += 1) live.add(`session-${index % 50}`, holder(String(index)));
  answers(Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`session-${index}`, NOW_MS + 1])));
  await live.recheck();
  expect(queries).toHaveLength(1);
  expect(new Set(queries[0]).size).toBe(50);
  expect(queries[0]).toHaveLength(50);
});

test('nobody connected costs no query', async () => {
  const { live, queries, holder } = world();
  const only = holder('only');
  live.add('session', only);
  live.remove('session', only);
  await live.recheck();
  expect(queries).toEqual([]);
});

test('missing and expired sessions end with all their connections, the others stay', async () => {
  const { live, closed, ended, holder, answers } = world();
  for (const name of ['gone', 'expired', 'good']) for (const n of [1, 2]) live.add(name, holder(`${name}-${n}`));
  answers({ expired: NOW_MS, good: NOW_MS + 1 });
  await live.recheck();
  expect(closed.sort()).toEqual(['expired-1', 'expired-2', 'gone-1', 'gone-2']);
  expect(ended.sort()).toEqual(['expired', 'gone']);
});

test('a database that does not answer ends nobody, and says so once per check', async () => {
  const { live, closed, lines, holder, fails, answers } = world();
  live.add('session', holder('viewer'));
  fails();
  await live.recheck();
  expect(closed).toEqual([]);
  expect(lines).toEqual(['warn: sessions cannot be checked again; nobody is closed']);
  answers({});
  await live.recheck();
  expect(closed).toEqual(['viewer']);
});

test('whoever comes while a check is under way is not judged by it, and no second check begins', async () => {
  const { live, closed, queries, holder, hangs } = world();
  live.add('early', holder('early'));
  const answer = hangs();
  const check = live.recheck();
  live.add('late', holder('late'));
  await live.recheck();
  answer({ early: NOW_MS + 1 });
  await check;
  expect(queries).toEqual([['early']]);
  expect(closed).toEqual([]);
});
