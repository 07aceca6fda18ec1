import { decode, encode } from '@msgpack/msgpack';
import { describe, expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { decodeControl } from '../../proto/codec.ts';
import { FrameView } from '../../proto/frame.ts';
import { blocksIn, blockWith, rowsIn, sectionOf } from './markdown.ts';
import { guide, run } from './mobile-guide.ts';

describe('a frame in MessagePack', () => {
  const STREAM_ID = 'gate';
  const TIMESTAMP = 1_795_296_541_801;
  const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xd9]);
  const frame = { type: 'video-frame', streamId: STREAM_ID, timestamp: TIMESTAMP, data: jpeg };

  test('as the guide shows it is that frame, to the router and to others', () => {
    const bytes = Buffer.from(blockWith(guide, 'hex', '84').replaceAll(/\s/g, ''), 'hex');
    expect(decode(bytes)).toEqual(frame);
    const view = new FrameView();
    expect(view.read(bytes, 'msgpack', STREAM_ID)).toBe(true);
    expect(view.jpeg()).toEqual(jpeg);
    expect(view.timestamp).toBe(TIMESTAMP);
  });

  test.each(['swift', 'kotlin'])('the lines of the %s client write it', (language) => {
    const large = Buffer.alloc(70_000, 7);
    large.set(jpeg);
    for (const picture of [jpeg, large]) {
      const bytes = written(language, { streamId: STREAM_ID, timestampMs: BigInt(TIMESTAMP), jpeg: picture });
      expect(decode(bytes)).toEqual({ ...frame, data: picture });
    }
  });

  test('is about a quarter smaller than in JSON, as the guide says', () => {
    const picture = Buffer.alloc(40_000, 7);
    const asJson = JSON.stringify({ ...frame, data: picture.toString('base64') });
    expect(encode({ ...frame, data: picture }).length / asJson.length).toBeCloseTo(0.75, 2);
  });
});

test('the messages in the mobile guide are such that a router takes them', () => {
  const messages = blocksIn(guide).filter(({ language }) => language === 'json');
  expect(messages.map(({ code }) => typeIn(code))).toEqual(['register', 'video-frame']);
});

test('the mobile guide says what to do at every close code of a router', () => {
  const table = rowsIn(sectionOf(guide, '### When the connection ends'));
  const codes = table.map(([code = '']) => code).join(' ');
  for (const code of Object.values(CloseCode)) expect(codes).toContain(String(code));
  for (const [code = '', , what = ''] of table.slice(1)) {
    const [first = '0'] = /\d{4}/.exec(code) ?? [];
    const isFinal = Number(first) === CloseCode.policyViolation || (Number(first) >= 4400 && Number(first) <= 4499);
    expect(`${code}: ${what}`).toMatch(isFinal ? /: (it will not be better|.*stop)/ : /reconnect/);
  }
});

/** Decodes a client's message as a router does; answers its type. */
function typeIn(code: string): string {
  const bytes = Buffer.from(code);
  const view = new FrameView();
  if (view.read(bytes, 'json', undefined)) return 'video-frame';
  return decodeControl(bytes, 'json').type;
}

/**
 * What `encodeFrame` of the client in that language makes of a frame. There is no compiler for them here; but its lines are calls, one after the other, and mean the
 * same in JavaScript when what they call is there.
 */
function written(language: string, frame: { streamId: string; timestampMs: bigint; jpeg: Buffer }): Buffer {
  const code = blockWith(guide, language, 'encodeFrame(');
  const bytes = new Bytes();
  const jpeg = Object.assign(Buffer.from(frame.jpeg), { size: frame.jpeg.length, count: frame.jpeg.length });
  const surroundings = { ...frame, jpeg, Buffer: () => bytes, Data: (start: number[]) => bytes.writeAll(start) };
  if (language === 'kotlin') {
    const [, calls = ''] = /encodeFrame\(streamId: String[\s\S]*? =\n([\s\S]*?\.readByteString\(\))/.exec(code) ?? [];
    return run(`return ${calls.trim()}`, surroundings) as Buffer;
  }
  const [, lines = ''] = /func encodeFrame\([\s\S]*?\{\n([\s\S]*?)\n\}/.exec(code) ?? [];
  const UInt32 = (value: number) => ({ bytes: 4, value: BigInt(value) });
  const made = run(lines, { ...surroundings, UInt32, timestampMs: { bytes: 8, value: frame.timestampMs } });
  return (made as Bytes).readByteString();
}

/** What the calls of both clients mean: Okio's `Buffer`, and `Data` with the two functions that the Swift client adds to it. */
class Bytes {
  #bytes = Buffer.alloc(0);

  writeAll(bytes: Uint8Array | readonly number[]): this {
    this.#bytes = Buffer.concat([this.#bytes, Uint8Array.from(bytes)]);
    return this;
  }

  write(bytes: Uint8Array): this {
    return this.writeAll(bytes);
  }

  writeByte(byte: number): this {
    return this.writeAll([byte]);
  }

  writeInt(value: number): this {
    return this.#writeNumber(4, BigInt(value));
  }

  writeLong(value: bigint): this {
    return this.#writeNumber(8, value);
  }

  writeText(text: string): this {
    return this.writeAll([0xd9, Buffer.byteLength(text)]).writeAll(Buffer.from(text));
  }

  readByteString(): Buffer {
    return this.#bytes;
  }

  append(bytes: Uint8Array | number): void {
    if (typeof bytes === 'number') this.writeByte(bytes);
    else this.writeAll(bytes);
  }

  appendText(text: string): void {
    this.writeText(text);
  }

  appendNumber({ bytes, value }: { bytes: 4 | 8; value: bigint }): void {
    this.#writeNumber(bytes, value);
  }

  #writeNumber(bytes: 4 | 8, value: bigint): this {
    const eight = Buffer.alloc(8);
    eight.writeBigUInt64BE(value);
    return this.writeAll(eight.subarray(8 - bytes));
  }
}
