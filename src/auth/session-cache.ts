import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock, SessionVerifier, Verification } from '../router/ports.ts';

export interface SessionCacheParts {
  sessions: SessionVerifier;
  /** How long a good session is taken on trust, ms. 0: only look-ups under way are shared. */
  maxAgeMs: number;
  clock: Clock;
}

/** Sessions that are looked up once for many connections. */
export interface CachedSessions extends SessionVerifier {
  /** Times the database was asked, since the start. */
  readonly lookUps: number;
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
export function cacheSessions({ sessions, maxAgeMs, clock }: SessionCacheParts): CachedSessions {
  let lookUps = 0;
  const cache = new LRUCache<string, Answer, string>({
    max: MAX_ENTRIES,
    ttl: Math.max(1, maxAgeMs),
    // Read the clock for each look-up: the default looks at it once a turn, and a turn may hold thousands of them.
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() },
    async fetchMethod(_key, _stale, { context: token, options }) {
      lookUps += 1;
      const verification = await sessions.verify(token);
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
    async verify(token) {
      const key = createHash('sha256').update(token).digest('base64');
      try {
        return (await cache.fetch(key, { context: token })) ?? { kind: 'unavailable' };
      } catch (error) {
        if (error instanceof Unavailable) return { kind: 'unavailable' };
        throw error;
      }
    },
  };
}

/** What is worth remembering. */
type Answer = Exclude<Verification, { kind: 'unavailable' }>;

/** A rejection is shared by all who wait for a look-up, and never kept. */
class Unavailable extends Error {}
