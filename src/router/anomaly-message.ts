import { anomalyOf } from '../../proto/anomaly.ts';
import { type Encoded, type Encoding, encodeServerMessage } from '../../proto/codec.ts';
import type { DeliveredAlert } from '../../proto/messages.ts';
import type { Encodable } from './outgoing.ts';

/**
 * An alert in the older words, with its picture in it, for many: written once per encoding, when the first of them needs it, and then the same bytes for all. In
 * JSON too, since a text given as a string is copied for each socket (a picture of 34 KB: 46 KB of base64).
 */
export class AnomalyMessage implements Encodable {
  readonly #alert: DeliveredAlert;
  readonly #userId: string;
  readonly #jpeg: Uint8Array | undefined;
  #json: Encoded | undefined;
  #msgpack: Encoded | undefined;

  /** `userId`: the stream's owner. `jpeg`: the picture that is kept of the alert; one that the alert itself brought counts more. */
  constructor(alert: DeliveredAlert, userId: string, jpeg: Uint8Array | undefined) {
    this.#alert = alert;
    this.#userId = userId;
    this.#jpeg = jpeg;
  }

  in(encoding: Encoding): Encoded {
    if (encoding === 'json') {
      this.#json ??= Buffer.from(this.#encoded('json'));
      return this.#json;
    }
    this.#msgpack ??= this.#encoded('msgpack');
    return this.#msgpack;
  }

  #encoded(encoding: Encoding): Encoded {
    const anomaly = anomalyOf(this.#alert, this.#userId);
    if (this.#jpeg === undefined || hasPicture(anomaly)) return encodeServerMessage(anomaly, encoding);
    const picture = { annotated_frame: Buffer.from(this.#jpeg).toString('base64'), frame_format: 'jpeg' };
    return encodeServerMessage({ ...anomaly, ...picture }, encoding);
  }
}

function hasPicture({ annotated_frame: picture }: Record<string, unknown>): boolean {
  return typeof picture === 'string' && picture !== '';
}
