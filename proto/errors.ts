/** Codes of `error` messages. The first five are those of the first router; clients in the field match on them. */
export const ErrorCode = {
  authRequired: 'AUTH_REQUIRED',
  unauthorized: 'UNAUTHORIZED',
  invalidMessage: 'INVALID_MESSAGE',
  routingError: 'ROUTING_ERROR',
  unknownMessageType: 'UNKNOWN_MESSAGE_TYPE',
  rateLimited: 'RATE_LIMITED',
  payloadTooLarge: 'PAYLOAD_TOO_LARGE',
  tooManyConnections: 'TOO_MANY_CONNECTIONS',
  unavailable: 'UNAVAILABLE',
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** The only error that decoding or routing a client's message may throw. Its message is written for the client's author. */
export class ProtocolError extends Error {
  readonly code: ErrorCode;
  /** The stream whose subscription is refused by it. */
  readonly streamId: string | undefined;

  constructor(code: ErrorCode, message: string, streamId?: string) {
    super(message);
    this.name = 'ProtocolError';
    this.code = code;
    this.streamId = streamId;
  }
}

/** Shorthand for the most frequent refusal. `problem` starts with the field's name: `streamId: required`. */
export function invalid(problem: string): ProtocolError {
  return new ProtocolError(ErrorCode.invalidMessage, problem);
}
