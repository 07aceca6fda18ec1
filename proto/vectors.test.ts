import { decode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { decodeControl, type Encoding } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { FrameView } from './frame.ts';
import { controlSchemas } from './messages.ts';
import { isMap } from './metadata.ts';
import { asJson, mapLeaves } from './property-outcomes.ts';
import invalidFile from './vectors/invalid.json' with { type: 'json' };
import validFile from './vectors/valid.json' with { type: 'json' };

const hex = z.string().regex(/^([0-9a-f]{2})*$/);
const message = z.record(z.string(), z.unknown());

/** Strict, so that a misspelt field of a vector is an error and not a test that checks less. */
const validVectors = z
  .array(
    z
      .strictObject({
        name: z.string(),
        message,
        json: z.array(z.string()).nonempty().optional(),
        msgpack: z.array(hex).nonempty().optional(),
      })
      .refine((vector) => vector.json !== undefined || vector.msgpack !== undefined),
  )
  .parse(validFile);

const invalidFields = { name: z.string(), code: z.string(), field: z.string().optional() };
const invalidVectors = z
  .array(
    z.union([
      z.strictObject({ ...invalidFields, json: z.string() }),
      z.strictObject({ ...invalidFields, msgpack: hex }),
    ]),
  )
  .parse(invalidFile);

interface Wire {
  encoding: Encoding;
  bytes: Buffer;
  /** As the vector writes it. */
  text: string;
}

describe('messages every client may send', () => {
  it('there are some, of every type and in both encodings', () => {
    const types = new Set(validVectors.map((vector) => vector.message['type']));
    expect(types).toEqual(new Set([...Object.keys(controlSchemas), 'video-frame']));
    for (const type of types) {
      const ofType = validVectors.filter((vector) => vector.message['type'] === type);
      expect(ofType.flatMap((vector) => vector.json ?? [])).not.toHaveLength(0);
      expect(ofType.flatMap((vector) => vector.msgpack ?? [])).not.toHaveLength(0);
    }
  });

  for (const vector of validVectors) {
    const expected = withBytes(vector.message);
    const wires: Wire[] = [...(vector.json ?? []).map(jsonWire), ...(vector.msgpack ?? []).map(msgpackWire)];
    describe(vector.name, () => {
      for (const [index, wire] of wires.entries()) {
        it(`${index + 1}, ${wire.encoding}: ${wire.text.slice(0, 100)}`, () => {
          if (vector.message['type'] === 'video-frame') checkFrame(wire, expected);
          else checkControl(wire, expected);
        });
      }
    });
  }
});

describe('messages that are refused, with an answer that names what is wrong', () => {
  it('there are some, in both encodings', () => {
    expect(invalidVectors.filter((vector) => 'json' in vector)).not.toHaveLength(0);
    expect(invalidVectors.filter((vector) => 'msgpack' in vector)).not.toHaveLength(0);
  });

  for (const vector of invalidVectors) {
    it(vector.name, () => {
      const wire = 'json' in vector ? jsonWire(vector.json) : msgpackWire(vector.msgpack);
      const error = thrownBy(() => readAsEncoderDoes(wire));
      expect(error).toBeInstanceOf(ProtocolError);
      const { code, message: text } = error as ProtocolError;
      expect({ code, field: vector.field === undefined ? undefined : text.split(': ')[0] }).toEqual({
        code: vector.code,
        field: vector.field,
      });
      // A viewer's connection has no frame path: whatever an encoder may not send, a viewer may not either.
      expect(thrownBy(() => decodeControl(wire.bytes, wire.encoding))).toBeInstanceOf(ProtocolError);
    });
  }
});

it('no two vectors have the same name', () => {
  const names = [...validVectors, ...invalidVectors].map((vector) => vector.name);
  expect(names).toHaveLength(new Set(names).size);
});

function checkControl({ bytes, encoding }: Wire, expected: Record<string, unknown>): void {
  expect(new FrameView().read(bytes, encoding)).toBe(false);
  // Absent optional fields are undefined here: toEqual takes them for absent.
  expect(decodeControl(bytes, encoding)).toEqual(expected);
}

function checkFrame({ bytes, encoding }: Wire, expected: Record<string, unknown>): void {
  const { data: jpeg } = expected;
  if (!(jpeg instanceof Uint8Array)) throw new Error('the vector has no binary data');
  const view = new FrameView();
  expect(view.read(bytes, encoding)).toBe(true);
  expect({ streamId: view.streamId, timestamp: view.timestamp }).toEqual({
    streamId: expected['streamId'],
    timestamp: expected['timestamp'],
  });
  expect(view.jpeg().equals(jpeg)).toBe(true);
  expect(view.in(encoding)).toBe(bytes);

  if (encoding === 'json') {
    expect(plainBytes(decode(view.in('msgpack') as Uint8Array))).toEqual(expected);
  } else {
    expect(JSON.parse(view.in('json') as string)).toEqual(asJson(expected));
  }
}

/** What the router does with a message of an encoder, as far as `proto/` does it. */
function readAsEncoderDoes({ bytes, encoding }: Wire): void {
  const view = new FrameView();
  if (view.read(bytes, encoding)) view.jpeg();
  else decodeControl(bytes, encoding);
}

function jsonWire(text: string): Wire {
  return { encoding: 'json', bytes: Buffer.from(text), text };
}

function msgpackWire(text: string): Wire {
  return { encoding: 'msgpack', bytes: Buffer.from(text, 'hex'), text };
}

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Puts bytes where the vector says `{"$base64": "…"}`. */
function withBytes(map: Record<string, unknown>): Record<string, unknown> {
  return mapLeaves(map, (value) =>
    isMap(value) && typeof value['$base64'] === 'string'
      ? new Uint8Array(Buffer.from(value['$base64'], 'base64'))
      : undefined,
  ) as Record<string, unknown>;
}

/** The library decodes to views of its input, of the input's class: all plain Uint8Array here, to compare them. */
function plainBytes(value: unknown): unknown {
  return mapLeaves(value, (leaf) => (leaf instanceof Uint8Array ? new Uint8Array(leaf) : undefined));
}
