import type { AnalysedFrame } from '../router/ports.ts';
import type { FrameHint } from './recent-frames.ts';
import type { StreamSampler } from './stream-sampler.ts';
import type { SampledFrame } from './transport.ts';

/** Frames that go to the service together, one of each stream. Their memory stays as it is until the request is done with. */
export class Batch {
  readonly #samplers: readonly StreamSampler[];
  #frames: readonly SampledFrame[] = [];

  constructor(samplers: readonly StreamSampler[]) {
    this.#samplers = samplers;
  }

  send(): readonly SampledFrame[] {
    this.#frames = this.#samplers.map(({ slot }) => slot.send());
    return this.#frames;
  }

  /** When it came in, ms of the monotonic clock. */
  takenAtMs(frame: SampledFrame): number {
    return this.#samplers[this.#frames.indexOf(frame)]?.slot.awayTakenAtMs ?? Number.NEGATIVE_INFINITY;
  }

  /** The frame of a stream. */
  of(streamId: string): AnalysedFrame | undefined {
    const index = this.#frames.findIndex((frame) => frame.streamId === streamId);
    const [frame, sampler] = [this.#frames[index], this.#samplers[index]];
    if (frame === undefined || sampler === undefined) return undefined;
    const { seq, timestamp, data: jpeg } = frame;
    return { seq, timestamp, jpeg, takenAtMs: sampler.slot.awayTakenAtMs };
  }

  /**
   * The frame that an alert of the answer speaks of: that of its stream here, unless it names another, which only `earlier` may know.
   * A time that is no frame's is when the service wrote the alert, as the original ones have it.
   * @throws Error when the stream has ended: its name may be somebody else's by now, who must not be shown this picture.
   */
  seenIn(hint: FrameHint, earlier: () => AnalysedFrame | undefined): AnalysedFrame | undefined {
    const sampler = this.#samplers.find(({ slot }) => slot.streamId === hint.streamId);
    if (sampler?.hasEnded) throw new Error(`streamId: ${hint.streamId} has ended since its frame was sent`);
    const frame = this.of(hint.streamId);
    if (frame === undefined) return earlier();
    if (hint.seq !== undefined) return hint.seq === frame.seq ? frame : earlier();
    if (hint.timestamp === undefined || hint.timestamp === frame.timestamp) return frame;
    return earlier() ?? frame;
  }
}
