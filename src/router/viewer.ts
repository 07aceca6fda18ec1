import type { Audience } from './audience.ts';
import type { Lane } from './lane.ts';
import type { Peer } from './peer.ts';
import type { PeerSocket } from './ports.ts';

/** One viewer's subscription to one stream. */
export interface Viewing {
  readonly viewer: Viewer;
  /** The viewer's: a step less on the way of every frame. */
  readonly socket: PeerSocket;
  readonly streamId: string;
  readonly wantsFrames: boolean;
  readonly wantsAlerts: boolean;
  /** The stream's audience while it is live; undefined while the subscription waits for a stream of that id. */
  audience: Audience | undefined;
  /** `behind`: takes no frames until its socket has drained. */
  lane: Lane | 'behind' | undefined;
  /** Still subscribed at the socket library; may lag behind `lane` until the library may be called again. */
  inTopic: boolean;
  /** `NewestFrame.number` of the frame it was sent when it last joined or caught up; 0 for none. */
  caughtUpWith: number;
}

/** A connection that watches streams: any number of them, one socket, so it falls behind and catches up as a whole. */
export class Viewer {
  readonly peer: Peer;
  readonly viewings = new Map<string, Viewing>();
  #behind = false;

  constructor(peer: Peer) {
    this.peer = peer;
  }

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
    if (this.peer.socket.bufferedBytes() > 0 || !this.peer.flush() || !this.#behind) return;
    this.leaveTopics();
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
