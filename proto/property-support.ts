import { decode, type EncoderOptions, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import type { Encoding } from './codec.ts';
import { ProtocolError } from './errors.ts';
import type { FrameView } from './frame.ts';
import { isMap, plain } from './metadata.ts';
import validVectors from './vectors/valid.json' with { type: 'json' };

/** What the property tests of proto/ draw from (arbitrary frames, messages, damage), and how they look at the outcome. */

export type Fields = Record<string, unknown>;

interface Wire {
  encoding: Encoding;
  bytes: Buffer;
}

const KNOWN_FIELDS = ['type', 'streamId', 'timestamp', 'data'];
export const ENCODINGS: readonly Encoding[] = ['json', 'msgpack'];

/** Any text without halves of surrogate pairs, which UTF-8 cannot write. */
export const text = fc.string({ unit: 'binary', maxLength: 60 });

/** Text with everything in it that a scanner of JSON could stumble over, also longer than its short-string loop. */
export const trickyText = fc
  .array(
    fc.constantFrom(
      '"',
      '\\',
      '\\\\"',
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      ' ',
      '\n',
      '/',
      'data',
      '"data":"x"',
      'é',
      '🔥',
      '\ud83d',
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(''));

export const jpegBytes = fc
  .uint8Array({ minLength: 2, maxLength: 120 })
  .map((tail) => new Uint8Array([0xff, 0xd8, ...tail]));

export const epochMs = fc.oneof(
  fc.nat(2 ** 41),
  fc.double({ min: 0, max: 2 ** 41, noNaN: true }).map((ms) => ms + 0),
);

export const streamIds = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,128}$/);

/** Values both encodings can express. `__proto__` is left out: the MessagePack library refuses it as a key. */
export const jsonValues = fc
  .jsonValue({ maxDepth: 3, stringUnit: 'binary' })
  .map(asParsed)
  .filter((value) => !holdsProtoKey(value));

export const extraFields = fc
  .dictionary(fc.oneof(text, fc.constantFrom('seq', 'toJSON', 'Data', 'ty', '0')), jsonValues, { maxKeys: 18 })
  .map((fields) => asParsed(fields) as Fields)
  .filter((fields) => !holdsProtoKey(fields) && !KNOWN_FIELDS.some((known) => known in fields));

/** Fields of a frame in any order, `data` as bytes. */
export const frames = fc
  .tuple(extraFields, streamIds, epochMs, jpegBytes)
  .chain(([extra, streamId, timestamp, data]) =>
    inAnyOrder({ ...extra, type: 'video-frame', streamId, timestamp, data }),
  );

export const encoderOptions: fc.Arbitrary<EncoderOptions> = fc.record(
  {
    sortKeys: fc.boolean(),
    forceFloat32: fc.boolean(),
    forceIntegerToFloat: fc.boolean(),
    useBigInt64: fc.boolean(),
    initialBufferSize: fc.nat(64),
  },
  { requiredKeys: [] },
);

/** Ways to write JSON: indentation, `\/` as Swift and PHP write it, and everything beyond ASCII escaped as Python does. */
export const jsonStyles = fc.record({
  indent: fc.constantFrom('', ' ', '\t', '  \r\n'),
  escapeSlash: fc.boolean(),
  escapePlus: fc.boolean(),
  asciiOnly: fc.boolean(),
});

export const frameWires: fc.Arbitrary<Wire> = fc.oneof(
  fc
    .tuple(frames, encoderOptions)
    .map(([frame, options]) => ({ encoding: 'msgpack' as const, bytes: Buffer.from(encode(frame, options)) })),
  fc
    .tuple(frames, jsonStyles)
    .map(([frame, style]) => ({ encoding: 'json' as const, bytes: Buffer.from(writeJson(asJson(frame), style)) })),
);

