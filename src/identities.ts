import { createAuthenticator } from './auth/authenticator.ts';
import { openPool } from './auth/database-pool.ts';
import { LiveSessions } from './auth/live-sessions.ts';
import { cacheSessions } from './auth/session-cache.ts';
import { createSessionRows } from './auth/session-rows.ts';
import { createSessions } from './auth/sessions.ts';
import { createVideoStreamOwners } from './auth/stream-owners.ts';
import { Tickets } from './auth/tickets.ts';
import { timeSessions } from './auth/timed-sessions.ts';
import type { AuthConfig, Config } from './config.ts';
import type { Clock, DurationSink, Log, Verification } from './router/ports.ts';

export interface IdentitiesParts {
  config: Config;
  auth: AuthConfig;
  clock: Clock;
  log: Log;
  /** How long each look-up of a session took. */
  lookUpTook: DurationSink<Verification['kind']>;
  /** Guests bring tokens that are no good session by the hour, and none of them is an attempt to get in. */
  countsFailures: boolean;
}

/** Who is who: sessions of the web app's database, tickets, and owners of streams, as the environment has them. */
export function openIdentities({ config, auth, clock, log, lookUpTook, countsFailures }: IdentitiesParts) {
  const pool = openPool(auth.databaseUrl, 10, log);
  // Of its own, so that a crowd of newcomers does not keep it from closing whose session has ended.
  const recheckPool = openPool(auth.databaseUrl, 1, log);
  const sessions = cacheSessions({
    sessions: timeSessions(
      createSessions({ pool, secret: auth.secret, baseUrl: auth.baseUrl, log }),
      clock,
      lookUpTook,
    ),
    maxAgeMs: config.SESSION_CACHE_MS,
    clock,
    log,
  });
  const tickets = new Tickets(clock);
  const liveSessions = new LiveSessions({
    rows: createSessionRows(recheckPool),
    clock,
    log,
    onEnded: (sessionIds) => {
      sessions.forget(sessionIds);
      tickets.forget(sessionIds);
    },
  });
  const maxFailuresPerMinute = countsFailures ? config.MAX_AUTH_FAILURES_PER_IP : Number.MAX_SAFE_INTEGER;
  return {
    authenticator: createAuthenticator({ sessions, tickets, clock, maxFailuresPerMinute }),
    tickets,
    liveSessions,
    owners:
      config.STREAM_OWNERS === 'video_stream'
        ? createVideoStreamOwners({ pool, clock, log, maxAgeMs: config.SESSION_CACHE_MS })
        : undefined,
    /** Since the start. */
    lookUps: () => sessions.lookUps,
    closePools: () => Promise.all([pool.end(), recheckPool.end()]),
  };
}
