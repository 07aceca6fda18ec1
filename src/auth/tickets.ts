import { createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock, TicketOffice, Verification } from '../router/ports.ts';

/** A session as a ticket stands for it. */
export type TicketSession = Extract<Verification, { kind: 'session' }>;

export interface Ticket {
  /** 43 characters that need no escaping in a URL. */
  ticket: string;
  expiresInMs: number;
}

/** Time from the page's request to its WebSocket, on a bad network. */
const LIFETIME_MS = 30_000;
const MAX_TICKETS = 100_000;
/** Of one user, unused. A wall of screens opens one connection each. */
const MAX_TICKETS_PER_USER = 100;

/**
 * Short-lived keys for one connection each, so that no token need stand in a URL, which proxies log and browsers remember. In memory: a ticket is good
 * at the router that issued it. Kept as hashes.
 */
export class Tickets implements TicketOffice {
  readonly #clock: Clock;
  readonly #sessions: LRUCache<string, TicketSession>;
  readonly #unusedOf = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sessions = new LRUCache<string, TicketSession>({
      max: MAX_TICKETS,
      ttl: LIFETIME_MS,
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() },
      // Counted where they leave, whichever way they do.
      dispose: ({ principal }) => this.#forgetOne(principal.userId),
    });
  }

  /** Undefined: this user holds too many that are not used yet. */
  issue(session: TicketSession): Ticket | undefined {
    const { userId } = session.principal;
    const leftMs = session.expiresAtMs - this.#clock.epochMs();
    const expiresInMs = Math.max(1, Math.min(LIFETIME_MS, Math.floor(leftMs)));
    if ((this.#unusedOf.get(userId) ?? 0) >= MAX_TICKETS_PER_USER) {
      this.#sessions.purgeStale();
      if ((this.#unusedOf.get(userId) ?? 0) >= MAX_TICKETS_PER_USER) return undefined;
    }
    const ticket = randomBytes(32).toString('base64url');
    this.#unusedOf.set(userId, (this.#unusedOf.get(userId) ?? 0) + 1);
    this.#sessions.set(hashOf(ticket), session, { ttl: expiresInMs });
    return { ticket, expiresInMs };
  }

  /** The session that it stands for, once. Undefined: used, expired, or never issued. */
  redeem(ticket: string): TicketSession | undefined {
    const key = hashOf(ticket);
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    return session;
  }

  /** Sessions that have ended: their tickets open nothing any more. */
  forget(sessionIds: ReadonlySet<string>): void {
    for (const [key, { principal }] of this.#sessions.entries()) {
      const { sessionId } = principal;
      if (sessionId !== undefined && sessionIds.has(sessionId)) this.#sessions.delete(key);
    }
  }

  #forgetOne(userId: string): void {
    const left = (this.#unusedOf.get(userId) ?? 1) - 1;
    if (left > 0) this.#unusedOf.set(userId, left);
    else this.#unusedOf.delete(userId);
  }
}

function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64');
}
