import type { Encoding } from '../../proto/codec.ts';
import type { FrameView } from '../../proto/frame.ts';
import type { Counters } from './counters.ts';
import { chooseLane } from './lane.ts';
import type { NewestFrame } from './newest-frame.ts';
import type { Outgoing } from './outgoing.ts';
import type { Defer, Publisher } from './ports.ts';
import type { Viewing } from './viewer.ts';

export interface AudienceParts {
  publisher: Publisher;
  defer: Defer;
  counters: Counters;
}

const ENCODINGS: readonly Encoding[] = ['msgpack', 'json'];

/** Everybody who watches one stream, and how its frames reach them. */
export class Audience {
  readonly #parts: AudienceParts;
  readonly #newest: NewestFrame;
  readonly #viewings = new Set<Viewing>();
  readonly #topics: Readonly<Record<Encoding, string>>;
  readonly #topicViewers: Record<Encoding, number> = { msgpack: 0, json: 0 };
  readonly #direct: Readonly<Record<Encoding, Set<Viewing>>> = { msgpack: new Set(), json: new Set() };
  #behindViewers = 0;

  /** `key`: unique among all streams that ever were, so that no topic outlives its stream. */
  constructor(key: number, newest: NewestFrame, parts: AudienceParts) {
    this.#parts = parts;
    this.#newest = newest;
    this.#topics = { msgpack: `${key}/msgpack`, json: `${key}/json` };
  }

  get viewings(): ReadonlySet<Viewing> {
    return this.#viewings;
  }

  /**
   * Writes the frame in every encoding somebody watches, once each.
   * @throws ProtocolError for a frame that cannot be written in one of them: nobody gets it then.
   */
  transcode(frame: FrameView): void {
    for (const encoding of ENCODINGS) {
      if (this.#topicViewers[encoding] > 0 || this.#direct[encoding].size > 0) frame.in(encoding);
    }
  }

  /** The fan-out of a transcoded frame: one publish per encoding, and one send per viewer that has no topic. */
  deliver(frame: FrameView): void {
    const { publisher, counters } = this.#parts;
    for (const encoding of ENCODINGS) {
      const topicViewers = this.#topicViewers[encoding];
      if (topicViewers > 0) {
        counters.framesOffered += topicViewers;
        counters.framesDelivered += topicViewers;
        publisher.publishFrame(this.#topics[encoding], frame.in(encoding), encoding);
      }
      for (const viewing of this.#direct[encoding]) this.#sendDirect(viewing, frame);
    }
    counters.framesOffered += this.#behindViewers;
    counters.framesDropped.slow += this.#behindViewers;
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
  }

  /** The newest frame, then a lane. Where the socket refuses even that one, the viewer is behind. */
  resume(viewing: Viewing): void {
    if (!viewing.wantsFrames) return;
    this.#leaveLane(viewing);
    const { encoding } = viewing.viewer.peer;
    const newest = this.#newest.in(encoding);
    this.#enterLane(viewing, encoding);
    if (newest === undefined) return;
    this.#parts.counters.framesOffered += 1;
    if (viewing.viewer.peer.socket.sendFrame(newest, encoding) === 'refused') this.#refused(viewing);
    else this.#parts.counters.framesDelivered += 1;
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
    viewing.viewer.peer.socket.leaveTopic(this.#topics[viewing.viewer.peer.encoding]);
  }

  #sendDirect(viewing: Viewing, frame: FrameView): void {
    const { peer } = viewing.viewer;
    this.#parts.counters.framesOffered += 1;
    if (peer.socket.sendFrame(frame.in(peer.encoding), peer.encoding) === 'refused') this.#refused(viewing);
    else this.#parts.counters.framesDelivered += 1;
  }

  #refused(viewing: Viewing): void {
    this.#parts.counters.framesDropped.slow += 1;
    const { viewer } = viewing;
    viewer.fallBehind();
    this.#parts.defer(() => viewer.leaveTopics());
  }

  #enterLane(viewing: Viewing, encoding: Encoding): void {
    // Before a stream's first frame nobody knows its size: direct for that one frame, then `settle` decides.
    const lane = this.#newest.byteLength === 0 ? 'direct' : chooseLane(this.#newest.byteLength);
    viewing.lane = lane;
    if (lane === 'direct') {
      this.#direct[encoding].add(viewing);
      return;
    }
    this.#topicViewers[encoding] += 1;
    viewing.inTopic = true;
    viewing.viewer.peer.socket.joinTopic(this.#topics[encoding]);
  }

  #leaveLane(viewing: Viewing): void {
    const { encoding } = viewing.viewer.peer;
    if (viewing.lane === 'topic') this.#topicViewers[encoding] -= 1;
    else if (viewing.lane === 'direct') this.#direct[encoding].delete(viewing);
    else if (viewing.lane === 'behind') this.#behindViewers -= 1;
    viewing.lane = undefined;
  }

  #setBehind(viewing: Viewing): void {
    viewing.lane = 'behind';
    this.#behindViewers += 1;
  }

  /** After the first frame: those who waited for it leave the direct lane when frames are small enough for a topic. */
  #settle(frameBytes: number): void {
    if (chooseLane(frameBytes) === 'direct') return;
    for (const encoding of ENCODINGS) {
      for (const viewing of this.#direct[encoding]) {
        this.#direct[encoding].delete(viewing);
        viewing.lane = 'topic';
        this.#topicViewers[encoding] += 1;
        viewing.inTopic = true;
        viewing.viewer.peer.socket.joinTopic(this.#topics[encoding]);
      }
    }
  }
}
