import type { ConnectionFacts, OpenConnection } from '../../router/open-connection.ts';
import type { Clock, Principal, SessionHolder, SessionWatch } from '../../router/ports.ts';
import type { Exchange } from '../http/exchange.ts';
import type { ConnectionLimits, ReachedLimit } from '../websocket/connection-limits.ts';

/** A request that lasts as long as a connection. It lives by a session, and ends with it. */
export interface LastingRequest extends SessionHolder {
  /** What connection it is; undefined: none, it is over soon. */
  readonly facts: ConnectionFacts | undefined;
  /** Called every few seconds. `nowMs`: of the monotonic clock. */
  tick(nowMs: number): void;
  /** The router shuts down. */
  shutDown(): void;
}

export interface LastingRequestsParts {
  limits: ConnectionLimits;
  sessionWatch: SessionWatch;
  clock: Clock;
  /** Counts who is turned away. */
  refused: (reached: ReachedLimit, address: string) => void;
  /** One that no connection has had. */
  newConnectionId: () => number;
}

/** Often enough for the library, which ends what has not moved for 10 s, and counts in steps of 4. */
const TICK_MS = 4_000;

const MESSAGES: Readonly<Record<ReachedLimit, string>> = {
  total: 'The router has all the connections it takes',
  perAddress: 'Too many connections from your address',
  pendingPerAddress: 'Too many connections from your address that show no credentials',
  perUser: 'Too many connections of this user',
};

/** Room that was taken in the limits on connections. */
export class Room {
  readonly id: number;
  /** Ms of the monotonic clock. */
  readonly sinceMs: number;
  readonly #owner: LastingRequests;
  readonly address: string;
  readonly #principal: Principal;
  #request: LastingRequest | undefined;
  #isLeft = false;

  constructor(owner: LastingRequests, id: number, sinceMs: number, address: string, principal: Principal) {
    this.id = id;
    this.sinceMs = sinceMs;
    this.#owner = owner;
    this.address = address;
    this.#principal = principal;
  }

  /** The request goes on: until `leave` it is checked, ticked, and sent away at the end. */
  keep(request: LastingRequest): void {
    if (this.#isLeft) return;
    this.#request = request;
    this.#owner.began(request, this, this.#principal);
  }

  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#owner.left(this.address, this.#principal, this.#request);
  }
}

/** Requests that last, counted among the connections. */
export class LastingRequests {
  readonly #parts: LastingRequestsParts;
  readonly #requests = new Map<LastingRequest, Room>();
  readonly #timer: NodeJS.Timeout;
  #isDraining = false;

  constructor(parts: LastingRequestsParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  get count(): number {
    return this.#requests.size;
  }

  /** Those that are connections. */
  *connections(): Generator<OpenConnection> {
    for (const [{ facts }, { id, address, sinceMs }] of this.#requests) {
      if (facts !== undefined) yield { ...facts, id, address, sinceMs, rttMs: undefined };
    }
  }

  /** Takes room for a request. Undefined: there is none, which is answered. */
  enter(exchange: Exchange, principal: Principal): Room | undefined {
    const { limits } = this.#parts;
    const { address } = exchange;
    if (this.#isDraining) {
      exchange.error(503, 'UNAVAILABLE', 'The router is shutting down', { 'retry-after': '5' });
      return undefined;
    }
    const reached = limits.enter(address, false) ?? this.#enterUser(address, principal);
    if (reached === undefined) {
      const { newConnectionId, clock } = this.#parts;
      return new Room(this, newConnectionId(), clock.monotonicMs(), address, principal);
    }
    this.#parts.refused(reached, address);
    exchange.error(503, 'TOO_MANY_CONNECTIONS', MESSAGES[reached], { 'retry-after': '5' });
    return undefined;
  }

  /** Ends all of them; no more are taken. */
  drain(): void {
    this.#isDraining = true;
    clearInterval(this.#timer);
    for (const request of [...this.#requests.keys()]) request.shutDown();
  }

  began(request: LastingRequest, room: Room, { sessionId }: Principal): void {
    this.#requests.set(request, room);
    if (sessionId !== undefined) this.#parts.sessionWatch.add(sessionId, request);
  }

  left(address: string, { userId, sessionId }: Principal, request: LastingRequest | undefined): void {
    const { limits, sessionWatch } = this.#parts;
    limits.leave(address);
    limits.leaveUser(userId);
    if (request === undefined) return;
    this.#requests.delete(request);
    if (sessionId !== undefined) sessionWatch.remove(sessionId, request);
  }

  #enterUser(address: string, { userId }: Principal): ReachedLimit | undefined {
    const reached = this.#parts.limits.enterUser(userId);
    if (reached !== undefined) this.#parts.limits.leave(address);
    return reached;
  }

  #tick(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const request of [...this.#requests.keys()]) request.tick(nowMs);
  }
}
