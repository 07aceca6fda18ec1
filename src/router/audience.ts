import type { Encoded, Encoding } from '../../proto/codec.ts';
import type { FrameView } from '../../proto/frame.ts';
import type { Counters } from './counters.ts';
import { chooseLane } from './lane.ts';
import type { NewestFrame } from './newest-frame.ts';
import type { Outgoing } from './outgoing.ts';
import type { Publisher } from './ports.ts';
import type { Viewing } from './viewer.ts';

export interface AudienceParts {
  publisher: Publisher;
  counters: Counters;
}

/** Those who get frames now, in one encoding. */
class Lanes {
  readonly encoding: Encoding;
  readonly topic: string;
  readonly direct = new Set<Viewing>();
  topicViewers = 0;

  constructor(encoding: Encoding, key: number) {
    this.encoding = encoding;
    this.topic = `${key}/${encoding}`;
  }
}

/** Everybody who watches one stream, and how its frames reach them. */
export class Audience {
  readonly #parts: AudienceParts;
  readonly #newest: NewestFrame;
  readonly #viewings = new Set<Viewing>();
  readonly #msgpack: Lanes;
  readonly #json: Lanes;
  /** Those of the two that have viewers: the frame path does not look at others. */
  #used: readonly Lanes[] = [];
  #behindViewers = 0;

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

  /**
   * Writes the frame in every encoding somebody watches, once each.
   * @throws ProtocolError for a frame that cannot be written in one of them: nobody gets it then.
   */
  transcode(frame: FrameView): void {
    for (const { encoding } of this.#used) frame.in(encoding);
  }

  /** The fan-out of a transcoded frame: one publish per encoding, and one send per viewer that has no topic. */
  deliver(frame: FrameView): void {
    const { publisher, counters } = this.#parts;
    // Before the fan-out: who falls behind during it is counted there.
    counters.framesOffered += this.#behindViewers;
    counters.framesDropped.slow += this.#behindViewers;
    for (const { encoding, topic, topicViewers, direct } of this.#used) {
      const encoded = frame.in(encoding);
      if (topicViewers > 0) {
        counters.framesOffered += topicViewers;
        counters.framesDelivered += topicViewers;
        publisher.publishFrame(topic, encoded, encoding);
      }
      for (const viewing of direct) this.#send(viewing, encoded, encoding);
    }
    if (this.#newest.byteLength === 0) this.#settle(frame.bytes.length);
  }

  /** To everybody here, or to those that consume alerts. */
  tell(outgoing: Outgoing, onlyAlertConsumers = false): number {
    let told = 0;
    for (const viewing of this.#viewings) {
      if (onlyAlertConsumers && !viewing.wantsAlerts) continue;
      viewing.viewer.peer.tell(outgoing);
      told += 1;
    }
    return told;
  }

  /** Takes a viewer in: the newest frame if there is one, then live ones. */
  admit(viewing: Viewing): void {
    viewing.audience = this;
    this.#viewings.add(viewing);
    if (!viewing.wantsFrames) return;
    if (viewing.viewer.isBehind) this.#setBehind(viewing);
    else this.resume(viewing);
  }

  dismiss(viewing: Viewing): void {
    this.#leaveLane(viewing);
    this.leaveTopic(viewing);
    this.#viewings.delete(viewing);
    viewing.audience = undefined;
    viewing.caughtUpWith = 0;
  }

  /**
   * The newest frame, then a lane. A socket that refuses even that one is behind again, see `Viewers.dropped`. Who was sent this
   * very frame at an earlier try is not sent it again.
   */
  resume(viewing: Viewing): void {
    if (!viewing.wantsFrames) return;
    this.#leaveLane(viewing);
    const { encoding } = viewing.viewer.peer;
    const newest = this.#newest.in(encoding);
    this.#enterLane(viewing);
    if (newest === undefined || viewing.caughtUpWith === this.#newest.number) return;
    if (this.#send(viewing, newest, encoding)) viewing.caughtUpWith = this.#newest.number;
  }

  /** Stops counting on the viewer's lane. The topic itself is left later, see `Viewer.fallBehind`. */
  suspend(viewing: Viewing): void {
    if (!viewing.wantsFrames || viewing.lane === 'behind') return;
    this.#leaveLane(viewing);
    this.#setBehind(viewing);
  }

  leaveTopic(viewing: Viewing): void {
    if (!viewing.inTopic) return;
    viewing.inTopic = false;
    viewing.socket.leaveTopic(this.#lanesOf(viewing).topic);
  }

  /** A refusal needs no more than counting here: the socket reports it to `Viewers.dropped` as well. */
  #send(viewing: Viewing, frame: Encoded, encoding: Encoding): boolean {
    const { counters } = this.#parts;
    const accepted = viewing.socket.sendFrame(frame, encoding) !== 'refused';
    counters.framesOffered += 1;
    if (accepted) counters.framesDelivered += 1;
    else counters.framesDropped.slow += 1;
    return accepted;
  }

  #enterLane(viewing: Viewing): void {
    // Before a stream's first frame nobody knows its size: direct for that one frame, then `settle` decides.
    const lane = this.#newest.byteLength === 0 ? 'direct' : chooseLane(this.#newest.byteLength);
    if (lane === 'topic') {
      this.#joinTopic(viewing);
    } else {
      viewing.lane = 'direct';
      this.#lanesOf(viewing).direct.add(viewing);
    }
    this.#noteUsed();
  }

  #joinTopic(viewing: Viewing): void {
    const lanes = this.#lanesOf(viewing);
    viewing.lane = 'topic';
    viewing.inTopic = true;
    lanes.topicViewers += 1;
    viewing.socket.joinTopic(lanes.topic);
  }

  #leaveLane(viewing: Viewing): void {
    if (viewing.lane === 'topic') this.#lanesOf(viewing).topicViewers -= 1;
    else if (viewing.lane === 'direct') this.#lanesOf(viewing).direct.delete(viewing);
    else if (viewing.lane === 'behind') this.#behindViewers -= 1;
    viewing.lane = undefined;
    this.#noteUsed();
  }

  #lanesOf({ viewer }: Viewing): Lanes {
    return viewer.peer.encoding === 'msgpack' ? this.#msgpack : this.#json;
  }

  #noteUsed(): void {
    this.#used = [this.#msgpack, this.#json].filter(({ topicViewers, direct }) => topicViewers > 0 || direct.size > 0);
  }

  #setBehind(viewing: Viewing): void {
    viewing.lane = 'behind';
    this.#behindViewers += 1;
  }

  /** After the first frame: those who waited for it leave the direct lane when frames are small enough for a topic. */
  #settle(frameBytes: number): void {
    if (chooseLane(frameBytes) === 'direct') return;
    for (const { direct } of this.#used) {
      for (const viewing of direct) {
        direct.delete(viewing);
        this.#joinTopic(viewing);
      }
    }
  }
}
