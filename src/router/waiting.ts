import type { Viewing } from './viewing.ts';

/** Subscriptions to streams that are not there yet. Bounded by what each connection may subscribe to. */
export class Waiting {
  readonly #byStream = new Map<string, Set<Viewing>>();

  add(viewing: Viewing): void {
    const waiting = this.#byStream.get(viewing.streamId) ?? new Set();
    waiting.add(viewing);
    this.#byStream.set(viewing.streamId, waiting);
  }

  remove(viewing: Viewing): void {
    const waiting = this.#byStream.get(viewing.streamId);
    if (waiting?.delete(viewing) && waiting.size === 0) this.#byStream.delete(viewing.streamId);
  }

  /** All who wait for this stream; they wait no more. */
  take(streamId: string): Iterable<Viewing> {
    const waiting = this.#byStream.get(streamId) ?? [];
    this.#byStream.delete(streamId);
    return waiting;
  }
}
