import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { startEmbeddedDatabase } from '../../src/demo/embedded-database.ts';

test('of many who ask the embedded database at once each gets its own answer', async () => {
  const database = await startEmbeddedDatabase();
  onTestFinished(() => database.stop());
  const pools = Array.from({ length: 4 }, () => new pg.Pool({ connectionString: database.url, max: 8 }));
  onTestFinished(async () => {
    for (const pool of pools) await pool.end();
  });
  const ask = async (pool: pg.Pool, question: string) => {
    const { rows } = await pool.query<{ answer: string }>('SELECT $1::text AS answer', [question]);
    return rows[0]?.answer;
  };
  const questions = Array.from({ length: 800 }, (_, index) => `question ${index}`);
  const answers = await Promise.all(questions.map((question, index) => ask(pools[index % 4] as pg.Pool, question)));
  expect(answers).toEqual(questions);
});

test('what one does in a transaction is not mixed with what others say meanwhile', async () => {
  const database = await startEmbeddedDatabase();
  onTestFinished(() => database.stop());
  const pool = new pg.Pool({ connectionString: database.url, max: 8 });
  onTestFinished(() => pool.end());
  await pool.query('CREATE TABLE note (author int)');
  const write = async (author: number) => {
    const client = await pool.connect();
    await client.query('BEGIN');
    for (let line = 0; line < 5; line += 1) await client.query('INSERT INTO note VALUES ($1)', [author]);
    const { rows } = await client.query('SELECT count(*)::int AS own FROM note WHERE author = $1', [author]);
    await client.query(author % 2 === 0 ? 'COMMIT' : 'ROLLBACK');
    client.release();
    return rows[0]?.own;
  };
  expect(await Promise.all(Array.from({ length: 20 }, (_, author) => write(author)))).toEqual(Array(20).fill(5));
  const { rows } = await pool.query('SELECT count(*)::int AS kept FROM note');
  expect(rows[0]?.kept).toBe(50);
});
