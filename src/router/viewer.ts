import type { Peer } from './peer.ts';
import type { TokenBucket } from './token-bucket.ts';
import type { Viewing } from './viewing.ts';

/** A connection that watches one stream or many: one socket, so it falls behind and catches up as a whole. */
export class Viewer {
  readonly peer: Peer;
  /** The ML service as a client: no user, so everybody's streams are its to watch, and nobody's alerts. */
  readonly isService: boolean;
  readonly viewings = new Map<string, Viewing>();
  /** What it may ask for: in streams subscribed to, and alerts sent again. Made by the first `subscribe`. */
  requests: TokenBucket | undefined;
  #behind = false;

  constructor(peer: Peer, isService = false) {
    this.peer = peer;
    this.isService = isService;
  }

  /** No frames until its socket has drained. */
  get isBehind(): boolean {
    return this.#behind;
  }

  /**
   * The socket refused something: no frames for this viewer until it has drained. It must leave its topics too, but not
   * here: the socket library may be iterating over them, so the caller defers `leaveTopics`.
   */
  fallBehind(): void {
    this.#behind = true;
    for (const viewing of this.viewings.values()) viewing.audience?.suspend(viewing);
  }

  leaveTopics(): void {
    if (!this.#behind) return;
    for (const viewing of this.viewings.values()) viewing.audience?.leaveTopic(viewing);
  }

  /** The socket has drained: what waited in the outbox, then the newest frame of each stream, then live again. */
  catchUp(): void {
    // First: a socket that has drained a little would take another frame of a topic, before what waits in the outbox.
    this.leaveTopics();
    if (this.peer.socket.bufferedBytes() > 0 || !this.peer.flush() || !this.#behind) return;
    this.#behind = false;
    for (const [streamId, viewing] of [...this.viewings]) {
      viewing.audience?.resume(viewing);
      if (this.#behind) return;
      // Served streams go to the end: where the newest frames of all are too much at once, the next drain serves the others.
      this.viewings.delete(streamId);
      this.viewings.set(streamId, viewing);
    }
  }
}
