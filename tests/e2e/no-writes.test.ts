import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { openAccounts } from '../../src/demo/accounts.ts';
import { createLogger } from '../../src/log.ts';
import { openEncoder, openViewer, TestClient } from '../support/client.ts';
import { until } from '../support/until.ts';

const { postgresUrl } = inject('databases');
const SECRET = 'a secret of the tests, long enough';

interface TableStatistics {
  table: string;
  reads: number;
  writes: number;
}

async function statistics(admin: pg.Client): Promise<TableStatistics[]> {
  const { rows } = await admin.query<TableStatistics>(
    `SELECT relname AS "table",
            (seq_scan + coalesce(idx_scan, 0))::int AS reads,
            (n_tup_ins + n_tup_upd + n_tup_del)::int AS writes
     FROM pg_stat_user_tables ORDER BY relname`,
  );
  return rows;
}

const writesIn = (tables: readonly TableStatistics[]) =>
  Object.fromEntries(tables.map(({ table, writes }) => [table, writes]));

const readsOf = (name: string, tables: readonly TableStatistics[]) =>
  tables.find(({ table }) => table === name)?.reads ?? 0;

test.skipIf(postgresUrl === undefined).each([
  { rights: 'may only read three tables', isReader: true },
  { rights: 'may do everything', isReader: false },
])(
  'with a role that $rights the router works, and writes nothing: not for expired sessions, not for those due for refresh',
  async ({ isReader }) => {
    // A database of its own: its statistics are this test's alone.
    const server = new pg.Client({ connectionString: postgresUrl });
    await server.connect();
    const name = `watchout_reads_${randomBytes(6).toString('hex')}`;
    const role = `reader_${randomBytes(6).toString('hex')}`;
    await server.query(`CREATE DATABASE ${name}`);
    const url = new URL(postgresUrl as string);
    url.pathname = `/${name}`;

    const accounts = await openAccounts(url.href, SECRET);
    const [fresh, due, expired, revoked] = await Promise.all(
      ['fresh', 'due', 'expired', 'revoked'].map((who) => accounts.signUp(who)),
    );
    await accounts.close();
    if (!fresh || !due || !expired || !revoked) throw new Error('four signed up');
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    const expires = 'UPDATE session SET "expiresAt" = now() + $2::interval WHERE token = $1';
    await admin.query(expires, [due.token, '1 minute']);
    await admin.query(expires, [expired.token, '-1 hour']);
    await admin.query('DELETE FROM session WHERE token = $1', [revoked.token]);
    await admin.query('CREATE TABLE video_stream (id text PRIMARY KEY, "userId" text, "deviceName" text)');
    await admin.query('INSERT INTO video_stream VALUES ($1, $2)', ['fixed', due.userId]);
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'reader'`);
    await admin.query(`GRANT SELECT ON session, "user", video_stream TO ${role}`);
    await until('what was written so far is counted', async () => (await rowsWritten(admin)) >= 8);
    const before = await statistics(admin);

    const readerUrl = new URL(url.href);
    if (isReader) {
      readerUrl.username = role;
      readerUrl.password = 'reader';
    }
    const config = readConfig({
      PORT: '0',
      HOST: '127.0.0.1',
      DATABASE_URL: readerUrl.href,
      BETTER_AUTH_SECRET: SECRET,
      SESSION_CACHE_MS: '0',
      SESSION_RECHECK_MS: '100',
      STREAM_OWNERS: 'video_stream',
    });
    const app = await startApp(config, config.auth as NonNullable<typeof config.auth>, createLogger('silent'));
    const wsUrl = `ws://127.0.0.1:${app.port}`;
    const httpUrl = `http://127.0.0.1:${app.port}`;

    for (const { token, cookie } of [fresh, due]) {
      const { encoder, streamId } = await openEncoder(wsUrl, token, { register: { streamId: `of-${token}` } });
      const viewer = await openViewer(wsUrl, cookie, streamId);
      const sold = await fetch(`${httpUrl}/api/tickets`, {
        method: 'POST',
        headers: { cookie: `better-auth.session_token=${cookie}` },
      });
      expect(sold.status).toBe(201);
      for (const client of [encoder, viewer]) await client.close();
    }
    for (const { token } of [expired, revoked]) {
      const refused = await TestClient.open(`${wsUrl}/streams/register?token=${token}`);
      expect((await refused.next('error'))['code']).toBe('AUTH_REQUIRED');
    }
    // Somebody else's name, which the web app's table knows.
    const intruder = await TestClient.open(`${wsUrl}/streams/register?token=${fresh.token}`);
    intruder.send({ type: 'register', clientType: 'mobile', streamId: 'fixed' });
    expect((await intruder.next('error'))['code']).toBe('UNAUTHORIZED');
    const owner = (await openEncoder(wsUrl, due.token, { register: { streamId: 'fixed' } })).encoder;
    // Sessions are checked again while somebody is connected.
    const readsNow = readsOf('session', await statistics(admin));
    await app.drain();
    await Promise.all([owner, intruder].map(({ closed }) => closed));

    // Its connections are closed, so all it did is counted.
    await until('its reads are counted', async () => readsOf('session', await statistics(admin)) > readsNow);
    const after = await statistics(admin);
    expect(writesIn(after)).toEqual(writesIn(before));
    expect(readsOf('user', after)).toBeGreaterThan(readsOf('user', before));
    expect(readsOf('video_stream', after)).toBeGreaterThan(readsOf('video_stream', before));
    const { rowCount } = await admin.query('SELECT 1 FROM session WHERE token = $1', [expired.token]);
    expect(rowCount).toBe(1);

    await admin.end();
    await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await server.query(`DROP ROLE ${role}`);
    await server.end();
  },
);

/** Into `session`: four made, two updated, one deleted; one row into `video_stream`. */
async function rowsWritten(admin: pg.Client): Promise<number> {
  const tables = await statistics(admin);
  const writes = writesIn(tables);
  return (writes['session'] ?? 0) + (writes['video_stream'] ?? 0);
}
