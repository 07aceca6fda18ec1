import { decode, ExtData, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameView } from './frame.ts';
import { checkWellFormed } from './msgpack-scan.ts';
import {
  asFloat32,
  asJson,
  bytesOf,
  cannotBePassedOn,
  decodePlain,
  expectProtocolError,
  firstWrongField,
  isTaken,
  observe,
  outcomeOf,
} from './property-outcomes.ts';
import {
  anyBytes,
  damagedWires,
  encoderOptions,
  epochMs,
  escapeBeyondAscii,
  frames,
  frameWires,
  inAnyOrder,
  jpegBytes,
  jsonStyles,
  text,
  validWires,
  writeJson,
} from './property-support.ts';

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

  it('is read the same whatever id it was expected to have', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,24}$/);
    fc.assert(
      fc.property(frames, id, fc.boolean(), (frame, likely, isLikely) => {
        const fields = isLikely ? { ...frame, streamId: likely } : frame;
        for (const [bytes, encoding] of [
          [Buffer.from(encode(fields)), 'msgpack'],
          [Buffer.from(JSON.stringify(asJson(fields))), 'json'],
        ] as const) {
          const view = new FrameView();
          expect(view.read(bytes, encoding, likely)).toBe(true);
          expect(view.streamId).toBe(fields['streamId']);
        }
      }),
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
      { numRuns: 1_500 },
    );
  });
});

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
      { numRuns: 1_000 },
    );
  });

  it('is well-formed when it is whole', () => {
    fc.assert(
      fc.property(anything, encoderOptions, (value, options) => {
        checkWellFormed(encode(value, options));
      }),
      { numRuns: 1_000 },
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
      { numRuns: 1_000 },
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
