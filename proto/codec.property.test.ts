import { decode, type EncoderOptions, ExtData, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeControl, decodeMap, type Encoding, encodeServerMessage } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { FrameView } from './frame.ts';
import { findDataText } from './json-scan.ts';
import { DEFAULT_MAX_MESSAGE_BYTES, MAX_CONTROL_BYTES } from './limits.ts';
import type { AlertMessage } from './messages.ts';
import { isMap, plain } from './metadata.ts';
import { checkWellFormed } from './msgpack-scan.ts';
import validVectors from './vectors/valid.json' with { type: 'json' };

type Fields = Record<string, unknown>;

interface Wire {
  encoding: Encoding;
  bytes: Buffer;
}

const KNOWN_FIELDS = ['type', 'streamId', 'timestamp', 'data'];
const ENCODINGS: readonly Encoding[] = ['json', 'msgpack'];

/** Any text without halves of surrogate pairs, which UTF-8 cannot write. */
const text = fc.string({ unit: 'binary', maxLength: 60 });

/** Text with everything in it that a scanner of JSON could stumble over, also longer than its short-string loop. */
const trickyText = fc
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

const jpegBytes = fc.uint8Array({ minLength: 2, maxLength: 120 }).map((tail) => new Uint8Array([0xff, 0xd8, ...tail]));

const epochMs = fc.oneof(
  fc.nat(2 ** 41),
  fc.double({ min: 0, max: 2 ** 41, noNaN: true }).map((ms) => ms + 0),
);

const streamIds = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,128}$/);

/** Values both encodings can express. `__proto__` is left out: the MessagePack library refuses it as a key. */
const jsonValues = fc
  .jsonValue({ maxDepth: 3, stringUnit: 'binary' })
  .map(asParsed)
  .filter((value) => !holdsProtoKey(value));

const extraFields = fc
  .dictionary(fc.oneof(text, fc.constantFrom('seq', 'toJSON', 'Data', 'ty', '0')), jsonValues, { maxKeys: 18 })
  .map((fields) => asParsed(fields) as Fields)
  .filter((fields) => !holdsProtoKey(fields) && !KNOWN_FIELDS.some((known) => known in fields));

/** Fields of a frame in any order, `data` as bytes. */
const frames = fc
  .tuple(extraFields, streamIds, epochMs, jpegBytes)
  .chain(([extra, streamId, timestamp, data]) =>
    inAnyOrder({ ...extra, type: 'video-frame', streamId, timestamp, data }),
  );

