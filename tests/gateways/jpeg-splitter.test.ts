import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { JpegSplitter } from '../../src/gateways/pictures/jpeg-splitter.ts';

interface Split {
  pictures: Buffer[];
  /** How often a picture was given up. */
  broken: number;
  splitter: JpegSplitter;
}

function split(chunks: readonly Buffer[]): Split {
  const pictures: Buffer[] = [];
  let pieces: Buffer[] = [];
  let broken = 0;
  const splitter = new JpegSplitter({
    // As the socket library's memory, it is gone after the call.
    add: (bytes) => pieces.push(Buffer.from(bytes)),
    end: () => {
      pictures.push(Buffer.concat(pieces));
      pieces = [];
    },
    abandon: () => {
      broken += 1;
      pieces = [];
    },
  });
  for (const chunk of chunks) splitter.feed(chunk);
  return { pictures, broken, splitter };
}

function cut(body: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (body.length + 1)))].sort((one, other) => one - other);
  return [...at, body.length].map((end, index) => body.subarray(index === 0 ? 0 : at[index - 1], end));
}

const SOI = Buffer.from([0xff, 0xd8]);
const EOI = Buffer.from([0xff, 0xd9]);

function segment(code: number, content: Buffer): Buffer {
  const head = Buffer.from([0xff, code, 0, 0]);
  head.writeUInt16BE(content.length + 2, 2);
  return Buffer.concat([head, content]);
}

/** Picture data: an FF in it is followed by 00, or is a restart. */
const scanData = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xfe }).map((byte) => [byte]),
      fc.constant([0xff, 0x00]),
      fc.integer({ min: 0xd0, max: 0xd7 }).map((code) => [0xff, code]),
    ),
    { maxLength: 60 },
  )
  .map((pieces) => Buffer.from(pieces.flat()));

/** A whole picture may be inside a segment, as a thumbnail is. */
const segmentContent = fc.oneof(
  fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(Buffer.concat([SOI, segment(0xda, Buffer.from([1, 2, 3])), Buffer.from('thumb'), EOI])),
);

const header = fc
  .tuple(fc.constantFrom(0xe0, 0xe1, 0xdb, 0xc4, 0xc0, 0xfe), segmentContent, fc.integer({ min: 0, max: 3 }))
  .map(([code, content, fill]) => Buffer.concat([Buffer.alloc(fill, 0xff), segment(code, content)]));

const scan = fc.tuple(segmentContent, scanData).map(([content, data]) => Buffer.concat([segment(0xda, content), data]));

const picture = fc
  .tuple(
    fc.array(header, { maxLength: 4 }),
    fc.array(fc.tuple(scan, fc.array(header, { maxLength: 2 })), { maxLength: 3 }),
  )
  .map(([headers, scans]) =>
    Buffer.concat([SOI, ...headers, ...scans.flatMap(([data, between]) => [data, ...between]), EOI]),
  );

test('however a series of pictures is cut into chunks, each comes out as it went in, thumbnails and several scans included', () => {
  const between = fc.constantFrom('', '\0', '\r\n', 'what the camera says');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(picture, between), { maxLength: 5 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (series, places) => {
        const all = Buffer.concat(series.flatMap(([jpeg, gap]) => [jpeg, Buffer.from(gap)]));
        const { pictures, broken, splitter } = split(cut(all, places));
        expect(pictures.map((jpeg) => jpeg.toString('hex'))).toEqual(series.map(([jpeg]) => jpeg.toString('hex')));
        expect(broken).toBe(0);
        expect(splitter.isInside).toBe(false);
        expect(splitter.strayBytes).toBe(series.reduce((sum, [, gap]) => sum + gap.length, 0));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('real pictures come out bit for bit, in chunks of any size', () => {
  const walk = readWalk().slice(0, 3);
  const all = Buffer.concat(walk);
  for (const bytes of [1, 7, 1_000, 65_524, all.length]) {
    const chunks = Array.from({ length: Math.ceil(all.length / bytes) }, (_, index) =>
      all.subarray(index * bytes, (index + 1) * bytes),
    );
    const { pictures } = split(chunks);
    expect(pictures.map((jpeg, index) => jpeg.equals(walk[index] as Buffer))).toEqual([true, true, true]);
  }
});

test('a picture that was cut off is given up when the next one begins, which is whole', () => {
  const whole = readWalk()[0] as Buffer;
  const { pictures, broken } = split([whole.subarray(0, whole.length - 1_000), whole]);
  expect(pictures.map((jpeg) => jpeg.equals(whole))).toEqual([true]);
  expect(broken).toBe(1);
});

test('whatever bytes come, every picture that comes out begins and ends as one', () => {
  const junk = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constant(0xff), fc.constantFrom(0xd8, 0xd9, 0xda, 0)),
  );
  fc.assert(
    fc.property(junk, fc.array(fc.nat(), { maxLength: 10 }), (bytes, places) => {
      for (const jpeg of split(cut(Buffer.from(bytes), places)).pictures) {
        expect([jpeg.subarray(0, 2), jpeg.subarray(-2)]).toEqual([SOI, EOI]);
      }
    }),
    { numRuns: 2_000 },
  );
});
