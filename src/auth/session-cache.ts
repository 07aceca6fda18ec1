import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { OncePer } from '../router/once-per.ts';
import type { Clock, Log, SessionVerifier, Verification } from '../router/ports.ts';

export interface SessionCacheParts {
  sessions: SessionVerifier;
  /** How long a good session is taken on trust, ms. 0: only look-ups under way are shared. */
  maxAgeMs: number;
  clock: Clock;
  log: Log;
}

/** Sessions that are looked up once for many connections. */
export interface CachedSessions extends SessionVerifier {
  /** Times the database was asked, since the start. */
  readonly lookUps: number;
  /** A good session that is remembered; no database is asked. */
  known(token: string): Extract<Verification, { kind: 'session' }> | undefined;
  /** The database is being asked about it: one more who wants to know costs nothing. */
  isUnderWay(token: string): boolean;
  /** These sessions have ended: they are looked up again. */
  forget(sessionIds: ReadonlySet<string>): void;
}

/** Tokens remembered at a time; the least recently used one goes first. */
const MAX_ENTRIES = 50_000;
/** A token that was refused may be good in a moment: a session that the web app has just written. */
const MAX_REFUSED_AGE_MS = 1_000;

/**
 * Asks once for many connections of one session: look-ups under way are shared, and their answers kept for a while. A storm of
 * reconnects asks as often as there are sessions, not connections. That the database did not answer is never remembered. Keys are hashes, so that
 * no token lies in memory longer than its connection needs it.
 */
export function cacheSessions({ sessions, maxAgeMs, clock, log }: SessionCacheParts): CachedSessions {
  let lookUps = 0;
  const underWay = new Set<string>();
  const failureLine = new OncePer(1000);
  const cache = new LRUCache<string, Answer, string>({
    max: MAX_ENTRIES,
    ttl: Math.max(1, maxAgeMs),
    // Read the clock for each look-up: the default looks at it once a turn, and a turn may hold thousands of them.
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() },
    async fetchMethod(key, _stale, { context: token, options }) {
      lookUps += 1;
      underWay.add(key);
      const verification = await sessions.verify(token).finally(() => underWay.delete(key));
      if (verification.kind === 'unavailable') throw new Unavailable();
      options.ttl = maxAgeOf(verification);
      return verification;
    },
  });

  function maxAgeOf(verification: Answer): number {
    const leftMs = verification.kind === 'session' ? verification.expiresAtMs - clock.epochMs() : MAX_REFUSED_AGE_MS;
    // 0 would mean forever.
    return Math.max(1, Math.min(maxAgeMs, leftMs));
  }

  return {
    get lookUps() {
      return lookUps;
    },
    known(token) {
      const answer = cache.get(keyOf(token));
      return answer?.kind === 'session' ? answer : undefined;
    },
    isUnderWay: (token) => underWay.has(keyOf(token)),
    forget(sessionIds) {
      for (const [key, answer] of cache.entries()) {
        const sessionId = answer.kind === 'session' ? answer.principal.sessionId : undefined;
        if (sessionId !== undefined && sessionIds.has(sessionId)) cache.delete(key);
      }
    },
    async verify(token) {
      try {
        return (await cache.fetch(keyOf(token), { context: token })) ?? { kind: 'unavailable' };
      } catch (error) {
        // So many are asked for that this one had to go, or what nobody foresaw; that the database did not answer is said where it is asked.
        const times = error instanceof Unavailable ? 0 : failureLine.due(clock.monotonicMs());
        if (times > 0) log('error', { err: error, times }, 'a session could not be looked up');
        return { kind: 'unavailable' };
      }
    },
  };
}

function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

/** What is worth remembering. */
type Answer = Exclude<Verification, { kind: 'unavailable' }>;

/** A rejection is shared by all who wait for a look-up, and never kept. */
class Unavailable extends Error {}
