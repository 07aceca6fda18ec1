import type { FrameView } from '../../proto/frame.ts';
import type { Counters } from './counters.ts';
import { chooseLane, type Lane } from './lane.ts';
import { Lanes } from './lanes.ts';
import type { NewestFrame } from './newest-frame.ts';
import type { Outgoing } from './outgoing.ts';
import type { Clock, Publisher } from './ports.ts';
import type { PublishLog } from './publish-log.ts';
import type { Viewing } from './viewing.ts';

export interface AudienceParts {
  publisher: Publisher;
  publishLog: PublishLog;
  counters: Counters;
  clock: Clock;
}

/** Everybody who watches one stream, and how its frames reach them. */
export class Audience {
  readonly #parts: AudienceParts;
  readonly #newest: NewestFrame;
  readonly #viewings = new Set<Viewing>();
  readonly #msgpack: Lanes;
  readonly #json: Lanes;
  #serviceViewings = 0;
  /** Those of the two that have viewers: the frame path does not look at others. */
  #used: readonly Lanes[] = [];

  /** `key`: unique among all streams that ever were, so that no topic outlives its stream. */
  constructor(key: number, newest: NewestFrame, parts: AudienceParts) {
    this.#parts = parts;
    this.#newest = newest;
    this.#msgpack = new Lanes('msgpack', key);
    this.#json = new Lanes('json', key);
  }

  get viewings(): ReadonlySet<Viewing> {
    return this.#viewings;
  }

  /** An ML service watches as a client. */
  get hasService(): boolean {
    return this.#serviceViewings > 0;
  }

  /** Frames a second that its most demanding viewer wants, a whole number; 0 without viewers of frames. */
  get wantedFps(): number {
    let fps = 0;
    for (const { wish } of this.#viewings) {
      if (!wish.wantsFrames) continue;
      // Most viewers want all there are, so the first one ends it.
      if (wish.maxFps === undefined) return Number.POSITIVE_INFINITY;
      fps = Math.max(fps, Math.ceil(wish.maxFps));
    }
    return fps;
  }

  /**
   * Writes the frame in every encoding somebody can be sent, once each.
   * @throws ProtocolError for a frame that cannot be written in one of them: nobody gets it then.
   */
  transcode(frame: FrameView, nowMs: number): void {
    for (const lanes of this.#used) {
      if (lanes.encoding !== frame.encoding && lanes.takesFrame(nowMs)) frame.in(lanes.encoding);
    }
  }

