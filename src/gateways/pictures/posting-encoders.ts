import type { RegisterMessage } from '../../../proto/messages.ts';
import type { OpenConnection } from '../../router/open-connection.ts';
import type { Clock, Principal, SessionHolder, SessionWatch } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import { type Dismissal, HttpEncoder } from './http-encoder.ts';

export interface PostingEncodersParts {
  router: Router;
  sessionWatch: SessionWatch;
  clock: Clock;
  /** One that no connection has had. */
  newConnectionId: () => number;
}

/** What became of a picture. */
export type Posted = { kind: 'accepted' } | { kind: 'over rate' } | { kind: 'dismissed'; dismissal: Dismissal };

/** An encoder that posts nothing for so long is gone; the grace of its stream begins. */
const IDLE_LIMIT_MS = 10_000;
const SWEEP_MS = 1_000;

/** One that posts picture by picture, and is taken for connected in between. */
class Posting implements SessionHolder {
  readonly id: number;
  readonly sinceMs: number;
  readonly key: string;
  readonly encoder: HttpEncoder;
  /** Of its last request. */
  address = '';
  lastHeardMs = 0;
  /** The session of its last request. */
  sessionId: string | undefined;
  /** It was sent away, and is told so as long as it goes on posting: on a connection it would know. */
  dismissal: Dismissal | undefined;
  readonly #onSessionEnded: (posting: Posting) => void;

  constructor(
    { router, clock, newConnectionId }: PostingEncodersParts,
    key: string,
    principal: Principal,
    onSessionEnded: (posting: Posting) => void,
  ) {
    this.id = newConnectionId();
    this.sinceMs = clock.monotonicMs();
    this.key = key;
    this.#onSessionEnded = onSessionEnded;
    this.encoder = new HttpEncoder(router, principal, (dismissal) => {
      this.dismissal = dismissal;
    });
  }

  sessionEnded(): void {
    this.#onSessionEnded(this);
  }
}

/** Encoders that post one picture in each request: the first one registers the stream, and a pause of some seconds is their end. */
export class PostingEncoders {
  readonly #parts: PostingEncodersParts;
  readonly #postings = new Map<string, Posting>();
  readonly #timer: NodeJS.Timeout;

  constructor(parts: PostingEncodersParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  /**
   * Routes one picture. `message`: a good `video-frame` of the stream that `registration` names.
   * @throws ProtocolError as `Streams.register` does.
   */
  accept(
    principal: Principal,
    address: string,
    registration: RegisterMessage & { streamId: string },
    message: Buffer,
  ): Posted {
    // Users have no line breaks in their names, and streams no spaces.
    const key = `${registration.streamId} ${principal.userId}`;
    const known = this.#postings.get(key);
    if (known?.dismissal !== undefined) {
      known.lastHeardMs = this.#parts.clock.monotonicMs();
      if (this.#stillHolds(known.dismissal, registration.streamId)) {
        return { kind: 'dismissed', dismissal: known.dismissal };
      }
      this.#forget(known);
    }
    const posting = this.#postings.get(key) ?? this.#register(key, principal, registration);
    posting.lastHeardMs = this.#parts.clock.monotonicMs();
    posting.address = address;
    this.#livesBy(posting, principal.sessionId);
    return { kind: posting.encoder.accept(message) ? 'accepted' : 'over rate' };
  }

  /** Each of them is a connection, also between its requests. */
  *connections(): Generator<OpenConnection> {
    for (const { id, sinceMs, address, encoder, dismissal } of this.#postings.values()) {
      if (dismissal === undefined) yield { ...encoder.facts, id, sinceMs, address, rttMs: undefined };
    }
  }

  /** No time passes any more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Whoever took its stream over may be gone. Of a stream that was deleted only a pause makes a new one. */
  #stillHolds({ code }: Dismissal, streamId: string): boolean {
    return code !== 'TAKEN_OVER' || this.#parts.router.streams.get(streamId)?.encoder !== undefined;
  }

  #register(key: string, principal: Principal, registration: RegisterMessage): Posting {
    const posting = new Posting(this.#parts, key, principal, (ended) => this.#gone(ended));
    posting.encoder.register(registration);
    this.#postings.set(key, posting);
    return posting;
  }

  #livesBy(posting: Posting, sessionId: string | undefined): void {
    const { sessionWatch } = this.#parts;
    if (posting.sessionId === sessionId) return;
    if (posting.sessionId !== undefined) sessionWatch.remove(posting.sessionId, posting);
    if (sessionId !== undefined) sessionWatch.add(sessionId, posting);
    posting.sessionId = sessionId;
  }

  #gone(posting: Posting): void {
    posting.encoder.leave();
    this.#forget(posting);
  }

  #forget(posting: Posting): void {
    this.#livesBy(posting, undefined);
    this.#postings.delete(posting.key);
  }

  #sweep(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const posting of this.#postings.values()) {
      if (nowMs - posting.lastHeardMs >= IDLE_LIMIT_MS) this.#gone(posting);
    }
  }
}
