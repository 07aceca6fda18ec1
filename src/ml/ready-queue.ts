import type { StreamSampler } from './stream-sampler.ts';

/** Streams whose frame may go to the service now, and whose turn it is. One frame each, so it is never longer than there are streams. */
export class ReadyQueue {
  /** In the order in which they came to wait. */
  readonly #waiting = new Set<StreamSampler>();
  /**
   * All streams, the one that was served longest ago first. A stream keeps its place while it has no frame, or one that grows too old: in the order of the
   * frames a camera of one picture in three seconds would never be served beside busy ones (tests/ml/fairness.test.ts).
   */
  readonly #turns = new Set<StreamSampler>();
  readonly #hasWeights: boolean;

  /** `hasWeights`: streams may differ in weight; otherwise the one that was served longest ago is first, without a calculation. */
  constructor(hasWeights: boolean) {
    this.#hasWeights = hasWeights;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Since when the first of them waits, ms of the monotonic clock. */
  get oldestMs(): number {
    const [first] = this.#waiting;
    return first?.slot.waitingSinceMs ?? 0;
  }

  /** A stream begins: its turn comes after those of all others. */
  join(sampler: StreamSampler): void {
    this.#turns.add(sampler);
  }

  /** A stream has ended. */
  leave(sampler: StreamSampler): void {
    this.#waiting.delete(sampler);
    this.#turns.delete(sampler);
  }

  /** Its frame waits. */
  add(sampler: StreamSampler): void {
    this.#waiting.add(sampler);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** Takes up to `maxFrames` of them out, those first whose turn it is; one at least, and then as many as fit into `maxBytes`. */
  take(nowMs: number, { maxFrames, maxBytes }: { maxFrames: number; maxBytes: number }): StreamSampler[] {
    const taken: StreamSampler[] = [];
    let bytes = 0;
    for (const sampler of this.#hasWeights ? this.#byUrgency(nowMs) : this.#turns) {
      if (!this.#waiting.has(sampler)) continue;
      bytes += sampler.slot.bytes;
      if (taken.length >= maxFrames || (bytes > maxBytes && taken.length > 0)) break;
      taken.push(sampler);
    }
    for (const sampler of taken) {
      sampler.servedAtMs = nowMs;
      this.#waiting.delete(sampler);
      this.#turns.delete(sampler);
      this.#turns.add(sampler);
    }
    return taken;
  }

  /** Takes out whose frame came in before `oldestAllowedMs`, and answers how many they were. */
  dropOlderThan(oldestAllowedMs: number): number {
    let dropped = 0;
    for (const sampler of this.#waiting) {
      if (sampler.slot.takenAtMs >= oldestAllowedMs) continue;
      sampler.slot.isFull = false;
      this.#waiting.delete(sampler);
      dropped += 1;
    }
    return dropped;
  }

  /**
   * The time since a stream was last served, times its weight: so one of weight 3 is served three times as often as one of weight 1, and nobody
   * waits for ever (tests/ml/fairness.test.ts).
   */
  #byUrgency(nowMs: number): StreamSampler[] {
    const urgencies = new Map([...this.#waiting].map((sampler) => [sampler, sampler.urgency(nowMs)]));
    return [...urgencies.keys()].sort((one, other) => (urgencies.get(other) ?? 0) - (urgencies.get(one) ?? 0));
  }
}
