import pg from 'pg';
import type { Log } from '../router/ports.ts';

const TIMEOUT_MS = 5_000;

/** Connections to the session database. They come back by themselves when it does. */
export function openPool(databaseUrl: string, connections: number, log: Log): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: connections,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    keepAlive: true,
  });
  // Without a listener a lost idle connection would end the process; the pool replaces it by itself.
  pool.on('error', (error) => log('warn', { cause: error.message }, 'database connection lost'));
  // A query that timed out leaves its connection waiting, perhaps for ever, when a database went away without a word: it must not be used again. Who
  // borrowed it gives it back as if it were well.
  pool.on('release', (_error, client: pg.PoolClient & { readyForQuery?: boolean }) => {
    if (client.readyForQuery === false) void client.end();
  });
  return pool;
}
