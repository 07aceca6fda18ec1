import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from 'uWebSockets.js';
import { CloseCode } from '../../../proto/close-codes.ts';
import { type Encoding, SUBPROTOCOLS } from '../../../proto/codec.ts';
import { atMost } from '../../at-most.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type {
  Admission,
  After,
  Authenticator,
  Clock,
  Log,
  Principal,
  SessionWatch,
  StreamOwners,
} from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { ClientAddress } from '../client-address.ts';
import { findCredentials, readRequestHead } from '../credentials.ts';
import { replyError } from '../http/reply.ts';
import { Arrival, type Role, type SocketData } from './arrival.ts';
import { CheckedUpgrades } from './checked-upgrades.ts';
import { Connection } from './connection.ts';
import { ConnectionLimits, type ConnectionMaxima } from './connection-limits.ts';
import { ErrorAnswers } from './error-answers.ts';
import { startHeartbeat } from './heartbeat.ts';
import { Intake } from './intake.ts';
import { authenticated, LookUps } from './look-ups.ts';
import { causeOf, Reception, type RefusalCause } from './reception.ts';
import { UwsSocket } from './uws-socket.ts';

/** Silence after which the library closes a connection. It accepts 8 to 960. */
const IDLE_TIMEOUT_SECONDS = 120;
const PING_INTERVAL_MS = 30_000;

/** `SHARED_COMPRESSOR`: one compressor for all sockets, none per socket. The package exports it as a value, but types it as none. */
const SHARED_COMPRESSOR = 1;

/** Time over which a drain spreads its closes, and the reconnects of clients that understand `going-away`. */
const DRAIN_SPREAD_MS = 2_000;
const RECONNECT_SPREAD_MS = 5_000;

/** Connections beyond the limit that are being told so; more are answered with a bare 503. */
const REFUSED_AT_A_TIME = 1_000;

const UPGRADE_HEADERS = { upgrade: 'websocket', connection: 'Upgrade' };

export interface WebSocketGatewayParts {
  router: Router;
  authenticator: Authenticator;
  sessionWatch: SessionWatch;
  owners: StreamOwners | undefined;
  clock: Clock;
  log: Log;
  after: After;
  maxMessageBytes: number;
  /** Memory that one client may hold with what waits for it. */
  maxBackpressureBytes: number;
  maxima: ConnectionMaxima;
  addressOf: ClientAddress;
  allowedOrigins: readonly string[];
  authDeadlineMs: number;
  /** Sessions are checked before the upgrade, and a refusal is a 401. */
  rejectsAtUpgrade: boolean;
  pingIntervalMs?: number;
}

/** The WebSocket doors `/streams/register` and `/streams/subscribe`: sockets in, router calls out. */
export class WebSocketGateway {
  readonly #parts: WebSocketGatewayParts;
  /** Every open socket, its session checked or not. */
  readonly #arrivals = new Set<Arrival>();
  readonly #reception: Reception;
  readonly #checkedUpgrades: CheckedUpgrades | undefined;
  readonly #intake: Intake;
  readonly #stopHeartbeat: () => void;
  #connectionCount = 0;
  #draining = false;
  #whenEmpty: (() => void) | undefined;

