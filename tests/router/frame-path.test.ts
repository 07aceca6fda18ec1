import { afterEach, describe, expect, test, vi } from 'vitest';
import { FrameView } from '../../proto/frame.ts';
import { noTap } from '../../src/router/no-tap.ts';
import type { FrameTap } from '../../src/router/ports.ts';
import { frameMessage, jpegOf, refusal, World } from './fakes.ts';

/** A JSON frame whose picture has the right first characters, length and padding, and a character that is not base64. */
const NOT_BASE64 = Buffer.from('{"type":"video-frame","streamId":"door","timestamp":1,"data":"/9j/????"}');

afterEach(() => {
  vi.restoreAllMocks();
});

describe('fan-out', () => {
  test.each(['msgpack', 'json'] as const)(
    'every viewer of a %s stream gets the very bytes that came in, not a copy of them',
    (encoding) => {
      const world = new World();
      const encoder = world.register('door', { encoding });
      const watchers = [1, 2, 3].map(() => world.watch('door', 'anna', encoding));
      const first = frameMessage('door', 1, 60, encoding);
      const large = frameMessage('door', 2, 80_000, encoding);
      world.router.framePath.accept(encoder.link, first, encoding);
      world.router.framePath.accept(encoder.link, large, encoding);
      for (const { socket } of watchers) {
        expect(socket.frames[0]?.raw).toBe(first);
        expect(socket.frames[1]?.raw).toBe(large);
      }
    },
  );

  test('a frame is written in the other encoding once, whoever watches and in whichever way', () => {
    const world = new World();
    const encoder = world.register('door');
    const waiting = [1, 2].map(() => world.watch('door', 'anna', 'json'));
    world.frame(encoder, 1, 80_000);
    const joinedLarge = [1, 2].map(() => world.watch('door', 'anna', 'json'));
    world.frame(encoder, 2);
    const joinedSmall = [1, 2].map(() => world.watch('door', 'anna', 'json'));
    const others = [...waiting, ...joinedLarge, ...joinedSmall].map(({ socket }) => socket);
    world.frame(encoder, 3);
    const newest = others.map((socket) => socket.frames.at(-1)?.raw);
    expect(others.map((socket) => socket.frameNumbers('door').at(-1))).toEqual(others.map(() => 3));
    for (const raw of newest) expect(raw).toBe(newest[0]);
  });

  test('many who join between two frames share one transcoding of the newest', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const toJson = vi.spyOn(FrameView.prototype, 'read');
    for (let joiner = 0; joiner < 10; joiner += 1) world.watch('door', 'anna', 'json');
    expect(toJson).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['msgpack', 'json'],
    ['json', 'msgpack'],
  ] as const)('a %s frame is not written in %s while nobody watches in it', (from, to) => {
    const world = new World();
    const encoder = world.register('door', { encoding: from });
    world.frame(encoder, 1, 60, from);
    world.watch('door', 'anna', from);
    world.watch('door', 'anna', to, ['alert']);
    const left = world.watch('door', 'anna', to);
    world.unsubscribe(left, 'door');
    const asked = vi.spyOn(FrameView.prototype, 'in');
    world.frame(encoder, 2, 60, from);
    world.frame(encoder, 3, 80_000, from);
    expect(asked.mock.calls.flat()).not.toContain(to);
    expect(asked.mock.calls.flat()).toContain(from);
  });

  test('a frame is not written in an encoding whose only viewer is too far behind to get it', () => {
    const world = new World({ limitBytes: 100 });
    const encoder = world.register('door');
    const slow = world.watch('door', 'anna', 'json');
    slow.socket.stall();
    for (const number of [1, 2, 3]) world.frame(encoder, number);
    world.library.endTurn();
    const asked = vi.spyOn(FrameView.prototype, 'in');
    world.frame(encoder, 4);
    expect(asked.mock.calls.flat()).not.toContain('json');
  });

  test('a stream that nobody watches is published to nobody', () => {
    const world = new World();
    const encoder = world.register('door');
    expect(world.frame(encoder, 1)).toBe(true);
    expect(world.library.publishes).toHaveLength(0);
    expect(world.router.counters).toMatchObject({ framesAccepted: 1, frames: { offered: 0, delivered: 0 } });
  });

  test('unknown fields of a frame reach viewers in both encodings', () => {
    const world = new World();
    const encoder = world.register('door', { encoding: 'json' });
    const watchers = (['json', 'msgpack'] as const).map((encoding) => world.watch('door', 'anna', encoding));
    const text = '{"type":"video-frame","streamId":"door","timestamp":1,"data":"/9j/AAAA","lens":{"zoom":2}}';
    world.send(encoder, Buffer.from(text), 'json');
    for (const { socket } of watchers) expect(socket.frames[0]?.message['lens']).toEqual({ zoom: 2 });
  });
});

