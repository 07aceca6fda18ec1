import type { WebSocketLike } from '../../src/client/index.ts';
import { decodeMessage, encodeMessage, type Outgoing } from '../../src/client/wire.ts';
import type { World } from '../../src/client/world.ts';

/** A world in which time passes when it is told to, and chance is always the same. */
export class FakeWorld implements World {
  chance = 0.5;
  #nowMs = 0;
  #timers: { dueMs: number; action: () => void }[] = [];
  readonly #backListeners = new Set<() => void>();

  get timers(): number {
    return this.#timers.length;
  }

  get backListeners(): number {
    return this.#backListeners.size;
  }

  nowMs = () => this.#nowMs;
  epochMs = () => 1_700_000_000_000 + this.#nowMs;
  random = () => this.chance;

  after(delayMs: number, action: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  whenBack(listener: () => void): () => void {
    this.#backListeners.add(listener);
    return () => void this.#backListeners.delete(listener);
  }

  comeBack(): void {
    for (const listener of [...this.#backListeners]) listener();
  }

  /** Lets time pass, and what is due happen, in order, with all that follows from it. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (;;) {
      const next = this.#timers.filter(({ dueMs }) => dueMs <= endMs).sort((one, other) => one.dueMs - other.dueMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.action();
      await settled();
    }
    this.#nowMs = endMs;
  }
}

/** All promises that can settle have. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A WebSocket whose other end is the test. Heartbeats are answered, unless it is silently dead. */
export class FakeSocket implements WebSocketLike {
  static all: FakeSocket[] = [];
  binaryType = 'blob';
  readyState = 0;
  bufferedAmount = 0;
  onopen: WebSocketLike['onopen'] = null;
  onmessage: WebSocketLike['onmessage'] = null;
  onclose: WebSocketLike['onclose'] = null;
  onerror: WebSocketLike['onerror'] = null;
  readonly url: string;
  readonly sent: ReturnType<typeof decodeMessage>[] = [];
  closedWith: number | undefined;
  isDead = false;
  /** Heartbeats that were sent. */
  questions = 0;

  constructor(url: string) {
    this.url = url;
    FakeSocket.all.push(this);
  }

  static get last(): FakeSocket {
    const last = FakeSocket.all.at(-1);
    if (last === undefined) throw new Error('no socket was opened yet');
    return last;
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    const message = decodeMessage(data.slice().buffer);
    if (message?.type !== 'heartbeat') {
      this.sent.push(message);
      return;
    }
    this.questions += 1;
    if (!this.isDead) this.say({ type: 'heartbeat' });
  }

  close(code?: number): void {
    this.readyState = 2;
    this.closedWith = code;
  }

  /** From the other end. */
  open(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }

  say(message: Outgoing): void {
    this.onmessage?.({ data: encodeMessage(message).slice().buffer } as never);
  }

  end(code: number, reason = ''): void {
    this.readyState = 3;
    this.onclose?.({ code, reason } as never);
  }
}
