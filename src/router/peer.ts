import { CloseCode } from '../../proto/close-codes.ts';
import type { Encoded, Encoding } from '../../proto/codec.ts';
import type { Notice } from '../../proto/messages.ts';
import type { Outgoing } from './outgoing.ts';
import type { PeerSocket, Principal } from './ports.ts';

/** Control messages that wait for one slow reader; one more closes it, so that it comes back and asks again. */
const OUTBOX_LIMIT = 256;
/** And how much they may be together, in bytes or characters: an alert may carry almost 1 MiB of metadata. */
const OUTBOX_LIMIT_BYTES = 4 * 1024 * 1024;

const NOTICES: readonly Notice[] = ['throttle', 'heartbeat', 'going-away'];

/**
 * The other end of one connection. Control messages (success, error, status, alert) do not share the fate of frames: what
 * the socket refuses waits here, in order, and goes out before the next frame.
 */
export class Peer {
  readonly principal: Principal;
  readonly socket: PeerSocket;
  readonly #understood: Set<Notice>;
  /** From the subprotocol or the first message; `json` until then, as every client of the original documents speaks. */
  encoding: Encoding;
  #outbox: Encoded[] | undefined;
  #outboxBytes = 0;
  #isOverflowing = false;

  constructor(principal: Principal, socket: PeerSocket, subprotocolEncoding: Encoding | undefined) {
    this.principal = principal;
    this.socket = socket;
    // Who offers a subprotocol was written for this protocol, and not for the first router.
    this.#understood = new Set(subprotocolEncoding === undefined ? [] : NOTICES);
    this.encoding = subprotocolEncoding ?? 'json';
  }

  /** The client says which messages it wants beside those that every client knows. */
  learns(notices: readonly Notice[] = []): void {
    for (const notice of notices) this.#understood.add(notice);
  }

  understands(notice: Notice): boolean {
    return this.#understood.has(notice);
  }

  /** Sends a control message, or keeps it until the socket has drained. */
  tell(outgoing: Outgoing): void {
    if (this.#isOverflowing) return;
    const encoded = outgoing.in(this.encoding);
    if (this.#outbox === undefined && this.socket.sendControl(encoded, this.encoding) !== 'refused') return;
    this.#outbox ??= [];
    this.#outboxBytes += encoded.length;
    if (this.#outbox.length >= OUTBOX_LIMIT || this.#outboxBytes > OUTBOX_LIMIT_BYTES) {
      // Not closed here: over its limit the socket would refuse the close frame too, and the client see a mere 1006.
      this.#outbox = undefined;
      this.#isOverflowing = true;
      return;
    }
    this.#outbox.push(encoded);
  }

  /** Sends what waits. True when nothing waits any more. */
  flush(): boolean {
    if (this.#isOverflowing) {
      if (this.socket.bufferedBytes() === 0) this.socket.close(CloseCode.outboxFull, 'Too far behind: reconnect');
      return false;
    }
    if (this.#outbox === undefined) return true;
    for (let sent = 0; sent < this.#outbox.length; sent += 1) {
      const encoded = this.#outbox[sent] as Encoded;
      if (this.socket.sendControl(encoded, this.encoding) === 'refused') {
        this.#outbox.splice(0, sent);
        return false;
      }
      this.#outboxBytes -= encoded.length;
    }
    this.#outbox = undefined;
    return true;
  }
}
