import { LRUCache } from 'lru-cache';
import type { Admission, Authenticator, Clock, Credentials } from '../router/ports.ts';
import type { CachedSessions } from './session-cache.ts';
import type { Tickets } from './tickets.ts';

export interface AuthenticatorParts {
  sessions: CachedSessions;
  tickets: Tickets;
  clock: Clock;
  /** Attempts of one address that may fail in a minute; more wait until some time has passed. */
  maxFailuresPerMinute: number;
}

/** Addresses whose failures are remembered at a time; the one least recently heard of is forgotten first. */
const MAX_ADDRESSES = 100_000;
const MINUTE_MS = 60_000;
/**
 * Sessions that the database is being asked about: failures show only when it has answered. Of one address as many as people may come back through one
 * proxy that is not trusted; in all, what a database answers before anybody gives up.
 */
const MAX_UNDER_WAY_PER_ADDRESS = 500;
const MAX_UNDER_WAY = 5_000;

/**
 * Sessions and tickets behind one `verify`. An address from which too many attempts have failed is not looked up for any more, so that nobody can
 * try out tokens, or keep the database busy with them; a session that was found good a moment ago comes in all the same, since many people may
 * share an address.
 */
export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  const { sessions, tickets, clock, maxFailuresPerMinute } = parts;
  const failures = new LRUCache<string, Failures>({ max: MAX_ADDRESSES });
  const underWayOf = new Map<string, number>();
  let underWay = 0;

  function failuresOf(address: string): Failures {
    const nowMs = clock.monotonicMs();
    const found = failures.get(address) ?? { count: 0, asOfMs: nowMs };
    found.count = Math.max(0, found.count - ((nowMs - found.asOfMs) * maxFailuresPerMinute) / MINUTE_MS);
    found.asOfMs = nowMs;
    return found;
  }

  function failed(address: string): void {
    const found = failuresOf(address);
    // Many may be under way at once: what they bring too much is made up for within a minute, not an hour.
    found.count = Math.min(found.count + 1, 2 * maxFailuresPerMinute);
    failures.set(address, found);
  }

  function isLimited(address: string): boolean {
    // They fade from the moment they are counted, so the last one is never whole.
    return failuresOf(address).count > maxFailuresPerMinute - 1;
  }

  async function lookUp(token: string, address: string): Promise<Admission> {
    if (sessions.isUnderWay(token)) return sessions.verify(token);
    const ofAddress = underWayOf.get(address) ?? 0;
    if (isLimited(address) || ofAddress >= MAX_UNDER_WAY_PER_ADDRESS) return { kind: 'limited' };
    if (underWay >= MAX_UNDER_WAY) return { kind: 'unavailable' };
    underWay += 1;
    underWayOf.set(address, ofAddress + 1);
    try {
      return await sessions.verify(token);
    } finally {
      underWay -= 1;
      const left = (underWayOf.get(address) ?? 1) - 1;
      if (left > 0) underWayOf.set(address, left);
      else underWayOf.delete(address);
    }
  }

  return {
    isLimited,
    failed,
    async verify(credentials: Credentials, address: string): Promise<Admission> {
      // Neither a ticket nor a session that is known costs the database anything.
      const known =
        credentials.kind === 'ticket' ? tickets.redeem(credentials.ticket) : sessions.known(credentials.token);
      if (known !== undefined) return known;
      const admission: Admission =
        credentials.kind === 'ticket'
          ? { kind: isLimited(address) ? 'limited' : 'refused' }
          : await lookUp(credentials.token, address);
      if (admission.kind === 'refused') failed(address);
      return admission;
    },
  };
}

/** Goes down by itself, evenly. */
interface Failures {
  count: number;
  asOfMs: number;
}
