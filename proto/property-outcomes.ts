import { decode, encode } from '@msgpack/msgpack';
import type { Encoding } from './codec.ts';
import { ProtocolError } from './errors.ts';
import type { FrameView } from './frame.ts';
import { isMap, plain } from './metadata.ts';

/** How the property tests of proto/ look at the outcome: what a message taught the router, how it was refused, what it cost. */

export type Fields = Record<string, unknown>;

export interface Wire {
  encoding: Encoding;
  bytes: Buffer;
}

/** Extra fields that JSON viewers could not be given, or that a MessagePack viewer's decoder refuses. */
export function cannotBePassedOn(map: Fields): boolean {
  if (Object.keys(map).length <= 4) return false;
  try {
    plain(decode(encode(map)), 0);
    return false;
  } catch {
    return true;
  }
}

/** Everything the router can learn from one message. `uses` says which ways to look at it are taken, and so their order. */
export function observe(view: FrameView, { bytes, encoding }: Wire, uses: number): unknown {
  const taken = outcomeOf(() => view.read(bytes, encoding));
  if (taken !== true) return taken;
  const jpeg = (): string => view.jpeg().toString('hex');
  return {
    head: [view.streamId, view.timestamp, view.encoding],
    first: uses & 1 ? outcomeOf(jpeg) : undefined,
    json: uses & 2 ? outcomeOf(() => toBuffer(view.in('json')).toString()) : undefined,
    msgpack: uses & 4 ? outcomeOf(() => toBuffer(view.in('msgpack')).toString('hex')) : undefined,
    jpeg: outcomeOf(jpeg),
  };
}

/** Whether the message is a frame that can be shown: its picture is decoded too. */
export function isTaken(view: FrameView, { bytes, encoding }: Wire): boolean {
  return (
    outcomeOf(() => {
      if (!view.read(bytes, encoding)) return false;
      view.jpeg();
      view.in(encoding === 'json' ? 'msgpack' : 'json');
      return true;
    }) === true
  );
}

/** What `action` returns, or the text of the ProtocolError it throws; any other error is the test's failure. */
export function outcomeOf<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof ProtocolError) return `${error.code} ${error.message}`;
    throw error;
  }
}

export function onlyProtocolErrors(action: () => unknown): void {
  outcomeOf(action);
}

/** CPU time, since the wall clock also counts what other processes do. */
export function cpuMsOf(action: () => unknown): number {
  const start = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}

export function expectProtocolError(action: () => unknown): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof ProtocolError)) throw new Error(`expected a ProtocolError, got ${String(thrown)}`);
}

/** The first field that keeps `map` from being a frame, by the words of the protocol; undefined when it is one. */
export function firstWrongField(map: Fields): string | undefined {
  if (map['type'] !== 'video-frame') return 'type';
  if (typeof map['streamId'] !== 'string' || map['streamId'] === '') return 'streamId';
  if (typeof map['timestamp'] !== 'number' || !Number.isFinite(map['timestamp'])) return 'timestamp';
  const data = bytesOf(map['data']);
  return data !== undefined && data.length >= 4 && data[0] === 0xff && data[1] === 0xd8 ? undefined : 'data';
}

/** The bytes the MessagePack library writes as `bin` for `value`, if it does. */
export function bytesOf(value: unknown): Buffer | undefined {
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

/** Numbers as a float32 keeps them; none that JSON has no word for. */
export function asFloat32(fields: Fields): Fields {
  return mapLeaves(fields, (leaf) => {
    if (typeof leaf !== 'number') return undefined;
    const coarse = Math.fround(leaf);
    return Number.isFinite(coarse) ? coarse + 0 : 0;
  }) as Fields;
}

/** Binary values as the router writes them in JSON: base64 text. */
export function asJson(value: unknown): unknown {
  return mapLeaves(value, (leaf) => (leaf instanceof Uint8Array ? Buffer.from(leaf).toString('base64') : undefined));
}

/** The library's answer, its views of the input made plain arrays of their own, to compare them. */
export function decodePlain(bytes: Uint8Array): Fields {
  return mapLeaves(decode(bytes), (leaf) => (leaf instanceof Uint8Array ? new Uint8Array(leaf) : undefined)) as Fields;
}

/** A copy of `value` in which `replace` stands in for whatever it gives something other than undefined. */
export function mapLeaves(value: unknown, replace: (value: unknown) => unknown): unknown {
  const replaced = replace(value);
  if (replaced !== undefined) return replaced;
  if (Array.isArray(value)) return value.map((item) => mapLeaves(item, replace));
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapLeaves(item, replace)]));
}

export function toBuffer(encoded: string | Uint8Array): Buffer {
  return Buffer.from(encoded as Uint8Array);
}
