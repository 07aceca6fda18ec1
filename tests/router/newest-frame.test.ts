import { expect, test } from 'vitest';
import { NewestFrame } from '../../src/router/newest-frame.ts';
import { frameMessage, parse, pictureOf } from './fakes.ts';

function memoryOf(newest: NewestFrame): ArrayBufferLike {
  return (newest.in('msgpack') as Uint8Array).buffer;
}

test('there is none before the first frame', () => {
  const newest = new NewestFrame();
  expect([newest.byteLength, newest.in('json'), newest.in('msgpack')]).toEqual([0, undefined, undefined]);
});

test.each(['msgpack', 'json'] as const)(
  'a %s frame is handed out as it came, after its own memory is gone',
  (encoding) => {
    const newest = new NewestFrame();
    const message = frameMessage('door', 1, 500, encoding);
    const original = Buffer.from(message);
    newest.keep(message, encoding);
    message.fill(0);
    expect(newest.byteLength).toBe(original.length);
    expect(Buffer.compare(newest.in(encoding) as Uint8Array, original)).toBe(0);
  },
);

test.each([
  ['msgpack', 'json'],
  ['json', 'msgpack'],
] as const)('a %s frame is handed out in %s with the same picture, and a newer one replaces it', (from, to) => {
  const newest = new NewestFrame();
  for (const number of [1, 2, 3]) {
    const message = frameMessage('door', number, 400 - 100 * number, from);
    newest.keep(message, from);
    const other = newest.in(to);
    expect(other).toBeDefined();
    expect(newest.in(to)).toBe(other);
    const parsed = parse(other ?? '', to);
    expect(parsed).toMatchObject({ type: 'video-frame', streamId: 'door', timestamp: number });
    expect(pictureOf(parsed)).toBe(pictureOf(parse(message, from)));
  }
});

test('a stream that changes its encoding is handed out right in both', () => {
  const newest = new NewestFrame();
  for (const [number, encoding] of (['msgpack', 'json', 'msgpack'] as const).entries()) {
    newest.keep(frameMessage('door', number, 200, encoding), encoding);
    for (const asked of ['msgpack', 'json'] as const) {
      expect(parse(newest.in(asked) ?? '', asked)).toMatchObject({ timestamp: number });
    }
  }
});

test('a shorter frame carries nothing of the longer one before it', () => {
  const newest = new NewestFrame();
  newest.keep(frameMessage('door', 1, 5_000, 'msgpack'), 'msgpack');
  const short = frameMessage('door', 2, 100, 'msgpack');
  newest.keep(short, 'msgpack');
  expect(Buffer.compare(newest.in('msgpack') as Uint8Array, short)).toBe(0);
});

test('a steady stream uses the same memory again and again, sizes that vary by a fifth included', () => {
  const newest = new NewestFrame();
  newest.keep(frameMessage('door', 0, 10_000, 'msgpack'), 'msgpack');
  const memory = memoryOf(newest);
  for (let number = 1; number <= 100; number += 1) {
    newest.keep(frameMessage('door', number, 10_000 + (number % 20) * 100, 'msgpack'), 'msgpack');
    expect(memoryOf(newest)).toBe(memory);
  }
});

test('a picture that turns out not to be base64 is no frame for MessagePack viewers, and still one for JSON', () => {
  const newest = new NewestFrame();
  newest.keep(Buffer.from('{"type":"video-frame","streamId":"door","timestamp":1,"data":"/9j/????"}'), 'json');
  expect(newest.in('msgpack')).toBeUndefined();
  expect(newest.in('msgpack')).toBeUndefined();
  expect(newest.in('json')).toBeDefined();
  newest.keep(frameMessage('door', 2, 100, 'json'), 'json');
  expect(newest.in('msgpack')).toBeDefined();
});
