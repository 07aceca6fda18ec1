import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from 'uWebSockets.js';
import { type Encoding, SUBPROTOCOLS } from '../../../proto/codec.ts';
import { atMost } from '../../at-most.ts';
import type { OpenConnection } from '../../router/open-connection.ts';
import type { Admission, After, Authenticator, Clock, Log, SessionWatch, StreamOwners } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { ClientAddress } from '../client-address.ts';
import {
  findCredentials,
  type Origins,
  percentDecoded,
  queryValue,
  type RequestHead,
  readRequestHead,
} from '../credentials.ts';
import type { Guests } from '../guests.ts';
import { replyError } from '../http/reply.ts';
import { Arrival, type SocketData } from './arrival.ts';
import { CheckedUpgrades } from './checked-upgrades.ts';
import { Connection } from './connection.ts';
import type { ConnectionLimits, ReachedLimit } from './connection-limits.ts';
import type { TakeReport } from './control.ts';
import { chooseSubprotocol, DOOR_PATHS, type Door } from './doors.ts';
import { causeOf, Entrance, type Entrant } from './entrance.ts';
import { ErrorAnswers } from './error-answers.ts';
import { startHeartbeat } from './heartbeat.ts';
import { Intake } from './intake.ts';
import { LookUps } from './look-ups.ts';
import { Reception } from './reception.ts';
import { type RefusalCause, Refusals } from './refusals.ts';
import { Roles } from './roles.ts';
import { sendAway } from './send-away.ts';
import { UwsSocket } from './uws-socket.ts';

/** Silence after which the library closes a connection. It accepts 8 to 960. */
const IDLE_TIMEOUT_SECONDS = 120;
const PING_INTERVAL_MS = 30_000;

/** `SHARED_COMPRESSOR`: one compressor for all sockets, none per socket. The package exports it as a value, but types it as none. */
const SHARED_COMPRESSOR = 1;

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
  limits: ConnectionLimits;
  addressOf: ClientAddress;
  allowedOrigins: Origins;
  authDeadlineMs: number;
  /** Sessions are checked before the upgrade, and a refusal is a 401. */
  rejectsAtUpgrade: boolean;
  /** What the ML service shows; undefined: nobody is the ML service. */
  serviceToken?: string | undefined;
  /** Whether the ML service may come as a client. */
  allowsMlClients?: boolean;
  /** Takes an alert of an ML service that is a client. */
  report?: TakeReport;
  /** Lets everybody in; undefined: nobody without credentials. Nobody is rejected at the upgrade then. */
  guests?: Guests | undefined;
  pingIntervalMs?: number;
  /** One that no connection has had. */
  newConnectionId: () => number;
}

/** The WebSocket doors, see `DOOR_PATHS`: sockets in, router calls out. */
export class WebSocketGateway {
  readonly #parts: WebSocketGatewayParts;
  /** Every open socket, its session checked or not. */
  readonly #arrivals = new Set<Arrival>();
  readonly #reception: Reception;
  readonly #refusals: Refusals;
  readonly #roles: Roles;
  readonly #checkedUpgrades: CheckedUpgrades | undefined;
  readonly #intake: Intake;
  readonly #stopHeartbeat: () => void;
  #connectionCount = 0;
  #draining = false;
  #whenEmpty: (() => void) | undefined;