const encoderOptions: fc.Arbitrary<EncoderOptions> = fc.record(
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
const jsonStyles = fc.record({
  indent: fc.constantFrom('', ' ', '\t', '  \r\n'),
  escapeSlash: fc.boolean(),
  escapePlus: fc.boolean(),
  asciiOnly: fc.boolean(),
});

const frameWires: fc.Arbitrary<Wire> = fc.oneof(
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

const validWires = fc.oneof(fc.constantFrom(...vectorWires), frameWires);

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

const damagedWires: fc.Arbitrary<Wire> = fc
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

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  jsonLikeBytes,
  damagedWires.map((wire) => wire.bytes),
);

describe('whatever bytes a client sends', () => {
  it('it gets an answer: nothing but ProtocolError is thrown, in neither encoding', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        for (const encoding of ENCODINGS) {
          onlyProtocolErrors(() => decodeControl(bytes, encoding));
          onlyProtocolErrors(() => {
            const view = new FrameView();
            if (!view.read(bytes, encoding)) return;
            for (const other of ENCODINGS) onlyProtocolErrors(() => view.in(other));
            view.jpeg();
          });
        }
      }),
      { numRuns: 6_000 },
    );
  });

  it('it costs no memory beyond its own size: a few bytes cannot claim hundreds of megabytes', () => {
    // Nested lists that each claim 16 million elements; a decoder that believes them allocates 128 MiB for every one.
    const claims = Buffer.from('dd00ffffff'.repeat(3), 'hex');
    const register = Buffer.concat([encode({ type: 'register', clientType: 'mobile', x: 0 }).subarray(0, -1), claims]);
    const before = process.memoryUsage().heapUsed;
    for (const bytes of [claims, register]) expectProtocolError(() => decodeControl(bytes, 'msgpack'));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(32 * 1024 * 1024);
  });

  it('a frame that is taken can be shown by viewers of the other encoding', () => {
    fc.assert(
      fc.property(damagedWires, ({ bytes, encoding }) => {
        const view = new FrameView();
        if (!isTaken(view, { bytes, encoding })) return;
        const other = encoding === 'json' ? 'msgpack' : 'json';
        const again = new FrameView();
        expect(again.read(toBuffer(view.in(other)), other)).toBe(true);
        expect(again.jpeg().equals(view.jpeg())).toBe(true);
        expect(again.timestamp).toBe(view.timestamp);
        expect(again.streamId).toBe(view.streamId);
      }),
      { numRuns: 6_000 },
    );
  });

  it('a huge nested message gets an answer too: neither scanner, decoder nor encoder reaches the end of the stack', () => {
    const depth = 400_000;
    const deepJson = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const deepMsgpack = Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]);
    const frame = {
      type: 'video-frame',
      streamId: 'cam',
      timestamp: 1,
      data: new Uint8Array([0xff, 0xd8, 0xff, 0xd9]),
    };
    const json = Buffer.from(`${JSON.stringify(asJson(frame)).slice(0, -1)},"x":${deepJson}}`);
    const msgpack = Buffer.concat([encode({ ...frame, x: 0 }).subarray(0, -1), deepMsgpack]);
    const view = new FrameView();
    expect(() => view.read(json, 'json')).toThrow(ProtocolError);
    expect(() => view.read(msgpack, 'msgpack')).toThrow(ProtocolError);
    const register = Buffer.from(`{"type":"register","clientType":"mobile","metadata":{"x":${deepJson}}}`);
    expect(() => decodeControl(register, 'json')).toThrow(ProtocolError);
    for (const hostile of [Buffer.from('[{"a":'.repeat(depth)), Buffer.alloc(depth, 0x91), Buffer.alloc(depth, 0xdd)]) {
      for (const encoding of ENCODINGS) {
        onlyProtocolErrors(() => view.read(hostile, encoding));
        onlyProtocolErrors(() => decodeControl(hostile, encoding));
      }
    }
  });
});

describe('a message that is all keys and no picture', () => {
  // Fields beside the picture end at 1 MiB, so nobody need look at what comes after that.
  const sizes = { large: DEFAULT_MAX_MESSAGE_BYTES, overTheLimit: 2 * MAX_CONTROL_BYTES };

  it('of 16 MiB keeps everybody waiting little longer than one of 2 MiB: MessagePack', () => {
    const pair = Buffer.concat([encode('k'), encode(null)]);
    const messageOf = (size: number): Buffer => {
      const pairs = Math.floor((size - 5) / pair.length);
      const header = Buffer.from([0xdf, 0, 0, 0, 0]);
      header.writeUInt32BE(pairs, 1);
      return Buffer.concat([header, Buffer.alloc(pairs * pair.length, pair)]);
    };
    expect(timesLonger(messageOf, 'msgpack')).toBeLessThan(4);
  });

  it('of 16 MiB keeps everybody waiting little longer than one of 2 MiB: JSON', () => {
    const pair = '"kind":0,';
    const messageOf = (size: number): Buffer =>
      Buffer.from(`{${pair.repeat(Math.floor(size / pair.length) - 1)}"z":0}`);
    expect(timesLonger(messageOf, 'json')).toBeLessThan(4);
  });

  function timesLonger(messageOf: (size: number) => Buffer, encoding: Encoding): number {
    const cpuMs = (size: number): number => {
      const bytes = messageOf(size);
      const runs = [1, 2, 3].map(() => cpuMsOf(() => outcomeOf(() => new FrameView().read(bytes, encoding))));
      return Math.min(...runs);
    };
    cpuMs(sizes.overTheLimit);
    return cpuMs(sizes.large) / cpuMs(sizes.overTheLimit);
  }
});

