import { type EncoderOptions, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import type { Encoding } from './codec.ts';
import { MAX_ALERT_TEXT_LENGTH, MAX_WINDOW_FRAMES, VIEWER_FPS } from './limits.ts';
import { controlSchemas } from './messages.ts';
import { asJson, type Fields, type Wire } from './property-outcomes.ts';
import validVectors from './vectors/valid.json' with { type: 'json' };

/** What the property tests of proto/ draw from: arbitrary frames, messages, damage. */

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

const channels = fc.array(fc.constantFrom('video-frame', 'alert'), { maxLength: 4 });
const understands = fc.array(fc.constantFrom('throttle', 'heartbeat', 'going-away'), { maxLength: 4 });
const ofLength = (max: number) => text.filter((value) => value !== '' && value.length <= max);

/** Control messages as a client's author may mean them, without the fields that are left out. */
const meantControls: { [T in keyof typeof controlSchemas]: fc.Arbitrary<Fields> } = {
  auth: fc.record({ token: ofLength(512) }),
  register: fc.record(
    {
      clientType: fc.constant('mobile'),
      streamId: streamIds,
      produces: channels,
      consumes: channels,
      metadata: extraFields,
      understands,
      resumeToken: ofLength(256),
      token: ofLength(512),
    },
    { requiredKeys: ['clientType'] },
  ),
  subscribe: fc
    .tuple(
      fc.oneof(
        fc.record({ streamId: fc.oneof(fc.constant('*'), streamIds) }),
        fc.record({ streamIds: fc.array(streamIds, { minLength: 1, maxLength: 20 }) }),
      ),
      fc.record(
        {
          clientType: fc.constantFrom('dashboard', 'ml-service'),
          consumes: channels,
          maxFps: fc.constantFrom(...VIEWER_FPS),
          window: fc.integer({ min: 1, max: MAX_WINDOW_FRAMES }),
          since: ofLength(64),
          understands,
          token: ofLength(512),
        },
        { requiredKeys: ['clientType'] },
      ),
    )
    .map(([which, how]) => ({ ...which, ...how })),
  unsubscribe: fc.record({ streamId: fc.oneof(fc.constant('*'), streamIds) }),
  ack: fc.record({ streamId: streamIds, received: fc.oneof(fc.nat(1_000), fc.maxSafeNat()) }),
  alert: fc.record(
    {
      streamId: streamIds,
      severity: fc.constantFrom('low', 'medium', 'high', 'critical'),
      message: ofLength(MAX_ALERT_TEXT_LENGTH),
      metadata: extraFields,
      timestamp: epochMs,
    },
    { requiredKeys: ['streamId', 'severity', 'message'] },
  ),
  heartbeat: fc.constant({}),
};

/** A control message, and what may be written for it: fields left out as null, unknown ones beside them, in any order. */
export const legalControls: fc.Arbitrary<{ meant: Fields; written: Fields }> = fc
  .constantFrom(...(Object.keys(meantControls) as (keyof typeof meantControls)[]))
  .chain((type) => {
    const known = Object.keys(controlSchemas[type].shape);
    return fc.tuple(meantControls[type], fc.subarray(known), extraFields).chain(([fields, nullable, extra]) => {
      const meant: Fields = { type, ...fields };
      const unknown = Object.entries(extra).filter(([key]) => !known.includes(key));
      const absent = nullable.filter((key) => !(key in meant)).map((key): [string, null] => [key, null]);
      return inAnyOrder({ ...Object.fromEntries([...unknown, ...absent]), ...meant }).map((written) => ({
        meant,
        written,
      }));
    });
  });

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

function holdsProtoKey(value: unknown): boolean {
  return JSON.stringify(value).includes('"__proto__":');
}
