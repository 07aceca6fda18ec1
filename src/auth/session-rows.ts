import type { Pool } from 'pg';

/** Rows of Better Auth's `session` table, only read. */
export interface SessionRows {
  /** When each of these sessions ends, ms since the epoch. Those that are gone are missing. Rejects when the database does not answer. */
  expiriesOf(sessionIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

export function createSessionRows(pool: Pool): SessionRows {
  return {
    async expiriesOf(sessionIds) {
      // No cast: the parameter takes the column's type, which may be uuid in some installations.
      const text = 'SELECT id, "expiresAt" FROM session WHERE id = ANY($1)';
      const { rows } = await pool.query<{ id: unknown; expiresAt: Date }>(text, [sessionIds]);
      return new Map(rows.map(({ id, expiresAt }) => [String(id), expiresAt.getTime()]));
    },
  };
}
