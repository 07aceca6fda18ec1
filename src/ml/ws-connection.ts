import WebSocket from 'ws';
import type { After, Clock } from '../router/ports.ts';

export interface WsConnectionParts {
  /** Where the service listens, `ws://` or `wss://`: used as it is. */
  url: string;
  /** Shown to the service at the upgrade as `Authorization: Bearer`, if there is one. */
  token: string | undefined;
  /** How long the service may leave frames untaken before it counts as dead. */
  timeoutMs: number;
  clock: Clock;
  after: After;
}

const CONNECT_TIMEOUT_MS = 10_000;
const PING_INTERVAL_MS = 15_000;
const MAX_SILENT_PINGS = 2;
/** How long the other side may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 800;
/** Alerts are small; a larger message is a broken service. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

interface ConnectionEvents {
  opened: () => void;
  message: (data: Uint8Array) => void;
  /** Exactly once. `heldMs`: for how long it was open; undefined when it never was. */
  ended: (reason: string, heldMs: number | undefined) => void;
}

/** One attempt to reach the service, and the connection that came of it. */
export class WsConnection {
  readonly #socket: WebSocket;
  readonly #parts: WsConnectionParts;
  /** Sends that the kernel has not taken yet. */
  readonly #waiting = new Set<(error?: Error) => void>();
  #reason: string | undefined;
  #silentPings = 0;
  #cancelTimer: () => void;

  constructor(parts: WsConnectionParts, events: ConnectionEvents) {
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

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || ('code' in error ? String(error.code) : error.name) : String(error);
}