  constructor(app: TemplatedApp, parts: WebSocketGatewayParts) {
    this.#parts = parts;
    const { router, serviceToken, guests, allowsMlClients = false, report = () => undefined } = parts;
    const { streams, counters } = router;
    const entrance = new Entrance({ ...parts, serviceToken, allowsMlClients });
    const refusals = new Refusals(parts.clock, parts.log, counters);
    this.#refusals = refusals;
    this.#reception = new Reception({
      ...parts,
      entrance,
      refusals,
      allowsMlClients,
      guests,
      admit: (arrival, entrant, saidAuth) => this.#admit(arrival, entrant, saidAuth),
    });
    if (parts.rejectsAtUpgrade && guests === undefined) {
      const anySocket = () => this.#arrivals.values().next().value?.socket;
      this.#checkedUpgrades = new CheckedUpgrades({ entrance, refusals, anySocket, isDraining: () => this.#draining });
    }
    this.#roles = new Roles({ ...parts, allowsMlClients });
    const lookUps = new LookUps({ ...parts, streams, serviceToken });
    const answers = new ErrorAnswers({ ...parts, counters });
    this.#intake = new Intake({ ...parts, roles: this.#roles, lookUps, answers, report });
    for (const { path, kind } of DOOR_PATHS) this.#open(app, path, kind);
    this.#stopHeartbeat = startHeartbeat(this.#arrivals, parts.clock, parts.pingIntervalMs ?? PING_INTERVAL_MS);
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** All that were let in. */
  *connections(): Generator<OpenConnection> {
    for (const { connection } of this.#arrivals) if (connection !== undefined) yield connection;
  }

  /** Counts a request that another door turned away. */
  noteRefused(admission: Exclude<Admission, { kind: 'session' }>, address: string): void {
    this.#refusals.note(causeOf(admission), address);
  }

  /** Counts a request that there was no room for. */
  noteFull(reached: ReachedLimit, address: string): void {
    this.#refusals.note(reached, address);
  }

  /** Connections and requests turned away since the start, by cause. */
  get refused(): Readonly<Record<RefusalCause, number>> {
    return this.#refusals.counts;
  }

  /**
   * Sends everybody away in order: new upgrades get 503, clients that understand it learn when to come back, and 1012 closes
   * are spread so that not all reconnect in the same moment. Resolves when the last one is gone, or `deadlineMs` have passed.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    this.#stopHeartbeat();
    sendAway([...this.#arrivals], this.#parts.clock.epochMs());
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    const gone = this.#arrivals.size === 0 ? undefined : empty;
    await atMost(deadlineMs, Promise.all([gone, ...this.#reception.checks]));
  }

  #open(app: TemplatedApp, path: string, kind: Door['kind']): void {
    // One object for all who come in there, but where each has a user of its own in its path.
    const shared: Door | undefined = kind === 'alerts' ? undefined : { path, kind };
    const doorOf = (req: HttpRequest, head: RequestHead): Door =>
      shared ?? {
        path: path.replace(':user', '{user_id}'),
        kind: 'alerts',
        userId: percentDecoded(req.getParameter(0) ?? ''),
        since: queryValue(head.query, 'since'),
      };
    app.ws<SocketData>(path, {
      // Ours is the limit that counts, since ours comes with an error; far beyond it the library cuts the connection.
      maxPayloadLength: this.#parts.maxMessageBytes * 2,
      // What waits lies in memory that doubles as it grows: with the whole limit, a stalled viewer of 100 KB frames held 1.44 MiB
      // of the 1.10 it may (`npm run bench:compare -- --only stalled`).
      maxBackpressure: Math.floor(this.#parts.maxBackpressureBytes / 2),
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      sendPingsAutomatically: false,
      // Not for encoders: they would deflate every JPEG they send, to no avail, and the router would inflate it. So not where an encoder may come in either,
      // since it is agreed on at the upgrade. Nor for alerts with a picture in them, which would be deflated for each socket anew.
      ...(kind === 'viewer' ? { compression: SHARED_COMPRESSOR } : {}),
      upgrade: (res, req, context) => this.#upgrade(doorOf, res, req, context),
      open: (ws) => this.#opened(ws),
      message: (ws, message, isBinary) => this.#message(ws, message, isBinary),
      dropped: (ws, message, isBinary) => this.#dropped(ws, message, isBinary),
      drain: (ws) => this.#drained(ws),
      pong: (ws) => {
        ws.getUserData().arrival.connection?.ponged();
      },
      close: (ws, code) => this.#closed(ws, code),
    });
  }

  /**
   * Upgrades at once and checks the session afterwards, while what the client sends is held: so a browser can read the refusal. It is also
   * the simpler order for this library, see `CheckedUpgrades`.
   */
  #upgrade(
    doorOf: (req: HttpRequest, head: RequestHead) => Door,
    res: HttpResponse,
    req: HttpRequest,
    context: us_socket_context_t,
  ): void {
    if (this.#draining) {
      replyError(res, 503, 'UNAVAILABLE', 'The router is shutting down');
      return;
    }
    if (this.#arrivals.size >= this.#parts.limits.maxima.total + REFUSED_AT_A_TIME) {
      this.#refusals.note('total', 'any');
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
    const { guests, allowedOrigins } = this.#parts;
    const shown = guests === undefined ? findCredentials(head, allowedOrigins) : guests.credentialsIn(head);
    const key = req.getHeader('sec-websocket-key');
    const extensions = req.getHeader('sec-websocket-extensions');
    const arrival = new Arrival(doorOf(req, head), SUBPROTOCOLS[subprotocol], address, shown);
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

  #admit(arrival: Arrival, entrant: Entrant, saidAuth: boolean): void {
    const { socket, door, address } = arrival;
    if (socket === undefined) return;
    const { clock, sessionWatch, log, newConnectionId } = this.#parts;
    const { userId, sessionId } = entrant.principal;
    const connection = new Connection(newConnectionId(), socket, entrant, arrival, clock);
    arrival.connection = connection;
    this.#connectionCount += 1;
    if (sessionId !== undefined) sessionWatch.add(sessionId, connection);
    log('debug', { door: door.kind, standing: entrant.standing, userId, address }, 'connected');
    if (saidAuth) connection.authenticated();
    this.#intake.begin(arrival, connection);
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

  /** In the next turn: of what is sent within this event, and not taken at once, the library forgets the rest until something else is sent or heard. */
  #drained(ws: WebSocket<SocketData>): void {
    const { connection } = ws.getUserData().arrival;
    if (connection === undefined) return;
    setImmediate(() => {
      if (connection.socket.isClosed) return;
      if (connection.side.role === 'viewer') connection.side.viewer.catchUp();
      else connection.peer.flush();
    });
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
    const { sessionId, side, peer } = connection;
    if (sessionId !== undefined) this.#parts.sessionWatch.remove(sessionId, connection);
    const frames = this.#roles.end(connection);
    const { offered, delivered, dropped } = frames ?? {};
    const facts = { role: side.role, userId: peer.principal.userId, code, offered, delivered, dropped };
    this.#parts.log('debug', facts, 'disconnected');
  }
}