describe('what is refused', () => {
  test('a frame before register is a ROUTING_ERROR', () => {
    const world = new World();
    const encoder = world.encoder();
    expect(() => world.send(encoder, frameMessage('door', 1, 60, 'json'), 'json')).toThrow(
      refusal('ROUTING_ERROR', /register first/),
    );
    expect(world.router.counters.framesRejected.notYours).toBe(1);
  });

  test("a frame for somebody else's stream is a ROUTING_ERROR and reaches nobody", () => {
    const world = new World();
    world.register('door');
    const watcher = world.watch('door');
    const other = world.register('garage', { userId: 'bert' });
    expect(() => world.send(other, frameMessage('door', 1, 60, 'msgpack'), 'msgpack')).toThrow(
      refusal('ROUTING_ERROR', /garage/),
    );
    expect(watcher.socket.frames).toHaveLength(0);
    expect(watcher.socket.controls('status')).toHaveLength(1);
    expect(world.router.counters).toMatchObject({ framesAccepted: 0, framesRejected: { notYours: 1, rate: 0 } });
  });

  test('other messages are left to whoever reads control messages', () => {
    const world = new World();
    const encoder = world.register('door');
    expect(world.send(encoder, Buffer.from('{"type":"register","clientType":"mobile"}'), 'json')).toBe(false);
  });

  test.each(['nonsense', '[]', '""', ''])('the text %j is an INVALID_MESSAGE', (text) => {
    const world = new World();
    const encoder = world.register('door');
    expect(() => world.send(encoder, Buffer.from(text), 'json')).toThrow(refusal('INVALID_MESSAGE'));
  });

  test('a malformed frame is an INVALID_MESSAGE that names the field, and changes nothing for viewers', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    const text = '{"type":"video-frame","streamId":"door","timestamp":"soon","data":"/9j/AAAA"}';
    expect(() => world.send(encoder, Buffer.from(text), 'json')).toThrow(refusal('INVALID_MESSAGE', /^timestamp:/));
    expect(watcher.socket.story).toEqual(['success', 'status online']);
    world.frame(encoder, 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
  });

  test('a picture that cannot be written for one viewer is published to none, and the newest frame stays', () => {
    const world = new World();
    const encoder = world.register('door', { encoding: 'json' });
    const json = world.watch('door', 'anna', 'json');
    world.watch('door', 'anna', 'msgpack');
    world.frame(encoder, 1, 60, 'json');
    expect(() => world.send(encoder, NOT_BASE64, 'json')).toThrow(refusal('INVALID_MESSAGE', /^data:/));
    expect(json.socket.frameNumbers('door')).toEqual([1]);
    expect(world.watch('door').socket.frames).toHaveLength(1);
    expect(world.router.counters).toMatchObject({ framesAccepted: 1, frames: { offered: 3 } });
    world.frame(encoder, 2, 60, 'json');
    expect(json.socket.frameNumbers('door').at(-1)).toBe(2);
  });

  test('a viewer joins even when the newest picture cannot be written in its encoding', () => {
    const world = new World();
    const encoder = world.register('door', { encoding: 'json' });
    world.send(encoder, NOT_BASE64, 'json');
    const watcher = world.watch('door', 'anna', 'msgpack');
    expect(watcher.socket.story).toEqual(['success', 'status streaming']);
    world.frame(encoder, 2, 60, 'json');
    expect(watcher.socket.frameNumbers('door')).toEqual([2]);
  });
});

