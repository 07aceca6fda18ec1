import { CloseCode } from '../../../proto/close-codes.ts';
import type { Encoding } from '../../../proto/codec.ts';
import { ErrorCode } from '../../../proto/errors.ts';
import type { OpenConnection } from '../../router/open-connection.ts';
import { Outgoing } from '../../router/outgoing.ts';
import { Peer } from '../../router/peer.ts';
import type { Clock, SessionHolder } from '../../router/ports.ts';
import { Strikes } from '../../router/strikes.ts';
import type { TokenBucket } from '../../router/token-bucket.ts';
import type { Arrival, SocketData } from './arrival.ts';
import type { Door } from './doors.ts';
import type { Entrant } from './entrance.ts';
import { type Side, sideAt } from './side.ts';
import type { UwsSocket } from './uws-socket.ts';

/** Invalid messages that close a connection, and the time they must come in. */
const MAX_INVALID_MESSAGES = 20;
const INVALID_WINDOW_MS = 10_000;

/** One WebSocket that was let in, and what it is for. */
export class Connection implements SessionHolder, OpenConnection {
  readonly id: number;
  /** Whole ms of the monotonic clock. */
  readonly sinceMs: number;
  readonly address: string;
  readonly peer: Peer;
  readonly socket: UwsSocket<SocketData>;
  readonly door: Door;
  readonly standing: Entrant['standing'];
  side: Side;
  /** The session it lives by, if it does; a later `auth` may bring another one of the same user. */
  sessionId: string | undefined;
  /** An `auth` that would bring another one is being looked up. */
  isRenewing = false;
  /** Names whose owners it may have looked up. */
  lookUps: TokenBucket | undefined;
  /** Pings sent since the client was last heard. */
  unansweredPings = 0;
  /** Whole ms, from a ping to its pong; undefined before the first. */
  rttMs: number | undefined;
  /** When the oldest ping went out that has no pong yet, ms of the monotonic clock. */
  #pingedAtMs: number | undefined;
  readonly #clock: Clock;
  #strikes: Strikes | undefined;
  #encodingKnown: boolean;

  constructor(
    id: number,
    socket: UwsSocket<SocketData>,
    { standing, principal }: Entrant,
    arrival: Arrival,
    clock: Clock,
  ) {
    this.id = id;
    this.sinceMs = Math.floor(clock.monotonicMs());
    this.address = arrival.address;
    this.socket = socket;
    this.door = arrival.door;
    this.standing = standing;
    this.sessionId = principal.sessionId;
    this.#clock = clock;
    this.peer = new Peer(principal, socket, arrival.subprotocolEncoding);
    const { knownEncoding } = arrival;
    this.#encodingKnown = knownEncoding !== undefined;
    if (knownEncoding !== undefined) this.peer.encoding = knownEncoding;
    this.side = sideAt(arrival.door, this.peer);
  }

  get transport(): 'websocket' {
    return 'websocket';
  }

  get path(): string {
    return this.door.path;
  }

  ping(): void {
    this.unansweredPings += 1;
    this.#pingedAtMs ??= Math.floor(this.#clock.monotonicMs());
    this.socket.ping();
  }

  /** Its answer, which waits behind whatever the kernel still holds for the client: so it tells of a slow line, too. */
  ponged(): void {
    this.unansweredPings = 0;
    if (this.#pingedAtMs === undefined) return;
    this.rttMs = Math.floor(this.#clock.monotonicMs()) - this.#pingedAtMs;
    this.#pingedAtMs = undefined;
  }

  /** Something arrived. Without a subprotocol the first message decides in which encoding the client is answered. */
  heard(encoding: Encoding): void {
    this.unansweredPings = 0;
    if (this.#encodingKnown) return;
    this.peer.encoding = encoding;
    this.#encodingKnown = true;
  }

  /** Its `auth` was good. Who listens to alerts hears nothing but alerts. */
  authenticated(): void {
    if (this.door.kind === 'alerts') return;
    const timestamp = this.#clock.epochMs();
    this.peer.tell(new Outgoing({ type: 'success', message: 'Authentication successful', timestamp }));
  }

  /** One more invalid message. True when they are too many. */
  strike(nowMs: number): boolean {
    this.#strikes ??= new Strikes(MAX_INVALID_MESSAGES, INVALID_WINDOW_MS);
    return this.#strikes.strike(nowMs);
  }

  sessionEnded(): void {
    const timestamp = this.#clock.epochMs();
    const message = 'The session has ended';
    this.peer.tell(new Outgoing({ type: 'error', code: ErrorCode.authRequired, message, timestamp }));
    this.socket.close(CloseCode.policyViolation, 'Unauthorized');
  }
}
