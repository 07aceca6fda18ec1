import type { Pool } from 'pg';
import { expect, test } from 'vitest';
import { createVideoStreamOwners } from '../../src/auth/stream-owners.ts';

type Row = Record<string, unknown>;

/** A table of a test's own, which counts how often it is asked. */
function world(rows: Row[]) {
  let nowMs = 1_000;
  let isAway = false;
  const queries: (readonly string[])[] = [];
  const lines: string[] = [];
  const pool = {
    async query(_text: string, [ids]: [readonly string[]]) {
      queries.push(ids);
      if (isAway) throw new Error('the database is away');
      return { rows: rows.filter(({ id }) => ids.includes(String(id))).map((row) => ({ id: String(row['id']), row })) };
    },
  } as unknown as Pool;
  const owners = createVideoStreamOwners({
    pool,
    clock: { epochMs: () => nowMs, monotonicMs: () => nowMs },
    log: (level, facts, message) => void lines.push(`${level}: ${message} ${String(facts['cause'])}`),
    maxAgeMs: 30_000,
  });
  return {
    owners,
    queries,
    lines,
    pass: (ms: number) => {
      nowMs += ms;
    },
    setAway: (value: boolean) => {
      isAway = value;
    },
  };
}

test('whose a stream is, whichever way the column is called, and that one is nobody’s', async () => {
  const { owners } = world([
    { id: 'gate', userId: 'anna' },
    { id: 'yard', user_id: 'ben' },
  ]);
  expect(await owners.load(['gate', 'yard', 'free'])).toBe(true);
  expect(['gate', 'yard', 'free'].map((id) => owners.known(id)?.userId)).toEqual(['anna', 'ben', undefined]);
  expect(owners.known('never asked for')).toBeUndefined();
  expect(owners.unknownOf(['gate', 'free', 'new'])).toEqual(['new']);
});

test('a thousand viewers who want one stream at once cost one query, and those who come later none', async () => {
  const { owners, queries } = world([{ id: 'gate', userId: 'anna' }]);
  await Promise.all(Array.from({ length: 1_000 }, () => owners.load(['gate'])));
  expect(queries).toEqual([['gate']]);
  expect(owners.unknownOf(['gate'])).toEqual([]);
});

test('a stream that changes hands is known to be another’s after a while', async () => {
  const row = { id: 'gate', userId: 'anna' };
  const { owners, pass } = world([row]);
  await owners.load(['gate']);
  row.userId = 'ben';
  pass(31_000);
  expect(owners.unknownOf(['gate'])).toEqual(['gate']);
  await owners.load(['gate']);
  expect(owners.known('gate')?.userId).toBe('ben');
});

test('that the database was away is said, and never remembered', async () => {
  const { owners, setAway, lines } = world([{ id: 'gate', userId: 'anna' }]);
  setAway(true);
  expect(await owners.load(['gate'])).toBe(false);
  expect(owners.known('gate')).toBeUndefined();
  setAway(false);
  expect(await owners.load(['gate'])).toBe(true);
  expect(owners.known('gate')?.userId).toBe('anna');
  expect(lines).toEqual(['error: owners of streams cannot be looked up the database is away']);
});

test('what is said to be known stays so while it is used, and that a name is nobody’s is asked again soon', async () => {
  const { owners, pass } = world([{ id: 'gate', userId: 'anna' }]);
  await owners.load(['gate', 'free']);
  for (let passed = 0; passed < 40_000; passed += 50) {
    const unknown = owners.unknownOf(['gate', 'free']);
    if (!unknown.includes('gate')) expect(owners.known('gate')).toEqual({ userId: 'anna' });
    if (!unknown.includes('free')) expect(owners.known('free')).toEqual({ userId: undefined });
    if (passed === 1_000) expect(unknown).toEqual(['free']);
    pass(50);
  }
  expect(owners.unknownOf(['gate'])).toEqual(['gate']);
});

test('a row that names nobody is nobody’s, and spoils no answer beside it', async () => {
  const { owners } = world([
    { id: 'gate', userId: 'anna' },
    { id: 'yard', userId: null },
  ]);
  expect(await owners.load(['gate', 'yard'])).toBe(true);
  expect(owners.known('yard')).toEqual({ userId: undefined });
  expect(owners.known('gate')).toEqual({ userId: 'anna' });
});

test('a table without an owner’s column is a fault that is said, not a stream of nobody', async () => {
  const { owners, lines } = world([{ id: 'gate', deviceName: 'Gate' }]);
  expect(await owners.load(['gate'])).toBe(false);
  expect(lines[0]).toContain('video_stream has no column userId or user_id');
});
