import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';
import type { Pool } from 'pg';
import { OncePer } from '../router/once-per.ts';
import type { Clock, Log, StreamOwners } from '../router/ports.ts';

export interface VideoStreamOwnersParts {
  pool: Pool;
  clock: Clock;
  log: Log;
  /** How long an answer is taken on trust, ms. */
  maxAgeMs: number;
}

const MAX_ENTRIES = 50_000;
const MAX_IDS_PER_QUERY = 1_000;
/** An answer is used at once, however short its life. */
const MIN_AGE_MS = 1_000;
/** One that has less left is asked for again: it must not end between the question whether it is known and its use. */
const SPARE_MS = 500;
/** That a name is nobody's may change in a moment: the web app has just made the row. */
const NOBODYS_AGE_MS = 1_000;

/**
 * Owners as the web app's `video_stream` table has them, only read. The owner's column may be called `userId` or `user_id`, as schema tools
 * write it. One query for all that is asked for in one turn, and none for what is being asked for already: when a router comes back, thousands of
 * viewers want the same stream before its camera is there.
 */
export function createVideoStreamOwners({ pool, clock, log, maxAgeMs }: VideoStreamOwnersParts): StreamOwners {
  const outageLine = new OncePer(1000);
  const owners = new LRUCache<string, { userId: string | undefined }>({
    max: MAX_ENTRIES,
    ttl: Math.max(MIN_AGE_MS, maxAgeMs),
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() },
  });
  const loader = new DataLoader<string, string | undefined>(query, {
    maxBatchSize: MAX_IDS_PER_QUERY,
    // By default it gathers until the call from the socket library ends, which is one message.
    batchScheduleFn: (run) => void setImmediate(run),
  });

  async function query(streamIds: readonly string[]): Promise<(string | undefined)[]> {
    // As text, since the ids may be of another type there, and the whole row: a query that names a column which is not there fails.
    const text =
      'SELECT id::text AS id, to_jsonb(video_stream) AS row FROM video_stream WHERE id::text = ANY($1::text[])';
    const { rows } = await pool.query<{ id: string; row: Record<string, unknown> }>(text, [streamIds]);
    const found = new Map(rows.map(({ id, row }) => [id, ownerIn(row)]));
    return streamIds.map((id) => found.get(id));
  }

  async function load(streamId: string): Promise<void> {
    try {
      const userId = await loader.load(streamId);
      owners.set(streamId, { userId }, userId === undefined ? { ttl: NOBODYS_AGE_MS } : {});
    } finally {
      // It shares what is under way; what is known is kept here, for a while.
      loader.clear(streamId);
    }
  }

  return {
    unknownOf: (streamIds) => streamIds.filter((id) => owners.getRemainingTTL(id) < SPARE_MS),
    async load(streamIds) {
      const results = await Promise.allSettled(streamIds.map(load));
      const failure = results.find((result) => result.status === 'rejected');
      if (failure === undefined) return true;
      const times = outageLine.due(clock.monotonicMs());
      const cause = failure.reason instanceof Error ? failure.reason.message : String(failure.reason);
      if (times > 0) log('error', { times, cause }, 'owners of streams cannot be looked up');
      return false;
    },
    known: (streamId) => owners.get(streamId),
  };
}

/** Undefined: the row names nobody. */
function ownerIn(row: Record<string, unknown>): string | undefined {
  const column = ['userId', 'user_id'].find((name) => name in row);
  if (column === undefined) throw new Error('video_stream has no column userId or user_id');
  const owner = row[column];
  return owner === null || owner === undefined ? undefined : String(owner);
}
