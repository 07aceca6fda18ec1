import type { Lanes } from './lanes.ts';

/** One frame of a topic. */
export interface Publication {
  lanes: Lanes | undefined;
  /** `Lanes.rounds` with it. */
  round: number;
  bytes: number;
  fingerprint: number;
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
    bytes: 0,
    fingerprint: 0,
  }));
  #next = 0;

  note(lanes: Lanes, frame: Uint8Array): void {
    const entry = this.#entries[this.#next] as Publication;
    entry.lanes = lanes;
    entry.round = lanes.rounds;
    entry.bytes = frame.length;
    entry.fingerprint = fingerprintOf(frame);
    this.#next = (this.#next + 1) % LENGTH;
  }

  /** The publication of this frame, and all after it. Empty when it is not there any more. */
  from(lanes: Lanes, frame: Uint8Array): Publication[] {
    const fingerprint = fingerprintOf(frame);
    for (let back = 1; back <= LENGTH; back += 1) {
      const entry = this.#at(back);
      if (entry.lanes !== lanes || entry.fingerprint !== fingerprint || entry.bytes !== frame.length) continue;
      return Array.from({ length: back }, (_, index) => this.#at(back - index));
    }
    return [];
  }

  #at(back: number): Publication {
    return this.#entries[(this.#next - back + LENGTH) % LENGTH] as Publication;
  }
}

/** Frames of one turn are often of one size and of one ms; what tells them apart is in their head, or at the beginning or the end of their pictures. */
const HEAD_BYTES = 160;
const TAIL_BYTES = 32;

/** FNV-1a of both; 0.15 µs. */
function fingerprintOf(frame: Uint8Array): number {
  let hash = 0x811c9dc5;
  const headEnd = Math.min(frame.length, HEAD_BYTES);
  for (let at = 0; at < headEnd; at += 1) hash = Math.imul(hash ^ (frame[at] as number), 0x01000193);
  for (let at = Math.max(headEnd, frame.length - TAIL_BYTES); at < frame.length; at += 1) {
    hash = Math.imul(hash ^ (frame[at] as number), 0x01000193);
  }
  return hash;
}