describe('rate limit', () => {
  test('60 frames a second pass, the 61st within it does not', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    for (let number = 1; number <= 61; number += 1) world.frame(encoder, number);
    expect(watcher.socket.frameNumbers('door')).toHaveLength(60);
    expect(watcher.socket.frameNumbers('door').at(-1)).toBe(60);
    expect(world.router.counters).toMatchObject({ framesAccepted: 60, framesRejected: { notYours: 0, rate: 1 } });
    world.advance(17);
    world.frame(encoder, 62);
    expect(watcher.socket.frameNumbers('door').at(-1)).toBe(62);
  });

  test('a camera at exactly 60 fps loses nothing for a minute', () => {
    const world = new World();
    const encoder = world.register('door');
    for (let number = 1; number <= 3_600; number += 1) {
      world.frame(encoder, number);
      world.clock.advance(1000 / 60);
    }
    expect(world.router.counters.framesAccepted).toBe(3_600);
  });

  test('an encoder that is far too fast is told so at most once a second, and how many it lost', () => {
    const world = new World();
    const encoder = world.register('door');
    for (let ms = 0; ms < 3_000; ms += 5) {
      world.frame(encoder, ms);
      world.clock.advance(5);
    }
    const notices = encoder.socket.controls('error');
    expect(notices.map(({ code }) => code)).toEqual(notices.map(() => 'RATE_LIMITED'));
    const times = notices.map(({ timestamp }) => timestamp as number);
    expect(times.length).toBeGreaterThanOrEqual(2);
    for (const [index, time] of times.entries()) {
      if (index > 0) expect(time - (times[index - 1] as number)).toBeGreaterThanOrEqual(1_000);
    }
    const told = notices.reduce((sum, { message }) => sum + Number.parseInt(message as string, 10), 0);
    expect(told).toBeGreaterThan(1);
    expect(told).toBeLessThanOrEqual(world.router.counters.framesRejected.rate);
  });

  test('bytes count too: large frames are held to the byte rate', () => {
    const world = new World({ limits: { maxBytesPerSecond: 10_000, maxMessageBytes: 5_000 } });
    const encoder = world.register('door');
    for (let number = 1; number <= 5; number += 1) world.frame(encoder, number, 4_000);
    expect(world.router.counters.framesAccepted).toBe(2);
    world.clock.advance(400);
    world.frame(encoder, 6, 4_000);
    expect(world.router.counters.framesAccepted).toBe(3);
  });

  test('one frame of the largest size passes, even where a second may bring fewer bytes than that', () => {
    const world = new World({ limits: { maxBytesPerSecond: 1_000, maxMessageBytes: 5_000 } });
    const encoder = world.register('door');
    world.frame(encoder, 1, 5_000);
    expect(world.router.counters.framesAccepted).toBe(1);
  });

  test('a frame over the rate does not keep a stream streaming', () => {
    const world = new World({ limits: { maxFps: 1 } });
    const encoder = world.register('door');
    world.frame(encoder, 1);
    world.frame(encoder, 2);
    expect(world.router.streams.get('door')).toMatchObject({ seq: 1, lastFrameMs: 0 });
  });

  test('a newer connection of the stream does not get a fresh allowance', () => {
    const world = new World();
    const older = world.register('door');
    for (let number = 1; number <= 60; number += 1) world.frame(older, number);
    world.frame(world.register('door'), 61);
    expect(world.router.counters.framesAccepted).toBe(60);
  });
});

describe('analysis', () => {
  test.each(['msgpack', 'json'] as const)('gets the picture, time and number of the %s frames it wants', (encoding) => {
    const taken: { streamId: string; jpeg: string; timestamp: number; seq: number; nowMs: number }[] = [];
    const tap: FrameTap = {
      fps: 0,
      open: ({ id: streamId }) => ({
        wants: (nowMs) => nowMs >= 100,
        take: (jpeg, timestamp, seq, nowMs) =>
          void taken.push({ streamId, jpeg: Buffer.from(jpeg).toString('hex'), timestamp, seq, nowMs }),
        close: () => undefined,
      }),
    };
    const world = new World({ tap });
    const encoder = world.register('door', { encoding });
    world.frame(encoder, 7, 1, encoding);
    world.clock.advance(100);
    world.frame(encoder, 8, 1, encoding);
    const jpegBytes = encoding === 'json' ? 6 : 8;
    const jpeg = Buffer.from(jpegOf(jpegBytes, 8)).toString('hex');
    expect(taken).toEqual([{ streamId: 'door', jpeg, timestamp: 8, seq: 2, nowMs: 100 }]);
  });

  test('is not bothered with frames over the rate', () => {
    let asked = 0;
    const tap: FrameTap = {
      fps: 0,
      open: (stream) => ({
        ...noTap.open(stream, 0),
        wants: () => {
          asked += 1;
          return false;
        },
      }),
    };
    const world = new World({ tap, limits: { maxFps: 1 } });
    const encoder = world.register('door');
    world.frame(encoder, 1);
    world.frame(encoder, 2);
    expect(asked).toBe(1);
  });
});
