import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from 'uWebSockets.js';
import { CloseCode } from '../../../proto/close-codes.ts';
import { decodeControl, type Encoding, SUBPROTOCOLS } from '../../../proto/codec.ts';
import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import { atMost } from '../../at-most.ts';
import { OncePer } from '../../router/once-per.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type { Clock, Log, Principal, SessionVerifier, Verification } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import { replyError } from '../http/reply.ts';
import { Arrival, Connection, type Role, type SocketData } from './connection.ts';
import { handleEncoderMessage, handleViewerMessage } from './control.ts';
import { findCredentials, isOriginAllowed, type UpgradeRequest } from './credentials.ts';
import { startHeartbeat } from './heartbeat.ts';
import { UwsSocket } from './uws-socket.ts';

/** Silence after which the library closes a connection. It accepts 8 to 960. */
const IDLE_TIMEOUT_SECONDS = 120;
const PING_INTERVAL_MS = 30_000;

/** `SHARED_COMPRESSOR`: one compressor for all sockets, none per socket. The package exports it as a value, but types it as none. */
const SHARED_COMPRESSOR = 1;

/** Time over which a drain spreads its closes, and the reconnects of clients that understand `going-away`. */
const DRAIN_SPREAD_MS = 2_000;
const RECONNECT_SPREAD_MS = 5_000;

export interface WebSocketGatewayParts {
  router: Router;
  sessions: SessionVerifier;
  clock: Clock;
  log: Log;
  maxMessageBytes: number;
  /** Memory that one client may hold with what waits for it. */
  maxBackpressureBytes: number;
  allowedOrigins: readonly string[];
  pingIntervalMs?: number;
}

/** The WebSocket doors `/streams/register` and `/streams/subscribe`: sockets in, router calls out. */
export class WebSocketGateway {
  readonly #parts: WebSocketGatewayParts;
  /** Every open socket, its session checked or not. */
  readonly #arrivals = new Set<Arrival>();
  /** Session checks under way. */
  readonly #checks = new Set<Promise<void>>();
  #connectionCount = 0;
  readonly #errorLine = new OncePer(1000);
  readonly #stopHeartbeat: () => void;
  #draining = false;
  #whenEmpty: (() => void) | undefined;

  constructor(app: TemplatedApp, parts: WebSocketGatewayParts) {
    this.#parts = parts;
    this.#open(app, '/streams/register', 'encoder');
    this.#open(app, '/streams/subscribe', 'viewer');
    this.#stopHeartbeat = startHeartbeat(this.#arrivals, parts.clock, parts.pingIntervalMs ?? PING_INTERVAL_MS);
  }