  constructor(app: TemplatedApp, parts: WebSocketGatewayParts) {
    this.#parts = parts;
    const { router, authenticator } = parts;
    const limits = new ConnectionLimits(parts.maxima);
    this.#reception = new Reception({
      ...parts,
      limits,
      admit: (arrival, principal, saidAuth) => this.#admit(arrival, principal, saidAuth),
    });
    if (parts.rejectsAtUpgrade) {
      const anySocket = () => this.#arrivals.values().next().value?.socket;
      const isDraining = () => this.#draining;
      this.#checkedUpgrades = new CheckedUpgrades({ authenticator, reception: this.#reception, anySocket, isDraining });
    }
    const lookUps = new LookUps({ ...parts, streams: router.streams });
    const answers = new ErrorAnswers({ ...parts, counters: router.counters });
    this.#intake = new Intake({ ...parts, lookUps, answers });
    this.#open(app, '/streams/register', 'encoder');
    this.#open(app, '/streams/subscribe', 'viewer');
    this.#stopHeartbeat = startHeartbeat(this.#arrivals, parts.clock, parts.pingIntervalMs ?? PING_INTERVAL_MS);
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** Counts a request that another door turned away. */
  noteRefused(admission: Exclude<Admission, { kind: 'session' }>, address: string): void {
    this.#reception.note(causeOf(admission), address);
  }

  /** Connections and requests turned away since the start, by cause. */
  get refused(): Readonly<Record<RefusalCause, number>> {
    return this.#reception.refused;
  }

  /**
   * Sends everybody away in order: new upgrades get 503, clients that understand it learn when to come back, and 1012 closes
   * are spread so that not all reconnect in the same moment. Resolves when the last one is gone, or `deadlineMs` have passed.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    this.#stopHeartbeat();
    const leaving = [...this.#arrivals];
    const spreadMs = Math.min(DRAIN_SPREAD_MS, leaving.length * 5);
    const timestamp = this.#parts.clock.epochMs();
    for (const [index, { connection, socket }] of leaving.entries()) {
      const closeAfterMs = (index / leaving.length) * spreadMs;
      const reconnectAfterMs = Math.round(closeAfterMs + Math.random() * RECONNECT_SPREAD_MS);
      if (connection?.peer.understands('going-away')) {
        connection.peer.tell(new Outgoing({ type: 'going-away', reconnectAfterMs, timestamp }));
      }
      setTimeout(() => socket?.close(CloseCode.serviceRestart, 'Service restart'), closeAfterMs);
    }
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    const gone = this.#arrivals.size === 0 ? undefined : empty;
    await atMost(deadlineMs, Promise.all([gone, ...this.#reception.checks]));
  }

  #open(app: TemplatedApp, path: string, role: Role): void {
    app.ws<SocketData>(path, {
      // Ours is the limit that counts, since ours comes with an error; far beyond it the library cuts the connection.
      maxPayloadLength: this.#parts.maxMessageBytes * 2,
      // What waits lies in memory that doubles as it grows: with the whole limit, a stalled viewer of 100 KB frames held 1.44 MiB
      // of the 1.10 it may (`npm run bench:compare -- --only stalled`).
      maxBackpressure: Math.floor(this.#parts.maxBackpressureBytes / 2),
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      sendPingsAutomatically: false,
      // Not for encoders: they would deflate every JPEG they send, to no avail, and the router would inflate it.
      ...(role === 'viewer' ? { compression: SHARED_COMPRESSOR } : {}),
      upgrade: (res, req, context) => this.#upgrade(role, res, req, context),
      open: (ws) => this.#opened(ws),
      message: (ws, message, isBinary) => this.#message(ws, message, isBinary),
      dropped: (ws, message, isBinary) => this.#dropped(ws, message, isBinary),
      drain: (ws) => this.#drained(ws),
      pong: (ws) => {
        const { connection } = ws.getUserData().arrival;
        if (connection !== undefined) connection.unansweredPings = 0;
      },
      close: (ws, code) => this.#closed(ws, code),
    });
  }

  /**
   * Upgrades at once and checks the session afterwards, while what the client sends is held: so a browser can read the refusal. It is also
   * the simpler order for this library, see `CheckedUpgrades`.
   */
  #upgrade(role: Role, res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    if (this.#draining) {
      replyError(res, 503, 'UNAVAILABLE', 'The router is shutting down');
      return;
    }
    if (this.#arrivals.size >= this.#parts.maxima.total + REFUSED_AT_A_TIME) {
      this.#reception.note('total', 'any');
      replyError(res, 503, 'TOO_MANY_CONNECTIONS', 'The router has all the connections it takes');
      return;
    }
    // The library upgrades without it, and one that wants to be closed besides it closes in the middle of a late upgrade, and never says so.
    if (!/(^|,)\s*upgrade\s*(,|$)/i.test(req.getHeader('connection'))) {
      replyError(res, 426, 'UPGRADE_REQUIRED', 'The Connection header must name Upgrade', UPGRADE_HEADERS);
      return;
    }
    const subprotocol = chooseSubprotocol(req.getHeader('sec-websocket-protocol'));
    const remote = Buffer.from(res.getRemoteAddressAsText()).toString('latin1');
    const head = readRequestHead(req);
    const address = this.#parts.addressOf(remote, head.forwardedFor);
    const shown = findCredentials(head, this.#parts.allowedOrigins);
    const key = req.getHeader('sec-websocket-key');
    const extensions = req.getHeader('sec-websocket-extensions');
    const arrival = new Arrival(role, SUBPROTOCOLS[subprotocol], address, shown);
    const upgrade = () => {
      const data: SocketData = { arrival };
      res.upgrade(data, key, subprotocol, extensions, context);
    };
    if (this.#checkedUpgrades === undefined) upgrade();
    else void this.#checkedUpgrades.begin(res, arrival, shown, upgrade);
  }

  #opened(ws: WebSocket<SocketData>): void {
    const { arrival } = ws.getUserData();
    arrival.socket = new UwsSocket(ws);
    this.#arrivals.add(arrival);
    this.#reception.opened(arrival);
  }

  #admit(arrival: Arrival, principal: Principal, saidAuth: boolean): void {
    const { socket, role, address } = arrival;
    if (socket === undefined) return;
    const { clock, sessionWatch, log } = this.#parts;
    const connection = new Connection(socket, principal, arrival, clock);
    arrival.connection = connection;
    this.#connectionCount += 1;
    sessionWatch.add(principal.sessionId, connection);
    log('debug', { role, userId: principal.userId, address }, 'connected');
    if (saidAuth) {
      connection.heard(arrival.encoding);
      connection.peer.tell(authenticated(clock));
    }
    this.#intake.listen(arrival, connection);
  }

  #message(ws: WebSocket<SocketData>, message: ArrayBuffer, isBinary: boolean): void {
    const { arrival } = ws.getUserData();
    const { connection } = arrival;
    const encoding: Encoding = isBinary ? 'msgpack' : 'json';
    if (connection !== undefined && arrival.state === 'live') {
      this.#intake.handle(arrival, connection, Buffer.from(message), encoding);
    } else this.#reception.heard(arrival, message, encoding);
  }

  #dropped(ws: WebSocket<SocketData>, message: ArrayBuffer, isBinary: boolean): void {
    const { connection } = ws.getUserData().arrival;
    if (connection?.side.role !== 'viewer') return;
    const bytes = Buffer.from(message);
    const published = connection.socket.isSending(bytes) ? undefined : bytes;
    const refused = published && { bytes: published, encoding: isBinary ? ('msgpack' as const) : ('json' as const) };
    this.#parts.router.viewers.dropped(connection.side.viewer, refused);
  }

  #drained(ws: WebSocket<SocketData>): void {
    const { connection } = ws.getUserData().arrival;
    if (connection === undefined) return;
    if (connection.side.role === 'viewer') connection.side.viewer.catchUp();
    else connection.peer.flush();
  }

  #closed(ws: WebSocket<SocketData>, code: number): void {
    const { arrival } = ws.getUserData();
    arrival.socket?.markClosed();
    this.#arrivals.delete(arrival);
    if (this.#arrivals.size === 0) this.#whenEmpty?.();
    this.#reception.gone(arrival);
    const { connection } = arrival;
    if (connection === undefined) return;
    this.#connectionCount -= 1;
    this.#parts.sessionWatch.remove(connection.sessionId, connection);
    const { side } = connection;
    const { userId } = connection.peer.principal;
    if (side.role === 'viewer') {
      const { offered, delivered, dropped } = this.#parts.router.viewers.gone(side.viewer);
      this.#parts.log('debug', { role: side.role, userId, code, offered, delivered, dropped }, 'disconnected');
    } else {
      this.#parts.router.streams.encoderGone(side.link);
      this.#parts.log('debug', { role: side.role, userId, code }, 'disconnected');
    }
  }
}

function chooseSubprotocol(offered: string): string {
  const names = offered.split(',').map((name) => name.trim());
  return names.find((name) => Object.hasOwn(SUBPROTOCOLS, name)) ?? '';
}
