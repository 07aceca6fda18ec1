import type { StreamSampler } from './stream-sampler.ts';

/** Streams whose frame may go to the service now, and whose turn it is. One frame each, so it is never longer than there are streams. */
export class ReadyQueue {
  /** In the order in which they came to wait. */
  readonly #waiting = new Set<StreamSampler>();
  readonly #hasWeights: boolean;

  /** `hasWeights`: streams may differ in weight; otherwise the one that waits longest is first, without a look at the others. */
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

  add(sampler: StreamSampler): void {
    this.#waiting.add(sampler);
  }

  delete(sampler: StreamSampler): void {
    this.#waiting.delete(sampler);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** Takes up to `count` of them out, those first whose turn it is. */
  take(count: number, nowMs: number): StreamSampler[] {
    const taken: StreamSampler[] = [];
    for (const sampler of this.#hasWeights ? this.#byUrgency(nowMs) : this.#waiting) {
      if (taken.length >= count) break;
      this.#waiting.delete(sampler);
      taken.push(sampler);
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
