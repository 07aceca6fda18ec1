import { type Encoded, type Encoding, encodeServerMessage } from '../../proto/codec.ts';
import type { ServerMessage } from '../../proto/messages.ts';

/** What can be sent in either encoding. */
export interface Encodable {
  in(encoding: Encoding): Encoded;
}

/** A control message for many: encoded when the first peer of an encoding needs it, and once. */
export class Outgoing implements Encodable {
  readonly message: ServerMessage;
  #json: Encoded | undefined;
  #msgpack: Encoded | undefined;

  constructor(message: ServerMessage) {
    this.message = message;
  }

  in(encoding: Encoding): Encoded {
    if (encoding === 'json') {
      this.#json ??= encodeServerMessage(this.message, 'json');
      return this.#json;
    }
    this.#msgpack ??= encodeServerMessage(this.message, 'msgpack');
    return this.#msgpack;
  }
}
