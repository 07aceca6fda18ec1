/** How often the router is asked whether the frames have arrived, ms: four small messages a second cost it less than one frame. */
const ASK_EVERY_MS = 250;
/** Large frames fill a line sooner, so it is asked after so many bytes as well. */
const ASK_EVERY_BYTES = 128 * 1024;
/** An answer may take one and a half round trips and this, ms. Networks of phones are not regular. */
const ALLOWANCE_MS = 100;
/** The same before the round trip is known. */
const FIRST_LIMIT_MS = 1_000;
/** An answer that takes so many round trips and so many ms had to wait behind frames: the line is full. */
const FULL = { roundTrips: 1.5, ms: 20 };
/** One that takes no more than this had nothing before it: the line is not full any more. In between nobody knows. */
const FREE = { roundTrips: 1.2, ms: 10 };
/** Frames on a line that is full: one goes through, and one comes next, so that the line is never idle. */
const FRAMES_ON_FULL_LINE = 2;
/** How much the last frame counts in what the line takes for one. */
const NEWEST_WEIGHT = 0.3;

interface Question {
  askedMs: number;
  /** Frames sent before it. */
  frames: number;
}

/**
 * How far the network lags behind. A socket's `bufferedAmount` is 0 as soon as the operating system has taken the bytes, and that takes megabytes: on a slow line a
 * minute of video. So the router is asked now and then with `heartbeat`, whose answer comes when everything sent before has arrived, and while an answer is late
 * nothing more is sent. On a line that is full it is asked about each frame, and no more are on their way than keep it busy.
 */
export class UploadLag {
  #rttMs = Number.POSITIVE_INFINITY;
  readonly #questions: Question[] = [];
  #lastAskedMs = Number.NEGATIVE_INFINITY;
  #lastAnswerMs = 0;
  #sentFrames = 0;
  #arrivedFrames = 0;
  #unaskedBytes = 0;
  #isFull = false;
  /** What a full line takes for a frame, ms; 0 while it has never been full. */
  #frameMs = 0;

  /** The shortest round trip of this connection so far, ms. `Infinity` before the first. */
  get rttMs(): number {
    return this.#rttMs;
  }

  maySend(nowMs: number): boolean {
    const [oldest] = this.#questions;
    if (oldest === undefined) return true;
    if (this.#isFull && this.#sentFrames - this.#arrivedFrames >= this.#mostOnTheirWay) return false;
    return nowMs - oldest.askedMs <= this.#limitMs;
  }

  /** A frame was sent. True: ask now, right behind it. */
  sent(nowMs: number, bytes: number): boolean {
    this.#sentFrames += 1;
    this.#unaskedBytes += bytes;
    return this.#isFull || this.#unaskedBytes >= ASK_EVERY_BYTES || nowMs - this.#lastAskedMs >= ASK_EVERY_MS;
  }

  asked(nowMs: number): void {
    this.#questions.push({ askedMs: nowMs, frames: this.#sentFrames });
    this.#unaskedBytes = 0;
    this.#lastAskedMs = nowMs;
  }

  /** The oldest question was answered, `rttMs` after it was asked. True: ask again at once, the line is full and frames are on their way. */
  answered(nowMs: number, rttMs: number): boolean {
    const frames = (this.#questions.shift()?.frames ?? 0) - this.#arrivedFrames;
    this.#arrivedFrames += frames;
    this.#rttMs = Math.min(this.#rttMs, rttMs);
    const wasFull = this.#isFull;
    const { roundTrips, ms } = wasFull ? FREE : FULL;
    this.#isFull = rttMs > this.#rttMs * roundTrips + ms;
    if (wasFull && this.#isFull && frames > 0) {
      const frameMs = (nowMs - this.#lastAnswerMs) / frames;
      this.#frameMs += (frameMs - this.#frameMs) * (this.#frameMs === 0 ? 1 : NEWEST_WEIGHT);
    }
    this.#lastAnswerMs = nowMs;
    return this.#isFull && this.#unaskedBytes > 0;
  }

  /** A long way holds more of them. */
  get #mostOnTheirWay(): number {
    return FRAMES_ON_FULL_LINE + (this.#frameMs === 0 ? 0 : Math.floor(this.#rttMs / this.#frameMs));
  }

  get #limitMs(): number {
    if (this.#rttMs === Number.POSITIVE_INFINITY) return FIRST_LIMIT_MS;
    const forFramesMs = this.#isFull ? this.#mostOnTheirWay * this.#frameMs : 0;
    return this.#rttMs * 1.5 + forFramesMs * 1.5 + ALLOWANCE_MS;
  }
}
