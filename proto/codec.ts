import { DecodeError, decode, Encoder } from '@msgpack/msgpack';
import type * as z from 'zod';
import { ANOMALY_TYPE, type Anomaly, alertFieldsOf } from './anomaly.ts';
import { ErrorCode, invalid, ProtocolError } from './errors.ts';
import { MAX_CONTROL_BYTES } from './limits.ts';
import {
  type ControlMessage,
  controlSchemas,
  type ReportedAlert,
  reportedAlertSchema,
  type ServerMessage,
  type ServiceAlert,
} from './messages.ts';
import { isMap } from './metadata.ts';
import { checkWellFormed } from './msgpack-scan.ts';

/** The two ways to write a message. A text WebSocket message is `json`, a binary one is `msgpack`. */
export type Encoding = 'json' | 'msgpack';

/** Subprotocols a client may offer in `Sec-WebSocket-Protocol`, and the encoding each stands for. */
export const SUBPROTOCOLS: Readonly<Record<string, Encoding>> = {
  'watchout.v1.msgpack': 'msgpack',
  'watchout.v1.json': 'json',
};

/** A message on its way out: text for `json`, bytes for `msgpack`. */
export type Encoded = string | Uint8Array;

/**
 * Reads one control message of a client (all types but `video-frame`).
 * @throws ProtocolError `INVALID_MESSAGE` (naming the field), `UNKNOWN_MESSAGE_TYPE` or `PAYLOAD_TOO_LARGE`, and nothing else.
 */
export function decodeControl(bytes: Uint8Array, encoding: Encoding): ControlMessage {
  return controlIn(decodeControlMap(bytes, encoding));
}

/**
 * Reads one message of an ML service that is a client: the same, but its alerts may say all that those in its answers may, also in the older words.
 * @throws ProtocolError as `decodeControl`.
 */
export function decodeServiceMessage(bytes: Uint8Array, encoding: Encoding): ControlMessage | ServiceAlert {
  const map = decodeControlMap(bytes, encoding);
  const isAlert = map['type'] === 'alert' || map['type'] === ANOMALY_TYPE;
  return isAlert ? { type: 'alert', ...parseReportedAlert(map) } : controlIn(map);
}

/**
 * Checks one alert as an ML service reports it, already parsed: also one in the older words, `anomaly_detected`.
 * @throws ProtocolError `INVALID_MESSAGE`, naming the field.
 */
export function parseReportedAlert(value: unknown): ReportedAlert {
  if (!isMap(value)) throw invalid('alert: must be a map');
  return validated(reportedAlertSchema, value['type'] === ANOMALY_TYPE ? alertFieldsOf(value) : value);
}

/** Writes one control message of the router. */
export function encodeServerMessage(message: ServerMessage | Anomaly, encoding: Encoding): Encoded {
  // Encoder.encode returns a copy of just the bytes; the function of the same name hands out a buffer twice the size.
  return encoding === 'json' ? JSON.stringify(message) : encoder.encode(message);
}

/**
 * Parses bytes into a map, whatever its fields.
 * @throws ProtocolError `INVALID_MESSAGE`.
 */
export function decodeMap(bytes: Uint8Array, encoding: Encoding): Record<string, unknown> {
  const value = encoding === 'json' ? parseJson(bytes) : parseMsgpack(bytes);
  if (!isMap(value)) throw invalid('message: must be a map with a `type`');
  return value;
}

const encoder = new Encoder();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeControlMap(bytes: Uint8Array, encoding: Encoding): Record<string, unknown> {
  if (bytes.length > MAX_CONTROL_BYTES) {
    throw new ProtocolError(ErrorCode.payloadTooLarge, `message: all but frames end at ${MAX_CONTROL_BYTES} bytes`);
  }
  return decodeMap(bytes, encoding);
}

function controlIn(map: Record<string, unknown>): ControlMessage {
  const type = map['type'];
  if (typeof type !== 'string') throw invalid('type: required, a string');
  if (type === 'video-frame') {
    throw new ProtocolError(ErrorCode.routingError, 'type: only an encoder sends video-frame, on /streams/register');
  }
  if (!Object.hasOwn(controlSchemas, type)) {
    throw new ProtocolError(ErrorCode.unknownMessageType, `type: ${quoted(type)} is not a message type`);
  }
  const schema: z.ZodType<ControlMessage> = controlSchemas[type as keyof typeof controlSchemas];
  return validated(schema, map);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw invalid('message: a text message must be JSON');
  }
}

function parseMsgpack(bytes: Uint8Array): unknown {
  // The library allocates what a container claims to hold: 5 bytes can claim 256 MiB, nested ones again and again.
  checkWellFormed(bytes);
  try {
    return decode(bytes);
  } catch (error) {
    const detail = error instanceof DecodeError ? ` (${error.message})` : '';
    throw invalid(`message: a binary message must be MessagePack${detail}`);
  }
}

function validated<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(`${issue?.path.join('.') || 'message'}: ${issue?.message ?? 'invalid'}`);
}

/** A client's own text, safe to send back and to log: short, and quoted so that it cannot forge a line. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
