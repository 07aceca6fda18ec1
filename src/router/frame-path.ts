import type { Encoding } from '../../proto/codec.ts';
import { ErrorCode, ProtocolError } from '../../proto/errors.ts';
import { FrameView } from '../../proto/frame.ts';
import type { Counters } from './counters.ts';
import { Outgoing } from './outgoing.ts';
import type { Clock, DurationSink } from './ports.ts';
import type { EncoderLink, Stream } from './stream.ts';
import type { Streams } from './streams.ts';

/**
 * Of a stream's frames one in so many is timed. Timing all of them would cost 0.15 µs each, a look at the clock and a note in a histogram; so it is
 * 5 ns of the 300 that the cheapest frame takes, which is less than two runs differ (`npm run bench:micro -- --only frame-path`).
 */
const TIMED_ONE_IN = 64;

/**
 * The straight line every frame takes, from an encoder's socket to all of its viewers, in one synchronous call:
 * decode the head → is it mine? → rate limit → transcode where needed → publish → keep the newest → sample for analysis.
 */
export class FramePath {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #took: DurationSink | undefined;
  /** One view, pointed at message after message: the path allocates nothing that outlives the call. */
  readonly #frame = new FrameView();

  /** `took`: is told how long some frames took, from their admission until all was done with them. */
  constructor(streams: Streams, clock: Clock, counters: Counters, took?: DurationSink) {
    this.#streams = streams;
    this.#clock = clock;
    this.#counters = counters;
    this.#took = took;
  }

  /**
   * Routes one message of an encoder, if it is a frame. `message` is only read during the call.
   * @returns false when it is not a `video-frame`.
   * @throws ProtocolError `INVALID_MESSAGE` for a malformed frame, `ROUTING_ERROR` for one of a stream that is not this encoder's.
   */
  accept(link: EncoderLink, message: Buffer, encoding: Encoding): boolean {
    const frame = this.#frame;
    const { stream } = link;
    if (!frame.read(message, encoding, stream?.id)) return false;

    if (stream === undefined || stream.id !== frame.streamId) throw this.#notYours(link, frame.streamId);

    const nowMs = this.#clock.monotonicMs();
    if (!stream.limit.admits(message.length, nowMs)) {
      this.#overRate(link, stream, nowMs);
      return true;
    }

    stream.audience.transcode(frame, nowMs);
    const sampled = stream.tap.wants(nowMs) ? frame.jpeg() : undefined;
    this.#counters.framesAccepted += 1;
    stream.lastFrameMs = nowMs;
    stream.seq += 1;
    if (stream.status !== 'streaming') this.#streams.setStatus(stream, 'streaming');
    stream.audience.deliver(frame, nowMs);
    stream.newest.keep(message, encoding);
    if (sampled !== undefined) stream.tap.take(sampled, frame.timestamp, stream.seq, nowMs);
    if (stream.seq % TIMED_ONE_IN === 0) this.#took?.(this.#clock.monotonicMs() - nowMs);
    return true;
  }

  #notYours({ stream, rejected }: EncoderLink, streamId: string): ProtocolError {
    this.#counters.framesRejected.notYours += 1;
    rejected.notYours += 1;
    const registered = stream === undefined ? 'register first' : `this connection registered ${stream.id}`;
    return new ProtocolError(
      ErrorCode.routingError,
      `streamId: no frames for ${streamId.slice(0, 128)} here, ${registered}`,
    );
  }

  #overRate(link: EncoderLink, stream: Stream, nowMs: number): void {
    this.#counters.framesRejected.rate += 1;
    link.rejected.rate += 1;
    const dropped = stream.rateNotice.due(nowMs);
    if (dropped === 0) return;
    const timestamp = this.#clock.epochMs();
    const message = `${dropped} frame${dropped === 1 ? '' : 's'} over the stream's rate limit dropped`;
    link.peer.tell(new Outgoing({ type: 'error', code: ErrorCode.rateLimited, message, timestamp }));
    if (!link.peer.understands('throttle')) return;
    const { maxFps } = stream.limit;
    link.peer.tell(new Outgoing({ type: 'throttle', streamId: stream.id, maxFps, reason: 'rate-limit', timestamp }));
  }
}