  /** The fan-out of a transcoded frame: one publish per encoding, and one send per viewer that has no topic. */
  deliver(frame: FrameView, nowMs: number): void {
    for (const lanes of this.#used) {
      // Paced ones first: who falls behind in the other two lanes joins these, and has been offered this frame.
      for (const viewing of lanes.paced) this.#offer(viewing, frame, nowMs);
      if (lanes.plainViewers > 0) this.#deliverPlain(lanes, frame, nowMs);
    }
    if (this.#newest.byteLength === 0) this.#settle(frame.bytes.length);
  }

  /** To everybody here. */
  tell(outgoing: Outgoing): void {
    for (const { viewer } of this.#viewings) viewer.peer.tell(outgoing);
  }

  /** Takes a viewer in: the newest frame if there is one, then live ones. */
  admit(viewing: Viewing): void {
    viewing.audience = this;
    this.#viewings.add(viewing);
    if (viewing.viewer.isService) this.#serviceViewings += 1;
    if (!viewing.wish.wantsFrames) return;
    if (this.#newest.byteLength > 0) {
      viewing.tally.offer();
      viewing.heldFor = 'slow';
    }
    this.#enterLane(viewing);
    this.release(viewing);
  }

  dismiss(viewing: Viewing): void {
    this.#leaveLane(viewing);
    this.leaveTopic(viewing);
    this.#viewings.delete(viewing);
    if (viewing.viewer.isService) this.#serviceViewings -= 1;
    viewing.audience = undefined;
    if (viewing.heldFor === undefined) return;
    viewing.heldFor = undefined;
    viewing.tally.drop('closed');
  }

  /** Sends the newest frame to a viewer that it was held back from, if it may be sent now. */
  release(viewing: Viewing, nowMs = this.#parts.clock.monotonicMs()): void {
    if (viewing.heldFor === undefined) return;
    const obstacle = viewing.obstacle(nowMs);
    if (obstacle !== undefined) {
      viewing.heldFor = obstacle;
      return;
    }
    const { encoding } = viewing.viewer.peer;
    const newest = this.#newest.in(encoding);
    if (newest === undefined) {
      // Its picture turned out not to be one: nobody of this encoding will get it.
      viewing.heldFor = undefined;
      viewing.tally.drop('slow');
    } else if (viewing.socket.sendFrame(newest, encoding) !== 'refused') viewing.sent(nowMs);
  }

  /** Offers the newest frame again to a paced viewer that has it: where nothing new comes, its connection must carry something now and then. */
  repeat(viewing: Viewing): void {
    if (viewing.lane !== 'paced' || viewing.heldFor !== undefined || this.#newest.byteLength === 0) return;
    viewing.tally.offer();
    viewing.heldFor = 'slow';
    this.release(viewing);
  }

  /** The viewer's socket has drained: its lane again, and the newest frame if it has not had it. */
  resume(viewing: Viewing): void {
    if (!viewing.wish.wantsFrames) return;
    this.#leaveLane(viewing);
    this.#enterLane(viewing);
    this.release(viewing);
  }

  /** No frames before `resume`. The topic itself is left later, see `Viewer.fallBehind`. */
  suspend(viewing: Viewing): void {
    if (viewing.lane === undefined || viewing.lane === 'paced') return;
    this.#leaveLane(viewing);
    this.#enterLane(viewing);
  }

  leaveTopic(viewing: Viewing): void {
    if (!viewing.inTopic) return;
    viewing.inTopic = false;
    if (viewing.lanes !== undefined) viewing.socket.leaveTopic(viewing.lanes.topic);
  }

  /** The last `frames` of a lane did not reach a viewer that is suspended since. Unless a newer one is held back, the last of them is now. */
  takeBack(viewing: Viewing, frames: number): void {
    viewing.tally.takeBack(frames);
    viewing.tally.drop('slow', viewing.heldFor === undefined ? frames - 1 : frames);
    viewing.heldFor = 'slow';
  }

  /** Lets time pass: who waited for its `maxFps` gets the newest frame, also when no further one comes. */
  tick(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const { paced } of this.#used) for (const viewing of paced) this.release(viewing, nowMs);
  }

  /** Brings a viewer's tally up to date. */
  count(viewing: Viewing): void {
    const { lane, lanes } = viewing;
    const rounds = lanes?.rounds ?? 0;
    const news = rounds - viewing.countedRounds;
    viewing.countedRounds = rounds;
    if (lanes === undefined || news === 0 || (lane !== 'topic' && lane !== 'direct')) return;
    viewing.tally.note(news);
    viewing.lastDeliveredMs = Math.floor(lanes.lastRoundMs);
  }

  #deliverPlain(lanes: Lanes, frame: FrameView, nowMs: number): void {
    const { encoding } = lanes;
    const { publisher, publishLog, counters } = this.#parts;
    const encoded = frame.in(encoding);
    // Before the fan-out: who turns out not to have got it takes it back.
    counters.frames.offer(lanes.plainViewers);
    counters.frames.deliver(lanes.plainViewers);
    lanes.rounds += 1;
    lanes.lastRoundMs = nowMs;
    for (const viewing of lanes.direct) {
      if (viewing.socket.sendFrame(encoded, encoding) === 'refused') this.takeBack(viewing, 1);
    }
    if (lanes.topicViewers === 0) return;
    publishLog.note(lanes, typeof encoded === 'string' ? Buffer.from(encoded) : encoded);
    publisher.publishFrame(lanes.topic, encoded, encoding);
  }

  #offer(viewing: Viewing, frame: FrameView, nowMs: number): void {
    viewing.tally.offer();
    if (viewing.heldFor !== undefined) viewing.tally.drop(viewing.heldFor);
    viewing.heldFor = viewing.obstacle(nowMs);
    if (viewing.heldFor !== undefined) return;
    viewing.heldFor = 'slow';
    const { encoding } = viewing.viewer.peer;
    if (viewing.socket.sendFrame(frame.in(encoding), encoding) !== 'refused') viewing.sent(nowMs);
  }

  #enterLane(viewing: Viewing): void {
    const lanes = viewing.viewer.peer.encoding === 'msgpack' ? this.#msgpack : this.#json;
    viewing.lanes = lanes;
    viewing.countedRounds = lanes.rounds;
    viewing.lane = this.#laneFor(viewing);
    if (viewing.lane === 'paced') lanes.paced.add(viewing);
    else if (viewing.lane === 'direct') lanes.direct.add(viewing);
    else this.#joinTopic(viewing, lanes);
    this.#noteUsed();
  }

  #laneFor(viewing: Viewing): Lane {
    if (viewing.isPaced) return 'paced';
    // Before a stream's first frame nobody knows its size: direct for that one frame, then `settle` decides.
    return this.#newest.byteLength === 0 ? 'direct' : chooseLane(this.#newest.byteLength);
  }

  #joinTopic(viewing: Viewing, lanes: Lanes): void {
    viewing.lane = 'topic';
    viewing.inTopic = true;
    viewing.topicRounds = { after: lanes.rounds, until: Number.POSITIVE_INFINITY };
    viewing.lostRounds = undefined;
    lanes.topicViewers += 1;
    viewing.socket.joinTopic(lanes.topic);
  }

  #leaveLane(viewing: Viewing): void {
    this.count(viewing);
    const { lane, lanes } = viewing;
    viewing.lane = undefined;
    if (lane === undefined || lanes === undefined) return;
    if (lane === 'topic') {
      lanes.topicViewers -= 1;
      if (viewing.topicRounds !== undefined) viewing.topicRounds.until = lanes.rounds;
    } else lanes[lane].delete(viewing);
    this.#noteUsed();
  }

  #noteUsed(): void {
    this.#used = [this.#msgpack, this.#json].filter(({ isUsed }) => isUsed);
  }

  /** After the first frame: those who waited for it leave the direct lane when frames are small enough for a topic. */
  #settle(frameBytes: number): void {
    if (chooseLane(frameBytes) === 'direct') return;
    for (const lanes of this.#used) {
      for (const viewing of lanes.direct) {
        lanes.direct.delete(viewing);
        this.#joinTopic(viewing, lanes);
      }
    }
  }
}
