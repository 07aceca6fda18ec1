import { betterAuth } from 'better-auth';
import { isAPIError } from 'better-auth/api';
import { bearer } from 'better-auth/plugins';
import type { Pool } from 'pg';
import { OncePer } from '../router/once-per.ts';
import type { Log, SessionVerifier, Verification } from '../router/ports.ts';

export interface SessionsParts {
  pool: Pool;
  /** Shared with the web app: signed tokens and cookies are checked against it. */
  secret: string;
  baseUrl: string;
  log: Log;
}

/** Longest token looked at; Better Auth's are 32 characters, about 80 when signed. */
const MAX_TOKEN_LENGTH = 512;

/**
 * Sessions as Better Auth itself sees them, read from the web app's database and never written: refreshing a session and
 * deleting an expired one stay the web app's. It takes `deferSessionRefresh` and a GET for that (better-auth 1.7.7); with
 * `disableRefresh` alone an expired row is still deleted.
 */
export function createSessions(parts: SessionsParts): SessionVerifier {
  const outageLine = new OncePer(1000);
  const auth = betterAuth({
    database: parts.pool,
    secret: parts.secret,
    baseURL: parts.baseUrl,
    plugins: [bearer()],
    session: { deferSessionRefresh: true, disableSessionRefresh: true, cookieCache: { enabled: false } },
    // It would want every table of Better Auth; the router reads two, and its role may be granted no more.
    advanced: { database: { validateSchema: false } },
    logger: {
      level: 'error',
      // What it logs is a database error right before it throws a bare 500: the only place where the cause is seen.
      log: (_level, _message, ...details) => {
        const times = outageLine.due(performance.now());
        if (times > 0) parts.log('error', { times, ...causeOf(details[0]) }, 'sessions cannot be checked');
      },
    },
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
  });

  return {
    async verify(token: string): Promise<Verification> {
      if (token.length > MAX_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(token)) return { kind: 'refused' };
      // Cookies come here as bearers too, since one instance knows one cookie name and the web app may use either.
      const headers = new Headers({ authorization: `Bearer ${token}` });
      try {
        const found = await auth.api.getSession({
          headers,
          method: 'GET',
          query: { disableCookieCache: true, disableRefresh: true },
        });
        if (found === null) return { kind: 'refused' };
        const principal = { userId: found.user.id, sessionId: found.session.id };
        return { kind: 'session', principal, expiresAtMs: found.session.expiresAt.getTime() };
      } catch (error) {
        return isAPIError(error) && error.statusCode < 500 ? { kind: 'refused' } : { kind: 'unavailable' };
      }
    },
  };
}

/** A database error's facts. Messages of SQLSTATE class 22 quote values, so they are left out: one may be a token. */
function causeOf(error: unknown): { code?: string; cause?: string } {
  if (!(error instanceof Error)) return {};
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return code.startsWith('22') ? { code } : { code, cause: error.message };
}
