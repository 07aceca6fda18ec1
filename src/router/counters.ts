/**
 * What happened since the start, each drop by its cause. Plain numbers that the frame path adds to; `/stats` shows them.
 */
export class Counters {
  framesAccepted = 0;
  readonly framesRejected = { notYours: 0, rate: 0 };
  /** One per frame and viewer that watches its stream, and one per newest frame sent on joining or catching up. */
  framesOffered = 0;
  /**
   * Exact but for one case: of small frames that a topic was sent in one turn, and a socket then refused, the library reports one and
   * the others count as delivered.
   */
  framesDelivered = 0;
  readonly framesDropped = { slow: 0 };
  alertsAccepted = 0;
  alertsRefused = 0;
  /** One per alert and peer that consumes alerts. */
  alertsDelivered = 0;
  /** Messages answered with `INVALID_MESSAGE` or `PAYLOAD_TOO_LARGE`, malformed frames among them. */
  messagesInvalid = 0;
}
