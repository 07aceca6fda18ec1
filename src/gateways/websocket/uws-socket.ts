import type { WebSocket } from 'uWebSockets.js';
import type { Encoded, Encoding } from '../../../proto/codec.ts';
import type { PeerSocket, SendResult } from '../../router/ports.ts';

/** Indexed by what `ws.send` returns: 0 built up backpressure, 1 success, 2 dropped. */
const SEND_RESULTS: readonly SendResult[] = ['queued', 'sent', 'refused'];

/** Below this, deflate costs more than the bytes it saves. */
const COMPRESS_FROM_LENGTH = 1024;
/** Above this it holds everybody else up: a megabyte takes 10 ms, for each viewer. */
const COMPRESS_TO_LENGTH = 64 * 1024;

/** A uWebSockets.js socket as the router sees it. Safe to call after the close. */
export class UwsSocket<UserData> implements PeerSocket {
  readonly #ws: WebSocket<UserData>;
  #closed = false;
  #sending: Encoded | undefined;

  constructor(ws: WebSocket<UserData>) {
    this.#ws = ws;
  }

  /**
   * Whether this is the message that a `send…` is under way with, which answers `refused` itself. The library may first send what it has gathered of
   * topics, so a `dropped` event that arrives meanwhile may be about one of those as well.
   */
  isSending(message: Buffer): boolean {
    if (this.#sending === undefined || this.#sending.length > message.length) return false;
    return typeof this.#sending === 'string'
      ? message.equals(Buffer.from(this.#sending))
      : message.equals(this.#sending);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  sendFrame(frame: Encoded, encoding: Encoding): SendResult {
    return this.#send(frame, encoding, false);
  }

  sendControl(message: Encoded, encoding: Encoding): SendResult {
    return this.#send(message, encoding, encoding === 'json' && isWorthDeflating(message.length));
  }

  bufferedBytes(): number {
    return this.#closed ? 0 : this.#ws.getBufferedAmount();
  }

  joinTopic(topic: string): void {
    if (!this.#closed) this.#ws.subscribe(topic);
  }

  leaveTopic(topic: string): void {
    if (!this.#closed) this.#ws.unsubscribe(topic);
  }

  ping(): void {
    if (!this.#closed) this.#ws.ping();
  }

  /** Not from inside a `dropped` event or an explicit cork: the library crashes, or leaves the TCP connection open. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#ws.end(code, reason);
  }

  /** Runs `action` while the library gathers what this socket is sent. */
  cork(action: () => void): void {
    if (this.#closed) action();
    else this.#ws.cork(action);
  }

  /** The library says the socket is gone. */
  markClosed(): void {
    this.#closed = true;
  }

  #send(message: Encoded, encoding: Encoding, compress: boolean): SendResult {
    if (this.#closed) return 'refused';
    this.#sending = message;
    const status = this.#ws.send(message, encoding === 'msgpack', compress);
    this.#sending = undefined;
    return SEND_RESULTS[status] ?? 'refused';
  }
}

function isWorthDeflating(length: number): boolean {
  return length >= COMPRESS_FROM_LENGTH && length <= COMPRESS_TO_LENGTH;
}
