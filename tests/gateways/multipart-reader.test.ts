import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MultipartError, MultipartReader } from '../../src/mjpeg/multipart-reader.ts';

interface ReadPart {
  headers: Record<string, string>;
  body: Buffer;
  isWhole: boolean;
}

interface Reading {
  parts: ReadPart[];
  problem: string | undefined;
}

/** What a reader makes of a body that comes in these chunks. */
function read(boundary: string | undefined, chunks: readonly Buffer[]): Reading {
  const parts: ReadPart[] = [];
  let headers: Record<string, string> = {};
  let pieces: Buffer[] = [];
  const reader = new MultipartReader(boundary, {
    begin: (given) => {
      headers = Object.fromEntries(given);
      pieces = [];
    },
    // As the socket library's memory, it is gone after the call.
    add: (bytes) => pieces.push(Buffer.from(bytes)),
    end: (isWhole) => parts.push({ headers, body: Buffer.concat(pieces), isWhole }),
  });
  try {
    for (const chunk of chunks) reader.feed(chunk);
    reader.finish();
    return { parts, problem: undefined };
  } catch (error) {
    if (!(error instanceof MultipartError)) throw error;
    return { parts, problem: error.message };
  }
}

function cut(body: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (body.length + 1)))].sort((one, other) => one - other);
  return [...at, body.length].map((end, index) => body.subarray(index === 0 ? 0 : at[index - 1], end));
}

/** Bytes as they may stand in a part, many of them like the beginning of a delimiter. */
const partBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom('\r', '\n', '\r\n', '\r\n-', '\r\n--', '\r\n--fr', '\r\n--fram', '--frame', '\n--frame')
        .map((text) => Buffer.from(text)),
    ),
    { maxLength: 8 },
  )
  .map((pieces) => Buffer.concat(pieces))
  .filter((bytes) => !Buffer.concat([Buffer.from('\r\n'), bytes]).includes('\r\n--frame'));

const part = fc.record({
  body: partBytes,
  saysLength: fc.boolean(),
  padding: fc.constantFrom('', ' ', '\t '),
});

const body = fc.record({
  parts: fc.array(part, { maxLength: 5 }),
  preamble: fc.constantFrom('', 'Hello\r\n', '\r\n'),
  isClosed: fc.boolean(),
});

test('however a body is cut into chunks, its parts come out with the bytes and the headers they went in with', () => {
  fc.assert(
    fc.property(body, fc.array(fc.nat(), { maxLength: 30 }), ({ parts, preamble, isClosed }, places) => {
      const written = parts.flatMap(({ body: bytes, saysLength, padding }, index) => [
        Buffer.from(`--frame${padding}\r\nContent-Type: image/jpeg\r\nX-Timestamp:${index}\r\n`),
        Buffer.from(saysLength ? `CONTENT-LENGTH: ${bytes.length}\r\n\r\n` : '\r\n'),
        bytes,
        Buffer.from('\r\n'),
      ]);
      const all = Buffer.concat([
        Buffer.from(preamble),
        ...written,
        Buffer.from(isClosed ? '--frame--\r\nBye' : '--frame\r\n'),
      ]);
      const { parts: found, problem } = read('frame', cut(all, places));
      expect(problem).toBeUndefined();
      expect(found.map(({ body: bytes }) => bytes.toString('latin1'))).toEqual(
        parts.map(({ body: bytes }) => bytes.toString('latin1')),
      );
      expect(found.map(({ headers }) => headers['x-timestamp'])).toEqual(parts.map((_part, index) => `${index}`));
      expect(found.every(({ headers, isWhole }) => headers['content-type'] === 'image/jpeg' && isWhole)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('whatever bytes come, nothing is thrown but what says what is wrong with them', () => {
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    partBytes,
  );
  fc.assert(
    fc.property(
      fc.option(fc.constantFrom('frame', '--frame'), { nil: undefined }),
      fc.array(junk),
      (boundary, chunks) => {
        const { parts } = read(boundary, chunks);
        expect(parts.length).toBeLessThanOrEqual(chunks.length * 20);
      },
    ),
  );
});

test('a part that says its length is there with its last byte, without waiting for what comes after it', () => {
  const ended: string[] = [];
  const reader = new MultipartReader('frame', {
    begin: () => undefined,
    add: (bytes) => ended.push(bytes.toString()),
    end: () => ended.push('end'),
  });
  reader.feed(Buffer.from('--frame\r\nContent-Length: 5\r\n\r\nhello'));
  expect(ended).toEqual(['hello', 'end']);
  reader.feed(Buffer.from('\r\n--frame\r\n\r\nwithout'));
  expect(ended).toEqual(['hello', 'end', 'without']);
  reader.feed(Buffer.from('\r\n--frame'));
  expect(ended.at(-1)).toBe('end');
});

test('a length that is too small cuts the part off, one that is too large ends at the boundary', () => {
  const text = '--frame\r\nContent-Length: 2\r\n\r\nhello\r\n--frame\r\nContent-Length: 99\r\n\r\nworld\r\n--frame--';
  expect(read('frame', [Buffer.from(text)]).parts.map(({ body: bytes }) => bytes.toString())).toEqual(['he', 'world']);
});

test('a body that ends within a part that said its length has not sent all of it', () => {
  const { parts } = read('frame', [Buffer.from('--frame\r\nContent-Length: 9\r\n\r\nhello')]);
  expect(parts).toEqual([{ headers: { 'content-length': '9' }, body: Buffer.from('hello'), isWhole: false }]);
  const other = read('frame', [Buffer.from('--frame\r\n\r\nhello')]);
  expect(other.parts).toEqual([{ headers: {}, body: Buffer.from('hello'), isWhole: true }]);
});

test.each([
  ['as the content type names it', 'frame', '--frame'],
  ['named with the dashes that belong before it', '--frame', '--frame'],
  ['named with dashes that belong to it', '--frame', '----frame'],
  ['named by nobody', undefined, '--0123456789NEXT'],
])('a boundary %s is found', (_name, boundary, line) => {
  const text = `\r\n${line}\r\n\r\none\r\n${line}\r\n\r\ntwo\r\n${line}--\r\n`;
  for (const chunks of [[Buffer.from(text)], [...text].map((letter) => Buffer.from(letter))]) {
    const { parts, problem } = read(boundary, chunks);
    expect([parts.map(({ body: bytes }) => bytes.toString()), problem]).toEqual([['one', 'two'], undefined]);
  }
});

test.each([
  ['without any boundary', 'frame', 'hello', 'no boundary'],
  ['that is empty', 'frame', '', 'no boundary'],
  ['whose boundary nobody named and that begins with none', undefined, 'hello\r\n', 'must begin with a boundary'],
  ['with a first line that does not end', undefined, '-'.repeat(300), 'must begin with a boundary'],
  ['with megabytes before the first boundary', 'frame', 'x'.repeat(1024 * 1024), 'no boundary'],
  ['with headers that do not end', 'frame', `--frame\r\nx: ${'y'.repeat(20_000)}`, 'headers may have'],
  ['with something behind its boundary', 'frame', '--frameless\r\n\r\nhello\r\n--frame--', 'behind a boundary'],
])('a body %s is refused in words', (_name, boundary, text, problem) => {
  expect(read(boundary, [Buffer.from(text)]).problem).toContain(problem);
});
