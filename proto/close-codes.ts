/**
 * WebSocket close codes a router sends. The band tells a client what to do, also for codes it does not know:
 * 1008 and 4400–4499 do not reconnect unchanged; 1012, 1013 and 4500–4599 reconnect after a back-off.
 */
export const CloseCode = {
  /** Credentials missing, wrong, expired or revoked; the reason is `Unauthorized`. */
  policyViolation: 1008,
  /** A message over the size limit. */
  messageTooBig: 1009,
  /** The router restarts: reconnect after a back-off. */
  serviceRestart: 1012,
  /** The router cannot take the connection now (overload, session database away): try again later. */
  tryAgainLater: 1013,
  /** The stream was deleted by its owner. */
  streamDeleted: 4404,
  /** A newer connection of the same user registered the stream. */
  takenOver: 4409,
  /** Too many invalid messages in a short time. */
  tooManyInvalidMessages: 4429,
  /** More control messages waited for a slow reader than the router keeps. */
  outboxFull: 4508,
  /** Two pings in a row stayed without an answer. */
  heartbeatMissed: 4509,
} as const;
