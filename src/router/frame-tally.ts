/**
 * Why a viewer did not get a frame. `slow`: a newer one came while it could not be sent any. `fps`: a newer one came before the viewer's `maxFps`
 * allowed one. `closed`: its subscription, its connection or the stream ended first.
 */
export type DropCause = 'slow' | 'fps' | 'closed';

/**
 * What became of the frames that one viewer, or all of them, were offered. At any time: offered = delivered + dropped + inFlight. The tallies of
 * viewers add to a sum (tests/router/delivery.property.test.ts holds both).
 */
export class FrameTally {
  /** One for each frame of a stream that is watched, one for the newest frame on joining, and one each time that it is repeated. */
  offered = 0;
  /** Acknowledged by a viewer with a window; taken by the socket library for any other. */
  delivered = 0;
  readonly dropped: Record<DropCause, number> = { slow: 0, fps: 0, closed: 0 };
  /** On the way to a viewer with a window, or held back until it may be sent. */
  inFlight = 0;
  readonly #sum: FrameTally | undefined;

  constructor(sum?: FrameTally) {
    this.#sum = sum;
  }

  offer(frames = 1): void {
    this.offered += frames;
    this.inFlight += frames;
    this.#sum?.offer(frames);
  }

  deliver(frames = 1): void {
    this.inFlight -= frames;
    this.delivered += frames;
    this.#sum?.deliver(frames);
  }

  drop(cause: DropCause, frames = 1): void {
    this.inFlight -= frames;
    this.dropped[cause] += frames;
    this.#sum?.drop(cause, frames);
  }

  /** They turn out not to have been delivered. */
  takeBack(frames: number): void {
    this.delivered -= frames;
    this.inFlight += frames;
    this.#sum?.takeBack(frames);
  }

  /** Adds another one's numbers to this one alone. */
  add({ offered, delivered, dropped, inFlight }: FrameTally): void {
    this.offered += offered;
    this.delivered += delivered;
    this.inFlight += inFlight;
    for (const cause of ['slow', 'fps', 'closed'] as const) this.dropped[cause] += dropped[cause];
  }

  /** Frames that a lane delivered to this viewer, and that the sum knows of already. */
  note(frames: number): void {
    this.offered += frames;
    this.delivered += frames;
  }
}
