import WebSocket from 'ws';
import type { After, Clock } from '../router/ports.ts';

export interface WsConnectionParts {
  /** Where the service listens, `ws://` or `wss://`: used as it is. */
  url: string;
  /** Shown to the service at the upgrade as `Authorization: Bearer`, if there is one. */
  token: string | undefined;
  /** How long the service may read nothing of what was sent to it before it counts as dead. */
  timeoutMs: number;
  clock: Clock;
  after: After;
}

const CONNECT_TIMEOUT_MS = 10_000;
const PING_INTERVAL_MS = 15_000;
const MAX_SILENT_PINGS = 2;
/** How long the other side may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 800;
/** A service that says something is alive for so many deadlines, though it reads nothing. */
const MAX_TALK = 4;
/** Alerts are small; a larger message is a broken service. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

interface ConnectionEvents {
  opened: () => void;
  message: (data: Uint8Array) => void;
  /** Exactly once. `heldMs`: for how long it was open; undefined when it never was. */
  ended: (reason: string, heldMs: number | undefined) => void;
}

/** Messages that were sent together, until the service has read them. */
interface Delivery {
  /** The kernel has them, so nobody looks at their memory any more. */
  isTaken: boolean;
  /** The service has answered the ping behind them. */
  isRead: boolean;
  settle: (error?: Error) => void;
}

/**
 * One attempt to reach the service, and the connection that came of it.
 *
 * A ping goes out behind what is sent, and its pong says that the service has read it: pings are answered in order. That the kernel has taken
 * the bytes says little, since its buffers hold several seconds of frames.
 */
export class WsConnection {
  readonly #socket: WebSocket;
  readonly #parts: WsConnectionParts;
  /** By the number in their ping, in order. As many as callers wait for. */
  readonly #underWay = new Map<number, Delivery>();
  #lastNumber = 0;
  /** When something was read or taken last, or the first came under way. */
  #progressAtMs = 0;
  /** Runs while something is under way, anew with all that moves. */
  #cancelDeadline: (() => void) | undefined;
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
    socket.on('ping', alive);
    socket.on('pong', (payload) => {
      alive();
      this.#read(Number(payload.toString('latin1')));
    });
    socket.on('message', (data) => {
      alive();
      // It works, though on what it has read: not for ever without reading.
      if (parts.clock.monotonicMs() - this.#progressAtMs < MAX_TALK * parts.timeoutMs) this.#startDeadline();
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

  /** Of what is under way, something has not left this process yet. */
  get isBusy(): boolean {
    return this.#underWay.size > 0 && this.#socket.bufferedAmount > 0;
  }

  /** Resolves when the service has read the messages, and only then may their memory be written again. */
  send(messages: readonly (string | Uint8Array)[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#lastNumber += 1;
      const number = this.#lastNumber;
      const settle = (error?: Error) => {
        if (!this.#underWay.delete(number)) return;
        if (error) reject(error);
        else resolve();
      };
      const delivery: Delivery = { isTaken: false, isRead: false, settle };
      for (const message of messages) this.#socket.send(message);
      this.#underWay.set(number, delivery);
      this.#socket.ping(String(number), undefined, (error) => {
        delivery.isTaken = true;
        if (error || delivery.isRead) settle(error);
        this.#moved();
      });
      if (this.#cancelDeadline === undefined) this.#moved();
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
    for (const { settle } of this.#underWay.values()) settle(new Error(this.#reason));
    this.#moved();
  }

  /** The pong to a ping stands for those before it, too: a service may answer the latest alone. */
  #read(number: number): void {
    for (const [sent, delivery] of this.#underWay) {
      // Also of what is no number.
      if (!(sent <= number)) break;
      delivery.isRead = true;
      // Its word is not enough for memory that the kernel still reads.
      if (delivery.isTaken) delivery.settle();
      this.#moved();
    }
  }

  /** A service that works through much is slow, not dead: only one where nothing moves is given up. */
  #moved(): void {
    this.#progressAtMs = this.#parts.clock.monotonicMs();
    this.#startDeadline();
  }

  #startDeadline(): void {
    const { after, timeoutMs } = this.#parts;
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
    if (this.#underWay.size === 0) return;
    this.#cancelDeadline = after(timeoutMs, () => this.#abort(`nothing read in ${timeoutMs} ms`));
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
