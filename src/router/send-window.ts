import { ErrorCode, ProtocolError } from '../../proto/errors.ts';

/** Frames of one stream on their way to one viewer: at most `size`, until it acknowledges some. */
export class SendWindow {
  readonly size: number;
  #sent = 0;
  #received = 0;
  #waitingSinceMs = 0;

  constructor(size: number) {
    this.size = size;
  }

  get sent(): number {
    return this.#sent;
  }

  get inFlight(): number {
    return this.#sent - this.#received;
  }

  get isFull(): boolean {
    return this.inFlight >= this.size;
  }

  /** `nowMs`: of the monotonic clock, as everywhere here. */
  add(nowMs: number): void {
    if (this.inFlight === 0) this.#waitingSinceMs = Math.floor(nowMs);
    this.#sent += 1;
  }

  /** How long nothing was acknowledged though something is on its way; undefined: nothing is. */
  unackedForMs(nowMs: number): number | undefined {
    return this.inFlight === 0 ? undefined : Math.max(0, Math.floor(nowMs) - this.#waitingSinceMs);
  }

  /**
   * `received`: frames that have arrived since the subscription began.
   * @returns how many of them are news.
   * @throws ProtocolError `ROUTING_ERROR` when so many were never sent: it may be about a subscription before this one.
   */
  acknowledge(received: number, nowMs: number): number {
    if (received > this.#sent) {
      const message = `received: only ${this.#sent} frames were sent on this subscription`;
      throw new ProtocolError(ErrorCode.routingError, message);
    }
    const news = Math.max(0, received - this.#received);
    this.#received += news;
    if (news > 0) this.#waitingSinceMs = Math.floor(nowMs);
    return news;
  }
}
