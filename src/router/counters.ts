import { FrameTally } from './frame-tally.ts';

/**
 * What happened since the start, each drop by its cause. Plain numbers that the frame path adds to; `/stats` shows them.
 */
export class Counters {
  framesAccepted = 0;
  readonly framesRejected = { notYours: 0, rate: 0 };
  /** The sum over all viewers. */
  readonly frames = new FrameTally();
  alertsAccepted = 0;
  alertsRefused = 0;
  /** The same alert again, within the cooldown. */
  alertsSuppressed = 0;
  /** The ML service reported them again. */
  alertsRepeated = 0;
  /** One per alert and peer that consumes alerts: sent to it, or waiting for it. */
  alertsDelivered = 0;
  /** For peers that are about to be closed with 4508; they come back and ask for what they missed. */
  alertsUndelivered = 0;
  /** Missed alerts that were sent because of `since`. */
  alertsReplayed = 0;
  /** Registrations and reservations over a user's limit, or beyond what can be kept of all. */
  streamsRefused = 0;
  /** Subscriptions over a stream's limit. */
  viewersRefused = 0;
  /** What a user asked for that is another's: messages, and requests of the HTTP paths. */
  unauthorized = 0;
  /** Messages answered with `INVALID_MESSAGE` or `PAYLOAD_TOO_LARGE`, malformed frames among them. */
  messagesInvalid = 0;
}
