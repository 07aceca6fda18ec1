import { chooseWindow } from './window-choice.ts';

/** How often a viewer measures its line, ms. */
const MEASURE_EVERY_MS = 5_000;
/** A round trip is the shortest of so many: the others had to wait behind a frame. */
const ROUND_TRIPS = 8;
/** How much the last transfer counts. */
const NEWEST_WEIGHT = 0.5;

/**
 * How long the line of a viewer takes, for an empty message and for a frame. A measurement is three messages in one: `heartbeat`, the `ack` that releases a frame,
 * `heartbeat`. The first answer gives the round trip. A frame between the two answers was held at the router and went off at once, so the time from the first
 * answer to its last byte is what the line took for it. Where none is between them the camera was the slower one, and nothing is known of the transfer.
 */
export class LinePace {
  readonly #roundTrips: number[] = [];
  #transferMs: number | undefined;
  #dueMs = Number.NEGATIVE_INFINITY;
  #current: { of: object; firstAnswerMs?: number; frameMs?: number } | undefined;

  /** The round trip without a frame in its way, ms; undefined before the first answer. */
  get rttMs(): number | undefined {
    return this.#roundTrips.length === 0 ? undefined : Math.min(...this.#roundTrips);
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs && this.#current === undefined;
  }

  noteRoundTrip(rttMs: number): void {
    this.#roundTrips.push(rttMs);
    if (this.#roundTrips.length > ROUND_TRIPS) this.#roundTrips.shift();
  }

  /** `of`: whose frame is waited for. */
  begin(of: object, nowMs: number): void {
    this.#current = { of };
    this.#dueMs = nowMs + MEASURE_EVERY_MS;
  }

  firstAnswer(nowMs: number, rttMs: number): void {
    this.noteRoundTrip(rttMs);
    if (this.#current !== undefined) this.#current.firstAnswerMs = nowMs;
  }

  frame(of: object, nowMs: number): void {
    const current = this.#current;
    if (current?.of === of && current.firstAnswerMs !== undefined) current.frameMs ??= nowMs;
  }

  secondAnswer(): void {
    const { firstAnswerMs, frameMs } = this.#current ?? {};
    this.#current = undefined;
    if (firstAnswerMs === undefined || frameMs === undefined) return;
    const transferMs = frameMs - firstAnswerMs;
    const before = this.#transferMs ?? transferMs;
    this.#transferMs = before + (transferMs - before) * NEWEST_WEIGHT;
  }

  /** Which window is right, with an application that takes so long for a frame. Unchanged while too little is known. */
  choose(current: 1 | 2, handlingMs: number): 1 | 2 {
    const { rttMs } = this;
    if (rttMs === undefined || this.#transferMs === undefined) return current;
    return chooseWindow(current, { rttMs, transferMs: this.#transferMs, handlingMs });
  }
}
