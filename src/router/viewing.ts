import type { Audience } from './audience.ts';
import { type DropCause, FrameTally } from './frame-tally.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { PeerSocket } from './ports.ts';
import { SendWindow } from './send-window.ts';
import { TokenBucket } from './token-bucket.ts';
import type { Viewer } from './viewer.ts';

/** What a viewer asked for when it subscribed. */
export interface Wish {
  wantsFrames: boolean;
  wantsAlerts: boolean;
  /** Undefined: as many as come. */
  maxFps: number | undefined;
  /** Frames in flight; undefined: a plain viewer. */
  window: number | undefined;
  /** Its connection is for this stream alone, and closed when that ends. */
  endsWithStream?: boolean;
}

/** As the sampler for ML does: a frame that comes a few ms early must not cost the viewer every other one. */
const PACE_BURST = 1.5;

/** One viewer's subscription to one stream. */
export class Viewing {
  readonly viewer: Viewer;
  /** The viewer's: a step less on the way of every frame. */
  readonly socket: PeerSocket;
  readonly streamId: string;
  readonly wish: Wish;
  /** It is there because its viewer asked for all streams, not for this one. */
  readonly isFromAll: boolean;
  readonly tally: FrameTally;
  readonly window: SendWindow | undefined;
  readonly #pace: TokenBucket | undefined;
  /** The stream's audience while it is live; undefined while the subscription waits for a stream of that id. */
  audience: Audience | undefined;
  /** How it gets frames now; undefined while there is no stream, or when it wants none. */
  lane: Lane | undefined;
  /** Where its lane is; stays there when it has left. */
  lanes: Lanes | undefined;
  /** `Lanes.rounds` up to which `tally` has them. */
  countedRounds = 0;
  /** Still subscribed at the socket library; may lag behind `lane` until the library may be called again. */
  inTopic = false;
  /** Of which rounds the topic owes it the frames: those after the first number, up to the second. */
  topicRounds: { after: number; until: number } | undefined;
  /** Those of them that were taken back: the library may report one alone, and later an earlier one, with which all after it are lost. */
  lostRounds: Set<number> | undefined;
  /** When it last got a frame, or, with a window, acknowledged one; ms of the monotonic clock. In a plain lane `Audience.count` brings it up to date. */
  lastDeliveredMs: number | undefined;
  /** The newest frame was offered and could not be sent yet: what it will count as if a newer one takes its place. */
  heldFor: DropCause | undefined;

  constructor(viewer: Viewer, streamId: string, wish: Wish, isFromAll: boolean, nowMs: number, sum: FrameTally) {
    this.viewer = viewer;
    this.socket = viewer.peer.socket;
    this.streamId = streamId;
    this.wish = wish;
    this.isFromAll = isFromAll;
    this.tally = new FrameTally(sum);
    this.window = wish.window === undefined ? undefined : new SendWindow(wish.window);
    this.#pace = wish.maxFps === undefined ? undefined : new TokenBucket(wish.maxFps, PACE_BURST, nowMs);
  }

  /** Each frame is looked at for this viewer alone, and not for a lane as a whole. */
  get isPaced(): boolean {
    return this.window !== undefined || this.#pace !== undefined || this.viewer.isBehind;
  }

  /** Why no frame may be sent now. */
  obstacle(nowMs: number): 'slow' | 'fps' | undefined {
    if (this.viewer.isBehind || this.window?.isFull) return 'slow';
    return this.#pace === undefined || this.#pace.has(1, nowMs) ? undefined : 'fps';
  }

  /** The socket took the frame that was offered. */
  sent(nowMs: number): void {
    this.heldFor = undefined;
    this.#pace?.take(1);
    if (this.window === undefined) this.delivered(1, nowMs);
    else this.window.add(nowMs);
  }

  /** So many more frames have reached the viewer, as far as can be known. */
  delivered(frames: number, nowMs: number): void {
    this.tally.deliver(frames);
    this.lastDeliveredMs = Math.floor(nowMs);
  }

  /** It ends: what is still in flight will not be acknowledged any more. */
  end(): void {
    this.heldFor = undefined;
    this.tally.drop('closed', this.tally.inFlight);
  }
}