  get connectionCount(): number {
    return this.#connectionCount;
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
    await atMost(deadlineMs, Promise.all([gone, ...this.#checks]));
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
   * Upgrades at once and checks the session afterwards, while what the client sends is held. The other order, an asynchronous
   * upgrade, is broken in this library: its cork takes the new WebSocket for an HTTP response and shuts about one connection
   * in a hundred down right after the 101 (uWebSockets issue 1928), and uncorked it writes a warning per connection.
   */
  #upgrade(role: Role, res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    if (this.#draining) {
      replyError(res, 503, 'UNAVAILABLE', 'The router is shutting down');
      return;
    }
    const subprotocol = chooseSubprotocol(req.getHeader('sec-websocket-protocol'));
    const remoteAddress = Buffer.from(res.getRemoteAddressAsText()).toString('latin1');
    const arrival = new Arrival(role, SUBPROTOCOLS[subprotocol], remoteAddress, {
      // The library answers undefined without a query, whatever its types say.
      query: req.getQuery() ?? '',
      authorization: req.getHeader('authorization'),
      cookie: req.getHeader('cookie'),
      origin: req.getHeader('origin'),
      host: req.getHeader('host'),
    });
    const key = req.getHeader('sec-websocket-key');
    const extensions = req.getHeader('sec-websocket-extensions');
    res.upgrade({ arrival }, key, subprotocol, extensions, context);
  }

  async #verify(request: UpgradeRequest): Promise<Verification> {
    const credentials = findCredentials(request);
    if (credentials === undefined) return { kind: 'refused' };
    if (credentials.fromCookie && !isOriginAllowed(request, this.#parts.allowedOrigins)) return { kind: 'refused' };
    return this.#parts.sessions.verify(credentials.token);
  }

  #opened(ws: WebSocket<SocketData>): void {
    const { arrival } = ws.getUserData();
    const socket = new UwsSocket(ws);
    arrival.socket = socket;
    this.#arrivals.add(arrival);
    const check = this.#verify(arrival.takeRequest())
      .then((verification) => {
        if (socket.isClosed) return;
        if (verification.kind === 'session') this.#admit(arrival, socket, verification.principal);
        else this.#turnAway(arrival, socket, verification.kind);
      })
      .catch((error: unknown) => {
        this.#parts.log('error', { err: error }, 'a connection could not be admitted');
        socket.close(CloseCode.tryAgainLater, 'Try again later');
      })
      .finally(() => this.#checks.delete(check));
    this.#checks.add(check);
  }

  #admit(arrival: Arrival, socket: UwsSocket<SocketData>, principal: Principal): void {
    const connection = new Connection(socket, principal, arrival);
    arrival.connection = connection;
    this.#connectionCount += 1;
    const { role, remoteAddress } = arrival;
    this.#parts.log('debug', { role, userId: principal.userId, remoteAddress }, 'connected');
    for (const { message, encoding } of arrival.takeHeld()) {
      // One of them may have closed it; what follows must not bring a gone connection back to life.
      if (!socket.isClosed) this.#handle(connection, message, encoding);
    }
  }

  /** A browser cannot read a 401, so the refusal comes as an error message and a close with the reason. */
  #turnAway(arrival: Arrival, socket: UwsSocket<SocketData>, kind: 'refused' | 'unavailable'): void {
    const timestamp = this.#parts.clock.epochMs();
    const error = new Outgoing(
      kind === 'refused'
        ? { type: 'error', code: ErrorCode.authRequired, message: 'A valid session token is required', timestamp }
        : {
            type: 'error',
            code: ErrorCode.unavailable,
            message: 'Sessions cannot be checked now, try again',
            timestamp,
          },
    );
    const { role, remoteAddress, subprotocolEncoding } = arrival;
    this.#parts.log('debug', { role, remoteAddress, kind }, 'turned away');
    // Not in this turn: without credentials it may still be the one of `open`, where the library must not be asked to close.
    setImmediate(() => {
      const encoding = arrival.firstHeldEncoding ?? subprotocolEncoding ?? 'json';
      socket.sendControl(error.in(encoding), encoding);
      if (kind === 'refused') socket.close(CloseCode.policyViolation, 'Unauthorized');
      else socket.close(CloseCode.tryAgainLater, 'Try again later');
    });
  }

  #message(ws: WebSocket<SocketData>, message: ArrayBuffer, isBinary: boolean): void {
    const { arrival } = ws.getUserData();
    const encoding: Encoding = isBinary ? 'msgpack' : 'json';
    if (arrival.connection !== undefined) this.#handle(arrival.connection, Buffer.from(message), encoding);
    else if (!arrival.hold(message, encoding)) {
      arrival.socket?.close(CloseCode.tryAgainLater, 'Too much before the session was checked');
    }
  }

  #handle(connection: Connection, message: Buffer, encoding: Encoding): void {
    connection.heard(encoding);
    if (message.length > this.#parts.maxMessageBytes) {
      this.#refuseTooLarge(connection, message.length);
      return;
    }
    try {
      this.#route(connection, message, encoding);
    } catch (error) {
      this.#refuse(connection, error);
    }
  }

  #route({ side }: Connection, message: Buffer, encoding: Encoding): void {
    const { router, clock } = this.#parts;
    if (side.role === 'viewer') {
      handleViewerMessage(router, clock, side.viewer, decodeControl(message, encoding));
    } else if (!router.framePath.accept(side.link, message, encoding)) {
      handleEncoderMessage(router, clock, side.link, decodeControl(message, encoding));
    }
  }

  #refuse(connection: Connection, error: unknown): void {
    const { clock, log, router } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (!(error instanceof ProtocolError)) {
      const times = this.#errorLine.due(nowMs);
      if (times > 0) log('error', { err: error, times }, 'a message could not be handled');
      this.#tellError(connection, ErrorCode.routingError, 'The router could not handle this message');
      return;
    }
    this.#tellError(connection, error.code, error.message, error.streamId);
    if (error.code !== ErrorCode.invalidMessage && error.code !== ErrorCode.payloadTooLarge) return;
    router.counters.messagesInvalid += 1;
    if (connection.strikes.strike(nowMs)) {
      connection.socket.close(CloseCode.tooManyInvalidMessages, 'Too many invalid messages');
    }
  }

  #refuseTooLarge(connection: Connection, messageBytes: number): void {
    const limit = this.#parts.maxMessageBytes;
    this.#tellError(connection, ErrorCode.payloadTooLarge, `message: ${messageBytes} bytes, the limit is ${limit}`);
    connection.socket.close(CloseCode.messageTooBig, 'Message too large');
  }

  #tellError({ peer }: Connection, code: ErrorCode, message: string, streamId?: string): void {
    const about = streamId === undefined ? {} : { streamId };
    peer.tell(new Outgoing({ type: 'error', code, message, ...about, timestamp: this.#parts.clock.epochMs() }));
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
    const { connection } = arrival;
    if (connection === undefined) return;
    this.#connectionCount -= 1;
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
