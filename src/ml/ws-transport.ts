import WebSocket from 'ws';
import { OncePer } from '../router/once-per.ts';
import type { After, Clock, Log } from '../router/ports.ts';
import { alertsInMessage, MAX_ALERTS_PER_MESSAGE } from './alert-message.ts';
import { BatchEncoders } from './batch-encoders.ts';
import type { MlTransport, SampledFrame } from './transport.ts';

export interface WsTransportParts {
  /** Where the service listens, `ws://` or `wss://`: used as it is. */
  url: string;
  /** Shown to the service at the upgrade as `Authorization: Bearer`, if there is one. */
  token: string | undefined;
  protocol: 'batch' | 'single';
  batchSize: number;
  /** How long the service may leave frames untaken before it counts as dead. */
  timeoutMs: number;
  clock: Clock;
  log: Log;
  after: After;
  random: () => number;
  /** Takes one alert as the service wrote it. May throw when it is refused. */
  onAlert: (alert: unknown) => void;
}

const FIRST_BACK_OFF_MS = 250;
const MAX_BACK_OFF_MS = 15_000;
/** A connection that lasted this long was a good one: after it the back-off starts anew. */
const HELD_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
const PING_INTERVAL_MS = 15_000;
const MAX_SILENT_PINGS = 2;
/** How long the other side may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 800;
/** Alerts are small; a larger message is a broken service. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** With more than this in user memory nothing is added, whoever calls. A batch of 16 large frames is some 3 MB. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const KEPT_ENCODERS = 4;

/**
 * The ML service over one WebSocket that we open and keep open, again and again with growing delays when it is lost.
 *
 * `batch`: each `analyze` is one binary message, MessagePack `{frames:[{streamId,timestamp,seq,data}]}`. `single`, the
 * original contract: one text per frame, JSON `{streamId,frame,timestamp}` with base64. Python's `websockets` refuses
 * what is larger than 1 MiB unless it is told `max_size`, and a batch of 16 is.
 *
 * Nothing answers a frame: alerts come when the service sends them. So `analyze` is done, with no alerts, when the
 * kernel has taken the bytes. A service that reads slowly keeps its caller's requests busy: the caller gives frames up.
 */
export function createWsTransport(parts: WsTransportParts): MlTransport {
  return new WsTransport(parts);
}

class WsTransport implements MlTransport {
  readonly reconnects = true;
  readonly #parts: WsTransportParts;
  /** For the log: neither path nor user of the URL, which may hold secrets. */
  readonly #service: string;
  readonly #encoders = new BatchEncoders(KEPT_ENCODERS);
  readonly #failureLine = new OncePer(1000);
  readonly #garbageLine = new OncePer(1000);
  readonly #refusalLine = new OncePer(1000);
  #connection: Connection | undefined;
  #cancelRetry: (() => void) | undefined;
  #failuresSinceHeld = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: WsTransportParts) {
    this.#parts = parts;
    this.#service = new URL(parts.url).host;
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen ?? false;
  }

  batchSize(): number {
    return this.#parts.protocol === 'single' ? 1 : this.#parts.batchSize;
  }

  async analyze(frames: readonly SampledFrame[]): Promise<unknown[]> {
    const connection = this.#connection;
    if (!connection?.isOpen) throw new Error('not connected to the ML service');
    if (connection.waitingBytes > MAX_WAITING_BYTES) throw new Error('the ML service reads too slowly');
    if (this.#parts.protocol === 'single') {
      await Promise.all(frames.map((frame) => connection.send(originalMessage(frame))));
      return [];
    }
    const body = this.#encoders.encode(frames);
    await connection.send(body.bytes);
    // Not when it failed: then nobody says whether the bytes may still be read.
    body.release();
    return [];
  }

  close(): Promise<void> {
    this.#cancelRetry?.();
    this.#closing ??= this.#connection?.close() ?? Promise.resolve();
    return this.#closing;
  }

  #connect(): void {
    this.#connection = new Connection(this.#parts, {
      opened: () => this.#parts.log('info', { service: this.#service }, 'connected to the ML service'),
      message: (data) => this.#received(data),
      ended: (reason, heldMs) => this.#ended(reason, heldMs),
    });
  }

  #ended(reason: string, heldMs: number | undefined): void {
    this.#connection = undefined;
    if (this.#closing !== undefined) return;
    if (heldMs !== undefined && heldMs >= HELD_MS) this.#failuresSinceHeld = 0;
    const retryMs = this.#parts.random() * Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** this.#failuresSinceHeld);
    this.#failuresSinceHeld += 1;
    this.#cancelRetry = this.#parts.after(retryMs, () => this.#connect());
    const message = heldMs === undefined ? 'no connection to the ML service' : 'connection to the ML service lost';
    this.#warn(this.#failureLine, { reason, retryMs: Math.round(retryMs) }, message);
  }

  #received(data: Uint8Array): void {
    try {
      const alerts = alertsInMessage(data);
      for (const alert of alerts.slice(0, MAX_ALERTS_PER_MESSAGE)) this.#deliver(alert);
      if (alerts.length > MAX_ALERTS_PER_MESSAGE) throw new Error(`more than ${MAX_ALERTS_PER_MESSAGE} alerts at once`);
    } catch (error) {
      this.#warn(this.#garbageLine, { reason: reasonOf(error) }, 'message of the ML service not understood');
    }
  }

  #deliver(alert: unknown): void {
    try {
      this.#parts.onAlert(alert);
    } catch (error) {
      this.#warn(this.#refusalLine, { reason: reasonOf(error) }, 'alert of the ML service refused');
    }
  }

  #warn(line: OncePer, facts: Record<string, unknown>, message: string): void {
    const times = line.due(this.#parts.clock.monotonicMs());
    if (times > 0) this.#parts.log('warn', { service: this.#service, times, ...facts }, message);
  }
}

