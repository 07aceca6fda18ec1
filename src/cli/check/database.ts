import pg from 'pg';
import type { AuthConfig, Config } from '../../config.ts';
import { hideSecrets } from '../hidden-url.ts';
import { reasonOf } from '../network-words.ts';
import { DEADLINE_MS, type Finding } from './finding.ts';

/** SQLSTATE, as far as it can be mended. */
const NO_SUCH_TABLE = '42P01';
const NO_RIGHT = '42501';

/** Tries the session database as the router would use it: reading, in a transaction that can only read. */
export async function checkDatabase(auth: AuthConfig, owners: Config['STREAM_OWNERS']): Promise<Finding[]> {
  const where = hideSecrets(auth.databaseUrl);
  const client = new pg.Client({
    connectionString: auth.databaseUrl,
    connectionTimeoutMillis: DEADLINE_MS,
    query_timeout: DEADLINE_MS,
  });
  // It is said below; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    return [{ kind: 'bad', text: `The database at ${where} cannot be reached: ${wordsOf(error)}.` }];
  }
  try {
    const { rows } = await client.query<{ role: string }>('SELECT current_user AS role');
    const role = rows[0]?.role ?? '';
    const tables = ['session', '"user"', ...(owners === 'video_stream' ? ['video_stream'] : [])];
    const findings: Finding[] = [{ kind: 'good', text: `The database at ${where} answers; the role is ${role}.` }];
    // One by one: a query that fails ends its transaction.
    for (const table of tables) findings.push(await checkTable(client, table, role));
    return findings;
  } catch (error) {
    return [{ kind: 'bad', text: `The database at ${where} does not answer as it should: ${wordsOf(error)}.` }];
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function checkTable(client: pg.Client, table: string, role: string): Promise<Finding> {
  try {
    await client.query('BEGIN TRANSACTION READ ONLY');
    const { fields } = await client.query(`SELECT * FROM ${table} LIMIT 0`);
    const lacking = lackingIn(table, new Set(fields.map(({ name }) => name)));
    if (lacking !== undefined) return { kind: 'bad', text: `The table ${table} has no column ${lacking}.` };
    const { rows } = await client.query<{ mayWrite: boolean }>(
      `SELECT has_table_privilege($1, 'INSERT, UPDATE, DELETE') AS "mayWrite"`,
      [table],
    );
    if (rows[0]?.mayWrite !== true) return { kind: 'good', text: `The role ${role} may read ${table}.` };
    return { kind: 'note', text: `The role ${role} may read ${table}, and write it: SELECT would be enough.` };
  } catch (error) {
    return { kind: 'bad', text: problemWith(table, role, error) };
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
  }
}

/** What the router looks at. The owner's column has one of two names. */
function lackingIn(table: string, columns: ReadonlySet<string>): string | undefined {
  if (table === 'session') return ['id', 'token', 'userId', 'expiresAt'].find((name) => !columns.has(name));
  if (!columns.has('id')) return 'id';
  const hasOwner = columns.has('userId') || columns.has('user_id');
  return table === 'video_stream' && !hasOwner ? 'userId or user_id' : undefined;
}

function problemWith(table: string, role: string, error: unknown): string {
  const code = error instanceof pg.DatabaseError ? error.code : undefined;
  if (code === NO_RIGHT) return `The role ${role} may not read ${table}: GRANT SELECT ON ${table} TO ${role};`;
  if (code === NO_SUCH_TABLE) return `There is no table ${table}: is this the web app's database, and was it migrated?`;
  return `The table ${table} cannot be read: ${wordsOf(error)}.`;
}

/** The server's own words name the user or the database, and no password. */
function wordsOf(error: unknown): string {
  if (error instanceof pg.DatabaseError) return error.message;
  const isTimeout = error instanceof Error && /timeout/i.test(error.message);
  return isTimeout ? 'it does not answer' : reasonOf(error);
}
