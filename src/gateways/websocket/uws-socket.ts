import type { WebSocket } from 'uWebSockets.js';
import type { Encoded, Encoding } from '../../../proto/codec.ts';
import type { PeerSocket, SendResult } from '../../router/ports.ts';

/** Indexed by what `ws.send` returns: 0 built up backpressure, 1 success, 2 dropped. */
const SEND_RESULTS: readonly SendResult[] = ['queued', 'sent', 'refused'];

/** Below this, deflate costs more than the bytes it saves. */
const COMPRESS_FROM_LENGTH = 1024;

/** A uWebSockets.js socket as the router sees it. Safe to call after the close. */
export class UwsSocket<UserData> implements PeerSocket {
  readonly #ws: WebSocket<UserData>;
  #closed = false;
  #isSending = false;

  constructor(ws: WebSocket<UserData>) {
    this.#ws = ws;
  }

  /** True inside `send…`: a `dropped` event that arrives meanwhile is about that call, which returns `refused` itself. */
  get isSending(): boolean {
    return this.#isSending;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  sendFrame(frame: Encoded, encoding: Encoding): SendResult {
    return this.#send(frame, encoding, false);
  }

  sendControl(message: Encoded, encoding: Encoding): SendResult {
    return this.#send(message, encoding, encoding === 'json' && message.length >= COMPRESS_FROM_LENGTH);
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
    this.#isSending = true;
    this.#ws.end(code, reason);
    this.#isSending = false;
  }

  /** The library says the socket is gone. */
  markClosed(): void {
    this.#closed = true;
  }

  #send(message: Encoded, encoding: Encoding, compress: boolean): SendResult {
    if (this.#closed) return 'refused';
    this.#isSending = true;
    const status = this.#ws.send(message, encoding === 'msgpack', compress);
    this.#isSending = false;
    return SEND_RESULTS[status] ?? 'refused';
  }
}