interface ConnectionEvents {
  opened: () => void;
  message: (data: Uint8Array) => void;
  /** Exactly once. `heldMs`: for how long it was open; undefined when it never was. */
  ended: (reason: string, heldMs: number | undefined) => void;
}

class Connection {
  readonly #socket: WebSocket;
  readonly #parts: WsTransportParts;
  /** Sends that the kernel has not taken yet. */
  readonly #waiting = new Set<(error?: Error) => void>();
  #reason: string | undefined;
  #silentPings = 0;
  #cancelTimer: () => void;

  constructor(parts: WsTransportParts, events: ConnectionEvents) {
    this.#parts = parts;
    const options = {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      // A text that is no UTF-8 would end the connection; here it costs only itself.
      skipUTF8Validation: true,
      closeTimeout: CLOSE_TIMEOUT_MS,
      headers: parts.token === undefined ? {} : { authorization: `Bearer ${parts.token}` },
    };
    const socket = new WebSocket(parts.url, options);
    this.#socket = socket;
    this.#cancelTimer = parts.after(CONNECT_TIMEOUT_MS, () => this.#abort(`no answer in ${CONNECT_TIMEOUT_MS} ms`));
    let openedAtMs: number | undefined;
    const alive = () => {
      this.#silentPings = 0;
    };
    socket.on('open', () => {
      openedAtMs = parts.clock.monotonicMs();
      this.#cancelTimer();
      this.#pingLater();
      events.opened();
    });
    socket.on('ping', alive).on('pong', alive);
    socket.on('message', (data) => {
      alive();
      // Always one buffer, as nothing else was asked for.
      if (Buffer.isBuffer(data)) events.message(data);
    });
    socket.on('error', (error) => {
      this.#reason ??= reasonOf(error);
    });
    socket.on('close', (code) => {
      this.#cancelTimer();
      // Without the reason of the close frame: a service may quote our token in it.
      this.#fail(code === 1006 ? 'cut off' : `closed with ${code}${code === 1009 ? ', a message was too big' : ''}`);
      events.ended(this.#reason ?? '', openedAtMs === undefined ? undefined : parts.clock.monotonicMs() - openedAtMs);
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  get waitingBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Resolves when the kernel has taken the message, and only then may its memory be written again. */
  send(message: string | Uint8Array): Promise<void> {
    const { after, timeoutMs } = this.#parts;
    return new Promise((resolve, reject) => {
      const cancel = after(timeoutMs, () => this.#abort(`nothing taken in ${timeoutMs} ms`));
      const settle = (error?: Error) => {
        cancel();
        this.#waiting.delete(settle);
        if (error) reject(error);
        else resolve();
      };
      this.#waiting.add(settle);
      this.#socket.send(message, settle);
    });
  }

  /** Resolves when it is closed, politely or not, in less than a second. Also gives up an attempt that is under way. */
  async close(): Promise<void> {
    const cancel = this.#parts.after(CLOSE_TIMEOUT_MS, () => this.#abort('closed'));
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.close(1001);
    await closed;
    cancel();
  }

  /** Those that wait are told at once: a socket may take its time to be gone. */
  #abort(reason: string): void {
    this.#fail(reason);
    this.#socket.terminate();
  }

  #fail(reason: string): void {
    this.#reason ??= reason;
    for (const settle of this.#waiting) settle(new Error(this.#reason));
  }

  /** Whatever comes from the service is as good as a pong: a busy one may have much to read before the ping. */
  #pingLater(): void {
    this.#cancelTimer = this.#parts.after(PING_INTERVAL_MS, () => {
      if (this.#silentPings >= MAX_SILENT_PINGS) return this.#abort(`${MAX_SILENT_PINGS} pings without an answer`);
      this.#silentPings += 1;
      this.#socket.ping();
      this.#pingLater();
    });
  }
}

function originalMessage({ streamId, data, timestamp }: SampledFrame): string {
  const frame = Buffer.from(data.buffer, data.byteOffset, data.length).toString('base64');
  return JSON.stringify({ streamId, frame, timestamp });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || ('code' in error ? String(error.code) : error.name) : String(error);
}
