import { CloseCode } from '../../../proto/close-codes.ts';
import { ErrorCode } from '../../../proto/errors.ts';

/** What a client should do about each `code` of an error. */
export const ERROR_HELP: Readonly<Record<ErrorCode, string>> = {
  [ErrorCode.authRequired]: 'Sign in again, then come back with the new session',
  [ErrorCode.unauthorized]: 'It is another user’s: leave it alone',
  [ErrorCode.invalidMessage]: 'A fault of the client: the message says which field, or the right path',
  [ErrorCode.routingError]: 'The stream is not this connection’s, or too many streams: register or subscribe first',
  [ErrorCode.unknownMessageType]: 'A fault of the client, or a router older than it',
  [ErrorCode.rateLimited]: 'Send less, or wait: a minute after too many failed attempts',
  [ErrorCode.payloadTooLarge]: 'Make it smaller: pictures by size or quality, lists by sending them in parts',
  [ErrorCode.tooManyConnections]: 'Close connections that nobody needs, or try again later',
  [ErrorCode.unavailable]: 'Try again after a growing, random pause',
};

/** What a client should do about each code that a router closes with. */
export const CLOSE_HELP: Readonly<Record<keyof typeof CloseCode, string>> = {
  policyViolation: 'The session is missing, bad, or has ended: sign in again',
  messageTooBig: 'A message over the size limit: make it smaller',
  serviceRestart: 'The router restarts: reconnect after a pause, or as `going-away` said',
  tryAgainLater: 'The router cannot take the connection now: reconnect after a pause',
  streamDeleted: 'The stream was deleted by its owner: stop',
  takenOver: 'A newer connection of the same user has the stream: stop',
  tooManyInvalidMessages: 'Too many invalid messages in a short time: mend the client',
  outboxFull: 'Too far behind: reconnect, with `since`',
  heartbeatMissed: 'Two pings were not answered: reconnect',
};

/** Codes that a client may reconnect after, unchanged. */
export function mayReconnectAfter(code: number): boolean {
  const { serviceRestart, tryAgainLater } = CloseCode;
  return code === serviceRestart || code === tryAgainLater || (code >= 4500 && code <= 4599);
}
