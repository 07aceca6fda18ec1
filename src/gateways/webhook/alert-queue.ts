import type { OutgoingAlert } from './receiver.ts';

export interface QueueLimits {
  maxAlerts: number;
  /** Of bodies. A thousand alerts may be a gigabyte: what an alert carries is bounded by the message it came in alone. */
  maxBytes: number;
}

/** `attempts`: how often it was sent so far. */
export interface QueuedAlert extends OutgoingAlert {
  attempts: number;
}

/** One stream's alerts that wait, oldest first. Held: one of them is away, or waits to be tried again. */
interface Line {
  readonly streamId: string;
  readonly waiting: QueuedAlert[];
  bytes: number;
  isHeld: boolean;
}

/**
 * Alerts in the order of their streams: of each at most one is away, and streams take turns. Both limits count those away
 * too. Over a limit the stream that has most of it waiting loses its oldest: a flood costs its own stream first, and what is
 * away is never dropped.
 */
export class AlertQueue {
  readonly #limits: QueueLimits;
  readonly #lines = new Map<string, Line>();
  /** Those whose first alert may go now, the longest waiting first. */
  readonly #ready = new Set<Line>();
  #waiting = 0;
  #away = 0;
  #bytes = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get away(): number {
    return this.#away;
  }

  /** Adds an alert; answers how many were dropped for it, itself perhaps among them. */
  push(alert: QueuedAlert): number {
    const line = this.#lineOf(alert.streamId);
    line.waiting.push(alert);
    this.#count(line, alert, 1);
    this.#bytes += alert.body.length;
    if (!line.isHeld) this.#ready.add(line);
    let dropped = 0;
    for (let full = this.#overfull(); full !== undefined; full = this.#overfull()) {
      this.#bytes -= this.#shift(full)?.body.length ?? 0;
      if (!full.isHeld) this.#free(full);
      dropped += 1;
    }
    return dropped;
  }

  /** The next alert that may go, now away; its stream is held until `settle`, or `putBack` and `release`. */
  next(): QueuedAlert | undefined {
    const [line] = this.#ready;
    if (line === undefined) return undefined;
    this.#ready.delete(line);
    line.isHeld = true;
    this.#away += 1;
    return this.#shift(line);
  }

  /** An alert that was away is done with, delivered or not. */
  settle(alert: QueuedAlert): void {
    this.#away -= 1;
    this.#bytes -= alert.body.length;
    this.release(alert.streamId);
  }

  /** An alert that was away waits again, the first of its stream. */
  putBack(alert: QueuedAlert): void {
    const line = this.#lineOf(alert.streamId);
    line.waiting.unshift(alert);
    this.#count(line, alert, 1);
    this.#away -= 1;
  }

  /** Ends the wait that followed `putBack`. */
  release(streamId: string): void {
    const line = this.#lineOf(streamId);
    line.isHeld = false;
    this.#free(line);
  }

  /** Forgets all of them. */
  clear(): void {
    this.#lines.clear();
    this.#ready.clear();
    this.#waiting = 0;
    this.#away = 0;
    this.#bytes = 0;
  }

  #lineOf(streamId: string): Line {
    let line = this.#lines.get(streamId);
    if (line === undefined) {
      line = { streamId, waiting: [], bytes: 0, isHeld: false };
      this.#lines.set(streamId, line);
    }
    return line;
  }

  #free(line: Line): void {
    if (line.waiting.length > 0) {
      this.#ready.add(line);
    } else {
      this.#ready.delete(line);
      this.#lines.delete(line.streamId);
    }
  }

  #shift(line: Line): QueuedAlert | undefined {
    const alert = line.waiting.shift();
    if (alert !== undefined) this.#count(line, alert, -1);
    return alert;
  }

  #count(line: Line, alert: QueuedAlert, sign: 1 | -1): void {
    this.#waiting += sign;
    line.bytes += sign * alert.body.length;
  }

  /** Whose turn it is to lose an alert; undefined within the limits. */
  #overfull(): Line | undefined {
    if (this.#waiting + this.#away > this.#limits.maxAlerts) return this.#most((line) => line.waiting.length);
    if (this.#bytes > this.#limits.maxBytes) return this.#most((line) => line.bytes);
    return undefined;
  }

  /** Looks at every stream: a few µs with a thousand of them, and only for an alert too many. Not worth an index. */
  #most(sizeOf: (line: Line) => number): Line | undefined {
    let most: Line | undefined;
    for (const line of this.#lines.values()) {
      if (line.waiting.length > 0 && (most === undefined || sizeOf(line) > sizeOf(most))) most = line;
    }
    return most;
  }
}