describe('a frame that changes its encoding on the way', () => {
  it('from MessagePack to JSON and back keeps its picture bit for bit, and every field', () => {
    fc.assert(
      fc.property(frames, encoderOptions, (fields, options) => {
        const frame = options.forceFloat32 ? asFloat32(fields) : fields;
        const bytes = Buffer.from(encode(frame, options));
        const sent = decodePlain(bytes);
        const view = new FrameView();
        expect(view.read(bytes, 'msgpack')).toBe(true);
        expect(view.in('msgpack')).toBe(bytes);
        const json = view.in('json') as string;
        expect(JSON.parse(json)).toEqual(asJson(sent));

        const back = new FrameView();
        expect(back.read(Buffer.from(json), 'json')).toBe(true);
        expect([back.streamId, back.timestamp]).toEqual([sent['streamId'], sent['timestamp']]);
        expect(decodePlain(back.in('msgpack') as Uint8Array)).toEqual(sent);
        expect(back.jpeg().equals(frame['data'] as Uint8Array)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('from JSON to MessagePack and back keeps its picture bit for bit, and every field', () => {
    fc.assert(
      fc.property(frames, jsonStyles, (frame, style) => {
        const json = asJson(frame);
        const bytes = Buffer.from(writeJson(json, style));
        const view = new FrameView();
        expect(view.read(bytes, 'json')).toBe(true);
        expect(view.in('json')).toBe(bytes);
        const msgpack = Buffer.from(view.in('msgpack') as Uint8Array);
        expect(decodePlain(msgpack)).toEqual(frame);

        const back = new FrameView();
        expect(back.read(msgpack, 'msgpack')).toBe(true);
        expect([back.streamId, back.timestamp]).toEqual([frame['streamId'], frame['timestamp']]);
        expect(JSON.parse(back.in('json') as string)).toEqual(json);
        expect(back.jpeg().equals(frame['data'] as Uint8Array)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('shows binary values of other fields as base64 text to JSON viewers, also nested ones', () => {
    fc.assert(
      fc.property(jpegBytes, fc.uint8Array({ maxLength: 40 }), (data, extra) => {
        const frame = {
          type: 'video-frame',
          streamId: 'cam',
          timestamp: 1,
          data,
          mask: extra,
          list: [{ mask: extra }],
        };
        const view = new FrameView();
        expect(view.read(Buffer.from(encode(frame)), 'msgpack')).toBe(true);
        expect(JSON.parse(view.in('json') as string)).toEqual(asJson(frame));
      }),
    );
  });

  it('is taken as base64 exactly where RFC 4648 says so', () => {
    const alphabet = [...'ABCzwQg019+/', ...'=-_ \n\r*é\u0141\u012f'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...alphabet), { maxLength: 12 }), fc.boolean(), (letters, escaped) => {
        const data = `/9j/${letters.join('')}`;
        const json = JSON.stringify({ type: 'video-frame', streamId: 'cam', timestamp: 1, data });
        const wire = { encoding: 'json' as const, bytes: Buffer.from(escaped ? escapeBeyondAscii(json) : json) };
        const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$/.test(data);
        expect(isTaken(new FrameView(), wire)).toBe(isBase64 && Buffer.from(data, 'base64').length >= 4);
      }),
      { numRuns: 3_000 },
    );
  });
});

/** Extra fields that JSON viewers could not be given, or that a MessagePack viewer's decoder refuses. */
function cannotBePassedOn(map: Fields): boolean {
  if (Object.keys(map).length <= 4) return false;
  try {
    plain(decode(encode(map)), 0);
    return false;
  } catch {
    return true;
  }
}

describe('a MessagePack message of any shape', () => {
  const anything = fc.oneof(
    fc.anything({ maxDepth: 3, withDate: true, withNullPrototype: true, withTypedArray: true, withSparseArray: true }),
    fc.tuple(fc.nat(127), fc.uint8Array({ maxLength: 20 })).map(([type, data]) => new ExtData(type, data)),
    fc.string({ unit: 'binary', minLength: 200, maxLength: 300 }),
  );
  const maybeFrames = fc
    .record(
      {
        type: fc.oneof({ weight: 8, arbitrary: fc.constant('video-frame') }, { weight: 1, arbitrary: anything }),
        streamId: fc.oneof({ weight: 6, arbitrary: text }, { weight: 1, arbitrary: anything }),
        timestamp: fc.oneof({ weight: 3, arbitrary: epochMs }, { weight: 2, arbitrary: fc.double() }, anything),
        data: fc.oneof({ weight: 4, arbitrary: jpegBytes }, fc.uint8Array({ maxLength: 6 }), anything),
      },
      { requiredKeys: ['type'] },
    )
    .chain((known) =>
      fc.dictionary(text, anything, { maxKeys: 16 }).chain((extra) => inAnyOrder({ ...extra, ...known })),
    );

  it('is taken as a frame exactly when it is one, and the refusal names the first field that is wrong', () => {
    fc.assert(
      fc.property(maybeFrames, (map) => {
        const view = new FrameView();
        const outcome = outcomeOf(() => view.read(Buffer.from(encode(map)), 'msgpack'));
        const wrong = firstWrongField(map);
        if (wrong === undefined && cannotBePassedOn(map)) {
          expect(outcome).toMatch(/^INVALID_MESSAGE message: /);
        } else if (wrong === undefined) {
          expect(outcome).toBe(true);
          expect([view.streamId, view.timestamp]).toEqual([map['streamId'], Number(map['timestamp']) + 0]);
          expect(view.jpeg().equals(bytesOf(map['data']) ?? Buffer.alloc(0))).toBe(true);
        } else if (wrong === 'type') {
          expect(outcome).toBe(false);
        } else {
          expect(outcome).toMatch(new RegExp(`^INVALID_MESSAGE ${wrong}: `));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('is well-formed when it is whole', () => {
    fc.assert(
      fc.property(anything, encoderOptions, (value, options) => {
        checkWellFormed(encode(value, options));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused when its end is missing, wherever it was cut, or when something follows', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = encode(value);
        for (let length = 0; length < bytes.length; length += 1) {
          expectProtocolError(() => checkWellFormed(bytes.subarray(0, length)));
        }
        expectProtocolError(() => checkWellFormed(new Uint8Array([...bytes, 0])));
      }),
      { numRuns: 300 },
    );
  });

  it('may use every form of the specification, also those this library never writes', () => {
    const forms = ['00', '7f', 'e0', 'ff', 'c0', 'c2', 'c3', '80', '8100c0', '90', '91c0', 'a0', 'a178'];
    forms.push('c400', 'c40100', 'c50000', 'c5000100', 'c600000000', 'c60000000100', 'd900', 'd90178', 'da0000');
    forms.push('da000178', 'db00000000', 'db0000000178', 'dc0000', 'dc0001c0', 'dd00000000', 'dd00000001c0', 'de0000');
    forms.push('de00010000', 'df00000000', 'df000000010000', 'c70005', 'c7010500', 'c8000005', 'c800010500');
    forms.push('c90000000005', 'c9000000010500', 'd40500', `d505${'00'.repeat(2)}`, `d605${'00'.repeat(4)}`);
    forms.push(`d705${'00'.repeat(8)}`, `d805${'00'.repeat(16)}`, 'ca00000000', 'cb0000000000000000', 'cc00', 'cd0000');
    forms.push('ce00000000', 'cf0000000000000000', 'd000', 'd10000', 'd200000000', 'd30000000000000000');
    for (const form of forms) {
      const bytes = Buffer.from(form, 'hex');
      expect(
        outcomeOf(() => checkWellFormed(bytes)),
        form,
      ).toBeUndefined();
      for (let length = 0; length < bytes.length; length += 1) {
        expectProtocolError(() => checkWellFormed(bytes.subarray(0, length)));
      }
      expectProtocolError(() => checkWellFormed(Buffer.concat([bytes, Buffer.from([0xc0])])));
    }
    const types = new Set(forms.map((form) => Number.parseInt(form.slice(0, 2), 16)));
    for (let type = 0xc0; type <= 0xdf; type += 1) expect(types.has(type), type.toString(16)).toBe(type !== 0xc1);
  });

  it('is refused only if other decoders refuse it too', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const wellFormed = outcomeOf(() => checkWellFormed(bytes)) === undefined;
        // The limit keeps the library from allocating what a mutated container claims to hold.
        const limits = { maxArrayLength: 1_000, maxMapLength: 1_000 };
        if (!wellFormed) expect(() => decode(bytes, limits)).toThrow();
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the picture in a JSON message', () => {
  const values: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      trickyText,
      fc.constantFrom(null, true, false, 0, -1.5e-7, 1e21),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(trickyText, fc.constantFrom('data', '__proto__')), tie('value'), { maxKeys: 4 }),
    ),
  })).value;
  const objects = fc.dictionary(trickyText, values, { maxKeys: 6 });

  it('is found wherever it stands, whatever is beside it', () => {
    fc.assert(
      fc.property(
        objects.chain((fields) =>
          fc
            .tuple(trickyText, jsonStyles)
            .chain(([data, style]) => fc.tuple(inAnyOrder({ ...fields, data }), fc.constant(style))),
        ),
        ([object, style]) => {
          const bytes = Buffer.from(writeJson(object, style));
          const found = findDataText(bytes, MAX_CONTROL_BYTES);
          const parsed = JSON.parse(bytes.toString()) as Fields;
          expect(found).toBeDefined();
          if (found === undefined) return;
          expect(JSON.parse(`"${bytes.toString('utf8', found.start, found.end)}"`)).toBe(parsed['data']);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('is not found in a nested map, in a string, or in a message without one', () => {
    fc.assert(
      fc.property(objects, jsonStyles, (fields, style) => {
        const { data, ...others } = fields;
        const find = (text: string) => findDataText(Buffer.from(text), MAX_CONTROL_BYTES);
        expect(find(writeJson(others, style))).toBeUndefined();
        expect(find(writeJson([{ data: 'x' }, others], style))).toBeUndefined();
        expect(find(JSON.stringify(JSON.stringify({ ...others, data: 'x' })))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('is looked for in any text without an error but the typed one', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        let found: ReturnType<typeof findDataText>;
        try {
          found = findDataText(bytes, MAX_CONTROL_BYTES);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          return;
        }
        if (found === undefined) return;
        expect(bytes[found.start - 1]).toBe(0x22);
        expect(bytes[found.end]).toBe(0x22);
        expect(found.end).toBeGreaterThanOrEqual(found.start);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('a connection that sends message after message', () => {
  it('gets for each what it would get for it alone: nothing of an earlier message shows', () => {
    const steps = fc.array(fc.tuple(fc.oneof(frameWires, validWires, damagedWires), fc.nat(7)), {
      minLength: 2,
      maxLength: 8,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const reused = new FrameView();
        for (const [wire, uses] of list)
          expect(observe(reused, wire, uses)).toEqual(observe(new FrameView(), wire, uses));
      }),
      { numRuns: 500 },
    );
  });
});

describe('control messages', () => {
  const good = <T>(value: T) => ({ weight: 6, arbitrary: fc.constant(value) });
  const controls = fc
    .record(
      {
        type: fc.oneof(
          fc.constantFrom('register', 'subscribe', 'unsubscribe', 'alert'),
          fc.constant('video-frame'),
          text,
        ),
        clientType: fc.oneof(fc.constantFrom('mobile', 'dashboard'), jsonValues),
        streamId: fc.oneof({ weight: 6, arbitrary: streamIds }, jsonValues),
        produces: fc.oneof(good(['video-frame']), jsonValues),
        consumes: fc.oneof(good(['alert', 'video-frame']), jsonValues),
        severity: fc.oneof(good('high'), jsonValues),
        message: fc.oneof(text, jsonValues),
        metadata: fc.oneof(extraFields, jsonValues),
        timestamp: fc.oneof(epochMs, jsonValues),
      },
      { requiredKeys: ['type'] },
    )
    .map((fields) => asParsed(fields) as Fields);

  it('mean the same, or are refused with the same words, in JSON and in MessagePack', () => {
    fc.assert(
      fc.property(controls, encoderOptions, (fields, { forceFloat32: _, ...options }) => {
        const json = outcomeOf(() => decodeControl(Buffer.from(JSON.stringify(fields)), 'json'));
        const msgpack = outcomeOf(() => decodeControl(Buffer.from(encode(fields, options)), 'msgpack'));
        expect(msgpack).toEqual(json);
      }),
      { numRuns: 1_500 },
    );
  });

  it('may hold binary values, dates and NaN in their metadata: text and null for whoever reads it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.date({ noInvalidDate: true }), (bytes, date) => {
        const message = {
          type: 'register',
          clientType: 'mobile',
          metadata: { bytes, list: [bytes, Number.NaN], date, x: -1 / 0 },
        };
        expect(decodeControl(Buffer.from(encode(message)), 'msgpack')).toMatchObject({
          metadata: {
            bytes: Buffer.from(bytes).toString('base64'),
            list: [Buffer.from(bytes).toString('base64'), null],
            date: date.toISOString(),
            x: null,
          },
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('an alert, on to its viewers', () => {
  const anyJson = fc
    .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 })
    .map((map) => JSON.stringify(map));

  it('can be read in both encodings, whatever keys its metadata has', () => {
    fc.assert(
      fc.property(anyJson, (metadata) => {
        const alert = delivered(
          `{"type":"alert","streamId":"cam","severity":"low","message":"Fire","metadata":${metadata}}`,
        );
        const json = decodeMap(toBuffer(encodeServerMessage(alert, 'json')), 'json');
        const msgpack = decodeMap(toBuffer(encodeServerMessage(alert, 'msgpack')), 'msgpack');
        expect(msgpack).toEqual(json);
      }),
      { numRuns: 500, examples: [['{"__proto__":1}'], ['{"a":[{"__proto__":{}}]}']] },
    );
  });

  it('is valid UTF-8 in MessagePack, also where the sender cut an emoji in half', () => {
    const half = '\ud83d';
    const message = JSON.stringify({
      type: 'alert',
      streamId: 'cam',
      severity: 'low',
      message: half,
      metadata: { half },
    });
    const bytes = encodeServerMessage(delivered(message), 'msgpack') as Uint8Array;
    const strict = new TextDecoder('utf-8', { fatal: true });
    const strings = decode(bytes, { rawStrings: true }) as { message: Uint8Array; metadata: { half: Uint8Array } };
    expect(() => strict.decode(strings.message)).not.toThrow();
    expect(() => strict.decode(strings.metadata.half)).not.toThrow();
  });

  function delivered(json: string) {
    const alert = decodeControl(Buffer.from(json), 'json') as AlertMessage;
    return { ...alert, id: 'a-1', metadata: alert.metadata ?? {}, timestamp: 1 };
  }
});

describe('a frame from JSON, on to MessagePack viewers', () => {
  const frame = (extra: string) =>
    Buffer.from(`{"type":"video-frame","streamId":"cam","timestamp":1,"data":"/9j/AAAA",${extra}}`);

  it('can be decoded by them, whatever keys its extra fields have', () => {
    for (const extra of [
      '"__proto__":1',
      '"a":{"__proto__":{}}',
      '"a":[{"__proto__":[]}]',
      '"constructor":1,"toJSON":2',
    ]) {
      const view = new FrameView();
      expect(view.read(frame(extra), 'json')).toBe(true);
      expect(() => decode(view.in('msgpack') as Uint8Array)).not.toThrow();
    }
  });

  it('is valid UTF-8 for them, also where the sender cut an emoji in half', () => {
    const view = new FrameView();
    expect(view.read(frame('"note":"\\ud83d"'), 'json')).toBe(true);
    const { note } = decode(view.in('msgpack') as Uint8Array, { rawStrings: true }) as { note: Uint8Array };
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(note)).not.toThrow();
  });
});

/** Everything the router can learn from one message. `uses` says which ways to look at it are taken, and so their order. */
function observe(view: FrameView, { bytes, encoding }: Wire, uses: number): unknown {
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
function isTaken(view: FrameView, { bytes, encoding }: Wire): boolean {
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
function outcomeOf<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof ProtocolError) return `${error.code} ${error.message}`;
    throw error;
  }
}

function onlyProtocolErrors(action: () => unknown): void {
  outcomeOf(action);
}

/** CPU time, since the wall clock also counts what other processes do. */
function cpuMsOf(action: () => unknown): number {
  const start = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}

function expectProtocolError(action: () => unknown): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof ProtocolError)) throw new Error(`expected a ProtocolError, got ${String(thrown)}`);
}

/** The first field that keeps `map` from being a frame, by the words of the protocol; undefined when it is one. */
function firstWrongField(map: Fields): string | undefined {
  if (map['type'] !== 'video-frame') return 'type';
  if (typeof map['streamId'] !== 'string' || map['streamId'] === '') return 'streamId';
  if (typeof map['timestamp'] !== 'number' || !Number.isFinite(map['timestamp'])) return 'timestamp';
  const data = bytesOf(map['data']);
  return data !== undefined && data.length >= 4 && data[0] === 0xff && data[1] === 0xd8 ? undefined : 'data';
}

/** The bytes the MessagePack library writes as `bin` for `value`, if it does. */
function bytesOf(value: unknown): Buffer | undefined {
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

function inAnyOrder(fields: Fields): fc.Arbitrary<Fields> {
  const entries = Object.entries(fields);
  return fc
    .shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length })
    .map((shuffled) => Object.fromEntries(shuffled));
}

function writeJson(value: unknown, style: typeof jsonStyles extends fc.Arbitrary<infer S> ? S : never): string {
  let json = JSON.stringify(value, null, style.indent);
  // Neither `/` nor anything beyond ASCII stands outside of strings, and no number here has a plus.
  if (style.escapeSlash) json = json.replaceAll('/', '\\/');
  if (style.escapePlus) json = json.replace(/\+(?!\d)/g, '\\u002B');
  return style.asciiOnly ? escapeBeyondAscii(json) : json;
}

function escapeBeyondAscii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The value as JSON.parse would give it: no -0, no prototypes but plain ones. */
function asParsed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Numbers as a float32 keeps them; none that JSON has no word for. */
function asFloat32(fields: Fields): Fields {
  return mapLeaves(fields, (leaf) => {
    if (typeof leaf !== 'number') return undefined;
    const coarse = Math.fround(leaf);
    return Number.isFinite(coarse) ? coarse + 0 : 0;
  }) as Fields;
}

/** Binary values as the router writes them in JSON: base64 text. */
function asJson(value: unknown): unknown {
  return mapLeaves(value, (leaf) => (leaf instanceof Uint8Array ? Buffer.from(leaf).toString('base64') : undefined));
}

/** The library's answer, its views of the input made plain arrays of their own, to compare them. */
function decodePlain(bytes: Uint8Array): Fields {
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

function toBuffer(encoded: string | Uint8Array): Buffer {
  return Buffer.from(encoded as Uint8Array);
}
