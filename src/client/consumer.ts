import { report, tell } from './emitter.ts';
import { FpsLimiter } from './fps-limiter.ts';
import type { Frame } from './frame.ts';
import type { Alert, RouterError, StreamStatus } from './types.ts';
import { checkWish, type MaxFps, type Wish } from './wish.ts';

/** What is wanted of a stream, and who is told. What nobody listens to is not sent: without `onFrame` no frames, without `onAlert` no alerts. */
export interface SubscribeOptions {
  /** A promise says when the page is ready for the next frame, and only then the router sends one: so a slow page gets fewer frames, and none that is old. */
  onFrame?: ((frame: Frame) => unknown) | undefined;
  /** Each alert once, and none is lost over a cut. */
  onAlert?: ((alert: Alert) => void) | undefined;
  /** There may have been alerts during a cut that the router has forgotten. */
  onGap?: ((gap: { streamId: string }) => void) | undefined;
  onStatus?: ((status: { streamId: string; status: StreamStatus }) => void) | undefined;
  /** The subscription is over, and why: the stream turned out to be another user's, say. */
  onEnd?: ((error: RouterError) => void) | undefined;
  /** Most frames a second; default all. */
  maxFps?: MaxFps | undefined;
  /** Most frames on their way at a time, 1 to 64; default: 1 or 2, as the line is measured to be. */
  window?: number | undefined;
}

/** One who subscribed. */
export class Consumer {
  readonly wish: Wish;
  hasEnded = false;
  readonly #options: SubscribeOptions;
  /** By stream: to watch all of them at so many frames a second is that many of each. */
  readonly #limiters = new Map<string, FpsLimiter>();

  /** @throws TypeError for options that a router would refuse. */
  constructor(options: SubscribeOptions) {
    const { onFrame, onAlert, maxFps, window } = options;
    this.wish = { frames: onFrame !== undefined, alerts: onAlert !== undefined, maxFps, window };
    checkWish(this.wish);
    this.#options = options;
  }

  /** The promise settles when it has taken it, and never rejects; undefined: it has. */
  take(frame: Frame, nowMs: number): Promise<void> | undefined {
    const { onFrame } = this.#options;
    if (this.hasEnded || onFrame === undefined || !this.#admits(frame.streamId, nowMs)) return undefined;
    try {
      const taken = onFrame(frame);
      return isThenable(taken) ? Promise.resolve(taken).then(() => undefined, report) : undefined;
    } catch (error) {
      report(error);
      return undefined;
    }
  }

  tellAlert(alert: Alert): void {
    if (!this.hasEnded) tell(this.#options.onAlert, alert);
  }

  tellGap(gap: { streamId: string }): void {
    if (!this.hasEnded) tell(this.#options.onGap, gap);
  }

  tellStatus(status: { streamId: string; status: StreamStatus }): void {
    if (status.status === 'offline') this.#limiters.delete(status.streamId);
    if (!this.hasEnded) tell(this.#options.onStatus, status);
  }

  tellEnd(error: RouterError): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    tell(this.#options.onEnd, error);
  }

  /** Another one of the same stream may want more. */
  #admits(streamId: string, nowMs: number): boolean {
    const { maxFps } = this.#options;
    if (maxFps === undefined) return true;
    const limiter = this.#limiters.get(streamId) ?? new FpsLimiter(maxFps);
    this.#limiters.set(streamId, limiter);
    return limiter.admits(nowMs);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
