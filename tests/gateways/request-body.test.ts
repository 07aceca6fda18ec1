import type { HttpResponse } from 'uWebSockets.js';
import { expect, test } from 'vitest';
import { type BodyReader, HoldingRoom, RequestBody } from '../../src/gateways/http/request-body.ts';
import type { Clock } from '../../src/router/ports.ts';

const clock: Clock = { epochMs: () => 0, monotonicMs: () => 0 };

/** A response as the library hands it out, as far as a body concerns it. */
class FakeResponse {
  isPaused = false;
  #onData: ((chunk: ArrayBuffer, isLast: boolean) => void) | undefined;

  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): this {
    this.#onData = handler;
    return this;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** A chunk comes, whose memory is taken back afterwards. */
  send(text: string, isLast = false): void {
    const memory = new TextEncoder().encode(text);
    this.#onData?.(memory.buffer, isLast);
    memory.fill(0);
  }
}

function arriving(roomBytes: number, declaredBytes?: number) {
  const res = new FakeResponse();
  const room = new HoldingRoom(roomBytes);
  const body = new RequestBody(res as unknown as HttpResponse, clock, room, declaredBytes);
  const read: string[] = [];
  const reader: BodyReader = { take: (chunk) => read.push(chunk.toString()), end: () => read.push('end') };
  /** How much room is left. */
  const roomLeft = () => {
    let bytes = 0;
    while (room.take(1)) bytes += 1;
    room.giveBack(bytes);
    return bytes;
  };
  return { res, body, reader, read, roomLeft };
}

test('what comes before anybody reads is held, and nothing more is asked for; then all of it comes, in order', () => {
  const { res, body, reader, read, roomLeft } = arriving(100);
  res.send('one ');
  expect(res.isPaused).toBe(true);
  // What the library had read from the connection already.
  res.send('two ');
  expect(roomLeft()).toBe(92);
  expect(body.read(reader)).toBe(true);
  expect([read, res.isPaused, roomLeft()]).toEqual([['one ', 'two '], false, 100]);
  res.send('three', true);
  expect(read).toEqual(['one ', 'two ', 'three', 'end']);
});

test('a body that was there at once ends at once', () => {
  const { res, body, reader, read } = arriving(100);
  res.send('all', true);
  expect(res.isPaused).toBe(false);
  body.read(reader);
  expect(read).toEqual(['all', 'end']);
});

test('where there is no room the body is lost, which is said, and the room is given back', () => {
  const { res, body, reader, read, roomLeft } = arriving(10);
  res.send('12345678');
  res.send('90123');
  res.send('4', true);
  expect(body.read(reader)).toBe(false);
  expect([read, roomLeft()]).toEqual([[], 10]);
});

test('an answer lets go of it: a short rest is read, so that the connection can be used again; a long one is left, and closes it', () => {
  for (const [declaredBytes, closes] of [
    [1_000_000, false],
    [1_000_000_000, true],
    [undefined, true],
  ] as const) {
    const { res, body, read, reader, roomLeft } = arriving(100, declaredBytes);
    res.send('some');
    expect([declaredBytes, body.leave()]).toEqual([declaredBytes, closes]);
    expect([res.isPaused, roomLeft()]).toEqual([closes, 100]);
    res.send('more', true);
    body.read(reader);
    expect(read.filter((text) => text !== 'end')).toEqual([]);
  }
});

test('who answers while it reads gets no more of it', () => {
  const { res, body, read, roomLeft } = arriving(100);
  res.send('one');
  res.send('two');
  body.read({
    take: (chunk) => {
      read.push(chunk.toString());
      body.leave();
    },
    end: () => read.push('end'),
  });
  res.send('three', true);
  expect([read, roomLeft()]).toEqual([['one'], 100]);
});

test('when the client goes, what was held is forgotten, and the library left alone', () => {
  const { res, body, roomLeft } = arriving(100);
  res.send('one');
  res.resume();
  body.markGone();
  body.keepOpen();
  expect([res.isPaused, roomLeft()]).toEqual([false, 100]);
});
