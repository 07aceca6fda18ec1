import { WATCH_EVERY_MS, Watchdog } from './watchdog.ts';
import { OPEN, type WebSocketLike } from './websocket.ts';
import { decodeMessage, encodeMessage, type Incoming, type Outgoing } from './wire.ts';
import type { World } from './world.ts';

/** What happens on a line. After `closed`, or `drop`, nothing does. */
export interface LineEvents {
  opened(): void;
  /** All but the answers to `ask`. */
  message(message: Incoming): void;
  closed(code: number, reason: string): void;
}

interface Question {
  askedMs: number;
  /** What was sent before it. */
  behindBytes: number;
  answered: (rttMs: number) => void;
}

/** In a probe time is looked at so often, ms; and no two probes follow each other sooner. */
const PROBE_TICK_MS = 1_000;
/** Without a word for so many ticks, and for two of the last round trips, a line is dead. As in `Watchdog` ticks are counted, since a page may be put to rest at once again. */
const PROBE_TICKS = 3;
/** More, where a picture is on its way before the question: on 512 kbit/s one of 400 KB takes six seconds. */
const PROBE_TICKS_BEHIND = 10;
/** What is less than this is there at once, however slow the uplink. */
const SMALL_BYTES = 16 * 1024;
/** What the watchdog would take. */
const MAX_PROBE_TICKS = 30;

/** As browsers say that a connection was lost. */
const LOST = 1006;

/** One WebSocket: messages in and out, and the watch over whether it still lives. */
export class Line {
  readonly #socket: WebSocketLike;
  readonly #world: World;
  readonly #events: LineEvents;
  readonly #watchdog = new Watchdog();
  /** `heartbeat`s on their way. The router is not asked to send any by itself, so each one that comes is the answer to the oldest. */
  readonly #questions: Question[] = [];
  #stopWatch: () => void;
  #stopProbe: () => void = () => undefined;
  #isProbing = false;
  #probedMs = Number.NEGATIVE_INFINITY;
  #lastRttMs = 0;
  #sentBytes = 0;
  /** That the router has. */
  #confirmedBytes = 0;
  #isOver = false;

  constructor(socket: WebSocketLike, world: World, events: LineEvents) {
    this.#socket = socket;
    this.#world = world;
    this.#events = events;
    this.#stopWatch = () => undefined;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      if (this.#isOver) return;
      this.#watch();
      events.opened();
    };
    socket.onmessage = ({ data }: { data: unknown }) => this.#heard(data);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.#closed(code, reason);
    // `closed` follows. It stays when the line is dropped, since `ws` throws errors that nobody listens to.
    socket.onerror = () => undefined;
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#socket.readyState === OPEN;
  }

  /** Bytes that the operating system has not taken yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Into nothing when the line is not open. */
  send(message: Outgoing): void {
    if (!this.isOpen) return;
    const bytes = encodeMessage(message);
    this.#sentBytes += bytes.length;
    this.#socket.send(bytes);
  }

  /** Sends a `heartbeat`. `answered` is called when the router has everything that was sent before it; never if the line ends first. */
  ask(answered: (rttMs: number) => void): void {
    if (!this.isOpen) return;
    this.#questions.push({ askedMs: this.#world.nowMs(), behindBytes: this.#sentBytes, answered });
    this.send({ type: 'heartbeat' });
  }

  /** There is reason to doubt that it lives: it has to answer within seconds, where the watchdog would wait for half a minute. */
  probe(): void {
    const nowMs = this.#world.nowMs();
    if (!this.isOpen || this.#isProbing || nowMs - this.#probedMs < PROBE_TICK_MS) return;
    this.#isProbing = true;
    this.#probedMs = nowMs;
    // On a slow way an answer comes behind what was sent before it.
    const isBehindPictures = this.#sentBytes - this.#confirmedBytes > SMALL_BYTES;
    const ticks =
      (isBehindPictures ? PROBE_TICKS_BEHIND : PROBE_TICKS) + Math.ceil((2 * this.#lastRttMs) / PROBE_TICK_MS);
    this.#loseAfter(Math.min(ticks, MAX_PROBE_TICKS));
    this.ask(() => undefined);
  }

  /** Ends it from here; nothing is heard of it any more. */
  drop(): void {
    if (this.#isOver) return;
    this.#end();
    this.#socket.close(1000);
  }

  #heard(data: unknown): void {
    if (this.#isOver) return;
    this.#watchdog.heard();
    this.#isProbing = false;
    this.#stopProbe();
    const message = decodeMessage(data);
    if (message?.type === 'heartbeat') {
      const question = this.#questions.shift();
      if (question === undefined) return;
      this.#lastRttMs = this.#world.nowMs() - question.askedMs;
      this.#confirmedBytes = question.behindBytes;
      question.answered(this.#lastRttMs);
    } else if (message !== undefined) this.#events.message(message);
  }

  #watch(): void {
    this.#stopWatch = this.#world.after(WATCH_EVERY_MS, () => {
      if (this.#watchdog.tick(this.#questions.length > 0)) {
        this.#lose();
        return;
      }
      if (this.#questions.length === 0) this.ask(() => undefined);
      this.#watch();
    });
  }

  #loseAfter(ticks: number): void {
    this.#stopProbe = this.#world.after(PROBE_TICK_MS, () => (ticks > 1 ? this.#loseAfter(ticks - 1) : this.#lose()));
  }

  /** Nobody has closed it, but it is dead. */
  #lose(): void {
    this.drop();
    this.#events.closed(LOST, '');
  }

  #closed(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#events.closed(code, reason);
  }

  #end(): void {
    this.#isOver = true;
    this.#stopWatch();
    this.#stopProbe();
    this.#questions.length = 0;
  }
}
