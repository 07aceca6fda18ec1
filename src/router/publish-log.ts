import type { Lanes } from './lanes.ts';

/** One frame of a topic. */
export interface Publication {
  lanes: Lanes | undefined;
  /** `Lanes.rounds` with it. */
  round: number;
  timestamp: number;
  bytes: number;
}

/** The socket library hands a socket at most 32 small messages together, so what it reports is among the last publications by far. */
const LENGTH = 1_024;

/**
 * The last publications of all topics, in order. The library gathers small messages of a turn of the event loop; when a socket refuses one of
 * them it reports that one, and the later ones of the turn are lost without a word. Whoever counts must know what was published.
 */
export class PublishLog {
  readonly #entries: Publication[] = Array.from({ length: LENGTH }, () => ({
    lanes: undefined,
    round: 0,
    timestamp: 0,
    bytes: 0,
  }));
  #next = 0;

  note(lanes: Lanes, timestamp: number, bytes: number): void {
    const entry = this.#entries[this.#next] as Publication;
    entry.lanes = lanes;
    entry.round = lanes.rounds;
    entry.timestamp = timestamp;
    entry.bytes = bytes;
    this.#next = (this.#next + 1) % LENGTH;
  }

  /** The last publication that looks like this one, and all after it. Empty when it is not there any more. */
  from(lanes: Lanes, timestamp: number, bytes: number): Publication[] {
    for (let back = 1; back <= LENGTH; back += 1) {
      const entry = this.#at(back);
      if (entry.lanes !== lanes || entry.timestamp !== timestamp || entry.bytes !== bytes) continue;
      return Array.from({ length: back }, (_, index) => this.#at(back - index));
    }
    return [];
  }

  #at(back: number): Publication {
    return this.#entries[(this.#next - back + LENGTH) % LENGTH] as Publication;
  }
}