const vectorWires: readonly Wire[] = validVectors.flatMap((vector): Wire[] => [
  ...(vector.json ?? []).map((json) => ({ encoding: 'json' as const, bytes: Buffer.from(json) })),
  ...(vector.msgpack ?? []).map((hex) => ({ encoding: 'msgpack' as const, bytes: Buffer.from(hex, 'hex') })),
]);

export const validWires = fc.oneof(fc.constantFrom(...vectorWires), frameWires);

type Damage = (bytes: Buffer) => Buffer;

const damages: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(7)).map(
    ([at, bit]): Damage =>
      (bytes) => {
        const copy = Buffer.from(bytes);
        const index = at % Math.max(1, copy.length);
        if (copy.length > 0) copy[index] = (copy[index] ?? 0) ^ (1 << bit);
        return copy;
      },
  ),
  fc.nat().map(
    (at): Damage =>
      (bytes) =>
        bytes.subarray(0, at % (bytes.length + 1)),
  ),
  fc.tuple(fc.nat(), fc.nat(12), fc.uint8Array({ maxLength: 8 })).map(
    ([at, removed, inserted]): Damage =>
      (bytes) => {
        const start = at % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, start), inserted, bytes.subarray(start + removed)]);
      },
  ),
  fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(...vectorWires)).map(
    ([at, from, other]): Damage =>
      (bytes) => {
        const start = at % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, start), other.bytes.subarray(from % (other.bytes.length + 1))]);
      },
  ),
  fc.tuple(fc.nat(), fc.nat(40), fc.nat()).map(
    ([from, length, to]): Damage =>
      (bytes) => {
        const start = from % (bytes.length + 1);
        const at = to % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(start, start + length), bytes.subarray(at)]);
      },
  ),
);

export const damagedWires: fc.Arbitrary<Wire> = fc
  .tuple(validWires, fc.array(damages, { minLength: 1, maxLength: 4 }))
  .map(([wire, list]) => ({
    encoding: wire.encoding,
    bytes: list.reduce<Buffer>((bytes, damage) => damage(bytes), wire.bytes),
  }));

const jsonLikeBytes = fc
  .array(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '\\',
      '\\u0041',
      'null',
      '1e999',
      '-0',
      ' ',
      '\n',
      '\ufeff',
      '"data"',
      '"type"',
      '"video-frame"',
      '"streamId"',
      '"timestamp"',
      '"/9j/AAAA"',
      '"register"',
      '"__proto__"',
    ),
    { maxLength: 40 },
  )
  .map((tokens) => Buffer.from(tokens.join('')));

export const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  jsonLikeBytes,
  damagedWires.map((wire) => wire.bytes),
);

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

export function inAnyOrder(fields: Fields): fc.Arbitrary<Fields> {
  const entries = Object.entries(fields);
  return fc
    .shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length })
    .map((shuffled) => Object.fromEntries(shuffled));
}

export function writeJson(value: unknown, style: typeof jsonStyles extends fc.Arbitrary<infer S> ? S : never): string {
  let json = JSON.stringify(value, null, style.indent);
  // Neither `/` nor anything beyond ASCII stands outside of strings, and no number here has a plus.
  if (style.escapeSlash) json = json.replaceAll('/', '\\/');
  if (style.escapePlus) json = json.replace(/\+(?!\d)/g, '\\u002B');
  return style.asciiOnly ? escapeBeyondAscii(json) : json;
}

export function escapeBeyondAscii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The value as JSON.parse would give it: no -0, no prototypes but plain ones. */
export function asParsed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
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

function mapLeaves(value: unknown, replace: (value: unknown) => unknown): unknown {
  const replaced = replace(value);
  if (replaced !== undefined) return replaced;
  if (Array.isArray(value)) return value.map((item) => mapLeaves(item, replace));
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapLeaves(item, replace)]));
}

function holdsProtoKey(value: unknown): boolean {
  return JSON.stringify(value).includes('"__proto__":');
}

export function toBuffer(encoded: string | Uint8Array): Buffer {
  return Buffer.from(encoded as Uint8Array);
}
