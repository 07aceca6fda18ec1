import { CloseCode } from '../../proto/close-codes.ts';
import type { Encoded, Encoding } from '../../proto/codec.ts';
import { NOTICES, type Notice } from '../../proto/messages.ts';
import type { Encodable } from './outgoing.ts';
import type { PeerSocket, Principal } from './ports.ts';

/** Alerts and the like that wait for one slow reader; one more closes it, so that it comes back and asks for what it missed. */
const OUTBOX_LIMIT = 256;
/** And how much may wait in all, in bytes or characters: an alert may carry almost 1 MiB of metadata. */
const OUTBOX_LIMIT_BYTES = 4 * 1024 * 1024;

const ALL_NOTICES = (1 << NOTICES.length) - 1;

interface Waiting {
  encoded: Encoded;
  /** What the client asked for does not count: a wall of 300 streams is 600 answers, behind the first pictures. */
  counts: boolean;
}

/**
 * The other end of one connection. Control messages (success, error, status, alert) do not share the fate of frames: what
 * the socket refuses waits here, in order, and goes out before the next frame.
 */
export class Peer {
  readonly principal: Principal;
  readonly socket: PeerSocket;
  /** A bit for each notice: a set of them would take 200 bytes of each connection. */
  #understood: number;
  /** From the subprotocol or the first message; `json` until then, as every client of the original documents speaks. */
  encoding: Encoding;
  #outbox: Waiting[] | undefined;
  #outboxCount = 0;
  #outboxBytes = 0;
  /** Too much waits: what comes now is lost to this connection, which is closed when the rest has gone out. */
  #isOverflowing = false;

  constructor(principal: Principal, socket: PeerSocket, subprotocolEncoding: Encoding | undefined) {
    this.principal = principal;
    this.socket = socket;
    // Who offers a subprotocol was written for this protocol, and not for the first router.
    this.#understood = subprotocolEncoding === undefined ? 0 : ALL_NOTICES;
    this.encoding = subprotocolEncoding ?? 'json';
  }

  /** The client says which messages it wants beside those that every client knows. */
  learns(notices: readonly Notice[] = []): void {
    for (const notice of notices) this.#understood |= bitOf(notice);
  }

  /** It offered a subprotocol, or said what it understands: it was not written for the first router. */
  get knowsThisProtocol(): boolean {
    return this.#understood !== 0;
  }

  understands(notice: Notice): boolean {
    return (this.#understood & bitOf(notice)) !== 0;
  }

  /** Bytes that wait for it here: for its socket, and in the outbox (characters, where it speaks JSON). What the kernel holds is not known. */
  get waitingBytes(): number {
    return this.socket.bufferedBytes() + this.#outboxBytes;
  }

  /** Sends a control message, or keeps it until the socket has drained. False: it is lost. */
  tell(outgoing: Encodable): boolean {
    return this.#send(outgoing, true);
  }

  /** Sends what the client asked for, or keeps it: bounded by what it asks, and in bytes. False: it is lost. */
  answer(outgoing: Encodable): boolean {
    return this.#send(outgoing, false);
  }

  /** Sends what waits. True when nothing waits any more, and the connection stays. */
  flush(): boolean {
    for (const [sent, { encoded, counts }] of (this.#outbox ?? []).entries()) {
      if (this.socket.sendControl(encoded, this.encoding) === 'refused') {
        this.#outbox?.splice(0, sent);
        return false;
      }
      this.#outboxBytes -= encoded.length;
      if (counts) this.#outboxCount -= 1;
    }
    this.#outbox = undefined;
    if (!this.#isOverflowing) return true;
    // Over its limit the socket would refuse the close frame too, and the client see a mere 1006.
    if (this.socket.bufferedBytes() === 0) this.socket.close(CloseCode.outboxFull, 'Too far behind: reconnect');
    return false;
  }

  #send(outgoing: Encodable, counts: boolean): boolean {
    if (this.#isOverflowing) return false;
    const encoded = outgoing.in(this.encoding);
    if (this.#outbox === undefined && this.socket.sendControl(encoded, this.encoding) !== 'refused') return true;
    const count = this.#outboxCount + (counts ? 1 : 0);
    if (count > OUTBOX_LIMIT || this.#outboxBytes + encoded.length > OUTBOX_LIMIT_BYTES) {
      // What waits still goes out before the close: so a client that comes back with `since` gets further each time.
      this.#isOverflowing = true;
      return false;
    }
    this.#outbox ??= [];
    this.#outbox.push({ encoded, counts });
    this.#outboxCount = count;
    this.#outboxBytes += encoded.length;
    return true;
  }
}

function bitOf(notice: Notice): number {
  return 1 << NOTICES.indexOf(notice);
}
