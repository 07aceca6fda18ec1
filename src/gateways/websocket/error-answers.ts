import { CloseCode } from '../../../proto/close-codes.ts';
import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import type { Counters } from '../../router/counters.ts';
import { OncePer } from '../../router/once-per.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type { Clock, Log } from '../../router/ports.ts';
import type { Connection } from './connection.ts';

export interface ErrorAnswersParts {
  clock: Clock;
  log: Log;
  counters: Counters;
  maxMessageBytes: number;
}

/** What a connection is told when a message of it cannot be handled, and when that closes it. */
export class ErrorAnswers {
  readonly #parts: ErrorAnswersParts;
  readonly #errorLine = new OncePer(1000);

  constructor(parts: ErrorAnswersParts) {
    this.#parts = parts;
  }

  /** `error`: whatever was thrown. What is no `ProtocolError` is our fault, and its cause stays in the log. */
  refuse(connection: Connection, error: unknown): void {
    const { clock, log, counters } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (!(error instanceof ProtocolError)) {
      const times = this.#errorLine.due(nowMs);
      if (times > 0) log('error', { err: error, times }, 'a message could not be handled');
      this.#tell(connection, ErrorCode.routingError, 'The router could not handle this message');
      return;
    }
    this.#tell(connection, error.code, error.message, error.streamId);
    if (error.code === ErrorCode.unauthorized) counters.unauthorized += 1;
    if (error.code !== ErrorCode.invalidMessage && error.code !== ErrorCode.payloadTooLarge) return;
    counters.messagesInvalid += 1;
    const { side } = connection;
    if (side.role === 'encoder') side.link.rejected.invalid += 1;
    if (connection.strike(nowMs)) {
      connection.socket.close(CloseCode.tooManyInvalidMessages, 'Too many invalid messages');
    }
  }

  refuseTooLarge(connection: Connection, messageBytes: number): void {
    const limit = this.#parts.maxMessageBytes;
    this.#tell(connection, ErrorCode.payloadTooLarge, `message: ${messageBytes} bytes, the limit is ${limit}`);
    connection.socket.close(CloseCode.messageTooBig, 'Message too large');
  }

  #tell({ peer }: Connection, code: ErrorCode, message: string, streamId?: string): void {
    const about = streamId === undefined ? {} : { streamId };
    peer.tell(new Outgoing({ type: 'error', code, message, ...about, timestamp: this.#parts.clock.epochMs() }));
  }
}
