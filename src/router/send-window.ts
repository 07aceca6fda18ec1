import { ErrorCode, ProtocolError } from '../../proto/errors.ts';

/** Frames of one stream on their way to one viewer: at most `size`, until it acknowledges some. */
export class SendWindow {
  readonly size: number;
  #sent = 0;
  #received = 0;

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

  add(): void {
    this.#sent += 1;
  }

  /**
   * `received`: frames that have arrived since the subscription began.
   * @returns how many of them are news.
   * @throws ProtocolError `ROUTING_ERROR` when so many were never sent: it may be about a subscription before this one.
   */
  acknowledge(received: number): number {
    if (received > this.#sent) {
      const message = `received: only ${this.#sent} frames were sent on this subscription`;
      throw new ProtocolError(ErrorCode.routingError, message);
    }
    const news = Math.max(0, received - this.#received);
    this.#received += news;
    return news;
  }
}
