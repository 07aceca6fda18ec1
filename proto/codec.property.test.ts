import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeControl, decodeMap, type Encoding, encodeServerMessage } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { FrameView } from './frame.ts';
import { DEFAULT_MAX_MESSAGE_BYTES, MAX_CONTROL_BYTES, MAX_SUBSCRIPTIONS } from './limits.ts';
import { type AlertMessage, controlSchemas } from './messages.ts';
import {
  asJson,
  cpuMsOf,
  expectProtocolError,
  type Fields,
  isTaken,
  onlyProtocolErrors,
  outcomeOf,
  toBuffer,
} from './property-outcomes.ts';
import {
  anyBytes,
  asParsed,
  damagedWires,
  ENCODINGS,
  encoderOptions,
  epochMs,
  extraFields,
  jsonStyles,
  jsonValues,
  legalControls,
  streamIds,
  text,
  writeJson,
} from './property-support.ts';

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
      { numRuns: 2_500 },
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
        // Plus 0: JSON.stringify writes -0 as 0.
        expect(again.timestamp + 0).toBe(view.timestamp + 0);
        expect(again.streamId).toBe(view.streamId);
      }),
      { numRuns: 2_500 },
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

describe('control messages', () => {
  const good = <T>(value: T) => ({ weight: 6, arbitrary: fc.constant(value) });
  const controls = fc
    .record(
      {
        type: fc.oneof(fc.constantFrom(...Object.keys(controlSchemas)), fc.constant('video-frame'), text),
        clientType: fc.oneof(fc.constantFrom('mobile', 'dashboard'), jsonValues),
        streamId: fc.oneof({ weight: 6, arbitrary: streamIds }, good('*'), jsonValues),
        streamIds: fc.oneof(good(['gate', 'yard']), jsonValues),
        maxFps: fc.oneof(good(10), jsonValues),
        window: fc.oneof(good(2), jsonValues),
        since: fc.oneof(good('a-1'), jsonValues),
        understands: fc.oneof(good(['heartbeat']), jsonValues),
        resumeToken: fc.oneof(good('t'), jsonValues),
        received: fc.oneof(good(3), fc.double(), jsonValues),
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
      { numRuns: 800 },
    );
  });

  it('mean what their author meant, in both encodings, in every legal way to write them', () => {
    const wholeNumbers = fc.constantFrom('$&', '$&.0', '$&e0', '$&.00E+0');
    fc.assert(
      fc.property(legalControls, encoderOptions, jsonStyles, wholeNumbers, (control, options, style, wholeNumber) => {
        const { forceFloat32: _, ...exact } = options;
        const json = writeJson(control.written, style).replace(
          /(?<="(?:maxFps|window|received)":\s*)\d+(?![\d.eE])/g,
          wholeNumber,
        );
        expect(decodeControl(Buffer.from(json), 'json')).toEqual(control.meant);
        expect(decodeControl(Buffer.from(encode(control.written, exact)), 'msgpack')).toEqual(control.meant);
      }),
      { numRuns: 800 },
    );
  });

  it('that subscribe name one stream or a list of up to 1,000, and never both', () => {
    const answers = (streams: Fields): unknown[] => {
      const message = { type: 'subscribe', clientType: 'dashboard', ...streams };
      return [
        outcomeOf(() => decodeControl(Buffer.from(JSON.stringify(message)), 'json')),
        outcomeOf(() => decodeControl(Buffer.from(encode(message)), 'msgpack')),
      ];
    };
    const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `cam-${index}`);
    for (const answer of answers({ streamIds: ids(MAX_SUBSCRIPTIONS) })) {
      expect(answer).toHaveProperty('streamIds', ids(MAX_SUBSCRIPTIONS));
    }
    const refused = [
      { streams: { streamIds: ids(MAX_SUBSCRIPTIONS + 1) }, field: 'streamIds' },
      { streams: { streamId: '*', streamIds: ids(1) }, field: 'streamId' },
      { streams: { streamId: null, streamIds: null }, field: 'streamId' },
    ];
    for (const { streams, field } of refused) {
      for (const answer of answers(streams)) expect(answer).toMatch(new RegExp(`^INVALID_MESSAGE ${field}: `));
    }
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
