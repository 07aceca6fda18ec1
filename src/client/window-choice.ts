/** What one round of a windowed viewer takes, ms. */
export interface Round {
  /** An empty message there and back. */
  rttMs: number;
  /** A frame through the line. */
  transferMs: number;
  /** The application, until it has taken the frame. */
  handlingMs: number;
}

/** A round trip that is shorter than this part of the rest is short. */
const SHORT = 0.5;
/** Above this part it is long. In between what was chosen stays, so that it does not flap. */
const LONG = 0.8;

/**
 * How many frames should be on their way at a time: 1 where the round trip is short against the time that a frame takes, since a second one would only wait behind the
 * first and be older when it comes. Otherwise 2, so that the line is not idle while the `ack` is on its way.
 */
export function chooseWindow(current: 1 | 2, { rttMs, transferMs, handlingMs }: Round): 1 | 2 {
  const restMs = transferMs + handlingMs;
  if (rttMs <= restMs * SHORT) return 1;
  return rttMs >= restMs * LONG ? 2 : current;
}
