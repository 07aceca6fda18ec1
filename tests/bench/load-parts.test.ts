import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PLAIN_WORK } from '../../bench/compare/measure.ts';
import { FrameReader } from '../../bench/load/frame-reader.ts';
import { loadPictures, MIN_PICTURE_BYTES } from '../../bench/load/pictures.ts';
import { distribute, type LoadPlan } from '../../bench/load/plan.ts';
import { STAMP_BASE64_CHARACTERS, STAMP_BYTES, StampReader, writeStamp } from '../../bench/load/stamp.ts';

/** What the load tool's figures rest on. */

const plan: LoadPlan = { ...PLAIN_WORK, target: { url: 'ws://127.0.0.1:1', dialect: 'watchout', token: undefined } };

describe('reading what a server sends', () => {
  /** A frame as a server sends it: no mask. */
  function serverFrame(opcode: number, payload: Buffer, isFinal = true): Buffer {
    const { length } = payload;
    const header = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
    header[0] = (isFinal ? 0x80 : 0) | opcode;
    header[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
    if (header.length === 4) header.writeUInt16BE(length, 2);
    if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
    return Buffer.concat([header, payload]);
  }

  const message = fc.record({
    isText: fc.boolean(),
    parts: fc.array(fc.constantFrom<number[]>(0, 1, 125, 126, 511, 512, 513, 65_535, 65_536, 70_000), {
      minLength: 1,
      maxLength: 3,
    }),
    ping: fc.boolean(),
  });

  test('every message is seen once, with its beginning and its length, however the bytes were cut', () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 6 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 90_000 })),
        (messages, cuts) => {
          const wire: Buffer[] = [];
          const expected: unknown[][] = [];
          for (const [index, { isText, parts, ping }] of messages.entries()) {
            const pieces = parts.map((bytes) => Buffer.alloc(bytes, index + 1));
            for (const [part, piece] of pieces.entries()) {
              wire.push(serverFrame(part > 0 ? 0 : isText ? 1 : 2, piece, part === pieces.length - 1));
              if (ping && part === 0) wire.push(serverFrame(9, Buffer.from('hello')));
            }
            const first = pieces[0] as Buffer;
            expected.push(['head', Math.min(first.length, 512), isText, first[0]]);
            if (ping) expected.push(['ping', 'hello']);
            expected.push(['end', parts.reduce((sum, bytes) => sum + bytes, 0)]);
          }
          wire.push(serverFrame(8, Buffer.from([0x03, 0xf4])));
          expected.push(['close', 1012]);

          const seen: unknown[][] = [];
          const reader = new FrameReader({
            head: (head, isText) => void seen.push(['head', head.length, isText, head[0]]),
            end: (bytes) => void seen.push(['end', bytes]),
            ping: (payload) => void seen.push(['ping', payload.toString()]),
            close: (code) => void seen.push(['close', code]),
          });
          const bytes = Buffer.concat(wire);
          for (let at = 0; at < bytes.length; ) {
            const cut = cuts.next().value as number;
            reader.read(bytes.subarray(at, at + cut));
            at += cut;
          }
          // A ping inside a fragmented message may be seen before or after that message's end: never lost, never twice.
          expect(seen.map(String).sort()).toEqual(expected.map(String).sort());
          expect(seen.filter(([kind]) => kind !== 'ping')).toEqual(expected.filter(([kind]) => kind !== 'ping'));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the stamp in a picture', () => {
  test.each([
    ['bytes', false, STAMP_BYTES],
    ['base64', true, STAMP_BASE64_CHARACTERS],
  ])('is read as it was written, in %s, wherever the picture begins', (_name, base64, length) => {
    const reader = new StampReader();
    for (const [seq, offset] of [
      [1, 40],
      [4_000_000_000, 40],
      [3, 180],
    ] as const) {
      const head = Buffer.alloc(offset + length + 20, 0x41);
      writeStamp({ seq, dueMicros: 1_234_567_890_123.5, sentMicros: 1_234_567_890_623.5 }, head, offset, base64);
      expect(reader.read(head)).toBe(true);
      expect(reader).toMatchObject({ seq, dueMicros: 1_234_567_890_123.5, sentMicros: 1_234_567_890_623.5 });
    }
    expect(reader.read(Buffer.from('{"type":"status"}'))).toBe(false);
  });
});

describe('pictures made to size', () => {
  test.each([MIN_PICTURE_BYTES, 2_000, 65_000, 65_800, 66_000, 131_400, 400_000])(
    '%i bytes are a JPEG that decodes',
    async (bytes) => {
      const { default: sharp } = await import('sharp');
      const [picture] = loadPictures({ kind: 'size', bytes }) as [Buffer];
      expect(picture.length).toBe(bytes);
      expect(await sharp(picture).metadata()).toMatchObject({ format: 'jpeg', width: 16, height: 16 });
      expect((await sharp(picture).raw().toBuffer()).length).toBe(16 * 16 * 3);
    },
  );
});

describe('who connects where', () => {
  test('every encoder and viewer is there once, in the shares that were asked for, whatever the threads', () => {
    const share = fc.integer({ min: 0, max: 25 }).map((percent) => percent / 100);
    fc.assert(
      fc.property(
        fc.record({
          streams: fc.integer({ min: 1, max: 20 }),
          viewersPerStream: fc.integer({ min: 0, max: 30 }),
          workers: fc.integer({ min: 1, max: 8 }),
          shares: fc.record({ windowed: share, slow: share, 'slow-windowed': share, stalled: share }),
        }),
        (wanted) => {
          const all = distribute({ ...plan, ...wanted }).flat();
          const encoders = all.filter(({ role }) => role === 'encoder').map(({ stream }) => stream);
          expect(encoders.sort((a, b) => a - b)).toEqual(Array.from({ length: wanted.streams }, (_, i) => i));
          const viewers = all.flatMap((one) => (one.role === 'viewer' ? one : []));
          for (let stream = 0; stream < wanted.streams; stream += 1) {
            expect(viewers.filter((viewer) => viewer.stream === stream).length).toBe(wanted.viewersPerStream);
          }
          for (const kind of ['windowed', 'slow', 'slow-windowed', 'stalled'] as const) {
            const count = viewers.filter((viewer) => viewer.kind === kind).length;
            expect(Math.abs(count - wanted.shares[kind] * viewers.length)).toBeLessThanOrEqual(1);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
