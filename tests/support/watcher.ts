import { decode, encode } from '@msgpack/msgpack';
import WebSocket from 'ws';
import type { TestMessage } from './client.ts';
import { noteSecretsOf } from './evidence.ts';
import { pictureNumber } from './pictures.ts';

export interface SeenFrame {
  type: 'video-frame';
  /** The picture's, see `numberedPicture`. */
  number: number;
  /** Its `timestamp`. */
  sentMs: number;
}

export interface SeenAlert {
  type: 'alert';
  id: string;
  metadata: TestMessage;
}

/** Whatever is neither of the two. */
interface SeenOther {
  type: 'other';
  message: TestMessage;
}

/** `atMs`: when all of it had arrived, ms since the epoch, with fractions. */
export type Seen = (SeenFrame | SeenAlert | SeenOther) & { atMs: number };

/** Now, as fine as the clock is; good for the `timestamp` of a frame. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * A dashboard under load: it notes what it sees and when, and keeps no pictures. It speaks MessagePack, and acknowledges each frame as it arrives if it
 * asked for a window.
 */
export class Watcher {
  readonly seen: Seen[] = [];
  /** Frames, as in `seen`. */
  readonly frames: (SeenFrame & { atMs: number })[] = [];
  readonly alerts: (SeenAlert & { atMs: number })[] = [];
  readonly openedMs = nowMs();
  /** The close code, once it is closed. */
  closeCode: number | undefined;
  /** Of all messages so far. */
  receivedBytes = 0;
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;

  /** `subscribe`: what is sent at once beside type and `clientType`; undefined for a server that wants to hear nothing. */
  constructor(url: string, subscribe?: { streamId: string; window?: number; since?: string }) {
    noteSecretsOf(url);
    this.#socket = new WebSocket(url, [], { maxPayload: 64 * 1024 * 1024 });
    this.#socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', (code) => {
        this.closeCode = code;
        resolve(code);
      });
    });
    if (subscribe !== undefined) {
      this.#socket.on('open', () => this.#send({ type: 'subscribe', clientType: 'dashboard', ...subscribe }));
    }
    this.#socket.on('message', (data: Buffer) => {
      this.receivedBytes += data.length;
      const message = decode(data) as TestMessage;
      this.#note(message);
      if (message['type'] !== 'video-frame' || subscribe?.window === undefined) return;
      this.#send({ type: 'ack', streamId: subscribe.streamId, received: this.frames.length });
    });
  }

  /** The answer to its `subscribe`. */
  get success(): (TestMessage & { atMs: number }) | undefined {
    for (const one of this.seen) {
      if (one.type === 'other' && one.message['type'] === 'success') return { ...one.message, atMs: one.atMs };
    }
    return undefined;
  }

  /** Messages that say that something was refused. */
  get errors(): TestMessage[] {
    return this.seen.flatMap((one) => (one.type === 'other' && one.message['type'] === 'error' ? [one.message] : []));
  }

  /** Reads nothing any more: what comes waits in the kernel, then in the router. */
  stall(): void {
    this.#socket.pause();
  }

  readAgain(): void {
    this.#socket.resume();
  }

  close(): Promise<number> {
    this.#socket.terminate();
    return this.closed;
  }

  #note(message: TestMessage): void {
    const atMs = nowMs();
    if (message['type'] === 'video-frame') {
      const number = pictureNumber(message['data']);
      const frame = { type: 'video-frame' as const, number, sentMs: message['timestamp'], atMs };
      this.seen.push(frame);
      this.frames.push(frame);
    } else if (message['type'] === 'alert') {
      const alert = { type: 'alert' as const, id: message['id'], metadata: message['metadata'], atMs };
      this.seen.push(alert);
      this.alerts.push(alert);
    } else this.seen.push({ type: 'other', message, atMs });
  }

  #send(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encode(message));
  }
}
