import { decode } from '@msgpack/msgpack';
import { ANOMALY_TYPE } from '../../proto/anomaly.ts';
import { hasMoreValuesThan } from '../../proto/json-scan.ts';
import { isMap } from '../../proto/metadata.ts';
import { checkWellFormed } from '../../proto/msgpack-scan.ts';

/** 4 MiB can hold a million empty alerts, and each costs a validation: more than this are left. */
export const MAX_ALERTS_PER_MESSAGE = 1000;

/**
 * So many alerts of a hundred values each (maps and lists, their keys, and what is in them). To build as many takes some 50 ms, `JSON.parse` of
 * `[{"a1":1},{"a2":2},…]`; 4 MiB of `{},` take half a second and hundreds of MB, and as long no frame moves.
 */
const MAX_VALUES = 100 * MAX_ALERTS_PER_MESSAGE;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The alerts of one message of an ML service, unchecked: JSON or MessagePack; an alert, a list, `{alerts:[…]}` or `{alert}`. `{status:"ok"}` and its like hold
 * none. What looks like an alert, if only a little, is one: whoever gets it says what it lacks.
 * @throws Error for what is no message at all. It never quotes the message, which may quote our token.
 */
export function alertsInMessage(message: Uint8Array): readonly unknown[] {
  const body = parse(message);
  if (Array.isArray(body)) return body.flatMap((item) => (isMap(item) ? alertOf(item) : [item]));
  if (!isMap(body)) throw new Error('neither a map nor a list');
  const { alerts } = body;
  if (!alerts) return alertOf(body);
  if (!Array.isArray(alerts)) throw new Error('`alerts` must be a list');
  return alerts;
}

function alertOf(map: Record<string, unknown>): unknown[] {
  if (map['alert']) return [map['alert']];
  const isNamed = map['type'] === 'alert' || map['type'] === ANOMALY_TYPE;
  return isNamed || 'severity' in map || ('streamId' in map && !('status' in map)) ? [map] : [];
}

/** By its first byte: maps and lists of MessagePack begin as no JSON text does. Counted before anything is built. */
function parse(message: Uint8Array): unknown {
  const head = message[0] ?? 0;
  if ((head >= 0x80 && head <= 0x9f) || (head >= 0xdc && head <= 0xdf)) {
    checkWellFormed(message, MAX_VALUES);
    return decode(message);
  }
  // Each takes a byte at least: most messages cannot hold too many.
  if (message.length > MAX_VALUES) {
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
    if (hasMoreValuesThan(bytes, MAX_VALUES)) throw new Error(`message: more than ${MAX_VALUES} values`);
  }
  try {
    return JSON.parse(utf8.decode(message));
  } catch {
    throw new Error('neither JSON nor MessagePack');
  }
}
