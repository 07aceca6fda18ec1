import { CloseCode } from '../../../proto/close-codes.ts';
import type { RegisterMessage } from '../../../proto/messages.ts';
import type { ConnectionFacts } from '../../router/open-connection.ts';
import { Peer } from '../../router/peer.ts';
import type { PeerSocket, Principal, SendResult } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import { EncoderLink } from '../../router/stream.ts';

/** Why the router sent an encoder away, in the words of HTTP. */
export interface Dismissal {
  status: number;
  code: string;
  message: string;
}

const DISMISSALS: Readonly<Record<number, Dismissal>> = {
  [CloseCode.takenOver]: { status: 409, code: 'TAKEN_OVER', message: 'Taken over by a newer connection' },
  [CloseCode.streamDeleted]: { status: 410, code: 'STREAM_DELETED', message: 'The stream was deleted' },
};
const SENT_AWAY: Dismissal = { status: 503, code: 'UNAVAILABLE', message: 'Sent away by the router' };

/** An encoder as the router knows it, whose pictures come by HTTP. It hears nothing between its requests. */
export class HttpEncoder implements PeerSocket {
  readonly link: EncoderLink;
  readonly #router: Router;
  readonly #onDismissed: (dismissal: Dismissal) => void;
  #isGone = false;

  /** `onDismissed`: the router sends it away. */
  constructor(router: Router, principal: Principal, onDismissed: (dismissal: Dismissal) => void) {
    this.#router = router;
    this.#onDismissed = onDismissed;
    this.link = new EncoderLink(new Peer(principal, this, undefined));
  }

  get facts(): ConnectionFacts {
    const { link } = this;
    return { transport: 'http', path: '/streams/{stream_id}/frames', peer: link.peer, side: { role: 'encoder', link } };
  }

  /** @throws ProtocolError as `Streams.register` does. */
  register(message: RegisterMessage): void {
    this.#router.streams.register(this.link, message);
  }

  /**
   * Routes a picture of its stream. `message`: a `video-frame` in MessagePack.
   * @returns false when it is over the stream's rate, and was dropped.
   * @throws ProtocolError as `FramePath.accept` does.
   */
  accept(message: Buffer): boolean {
    const { stream } = this.link;
    const before = stream?.seq;
    this.#router.framePath.accept(this.link, message, 'msgpack');
    return stream?.seq !== before;
  }

  /** Its grace begins. */
  leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#router.streams.encoderGone(this.link);
  }

  sendFrame(): SendResult {
    return 'refused';
  }

  /** There is nobody to hear it: what became of its pictures is in the answers. */
  sendControl(): SendResult {
    return 'sent';
  }

  bufferedBytes(): number {
    return 0;
  }

  joinTopic(): void {}

  leaveTopic(): void {}

  close(code: number): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#onDismissed(DISMISSALS[code] ?? SENT_AWAY);
  }
}
