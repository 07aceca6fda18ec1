import { afterEach, describe, expect, test, vi } from 'vitest';
import { FrameView } from '../../proto/frame.ts';
import { type FakeEncoder, frameMessage, refusal, World } from './fakes.ts';

function frames(world: World, encoder: FakeEncoder, first: number, last: number): void {
  for (let number = first; number <= last; number += 1) world.frame(encoder, number);
}

/** A live stream and a viewer of it with a window, which has had no frame yet. */
function windowed(window: number, options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World(options);
  const encoder = world.register('door');
  const watcher = world.watchWith('door', { window });
  return { world, encoder, watcher };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a viewer with a window', () => {
  test('gets as many frames as its window, then none until it acknowledges, then the newest at once', () => {
    const { world, encoder, watcher } = windowed(2);
    frames(world, encoder, 1, 5);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 5]);
  });

  test('gets the next frame as it comes when it acknowledged the last one in time', () => {
    const { world, encoder, watcher } = windowed(1);
    for (const number of [1, 2, 3]) {
      world.frame(encoder, number);
      world.ack(watcher, 'door', number);
    }
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
  });

  test('may acknowledge several frames with one ack, and has room for as many', () => {
    const { world, encoder, watcher } = windowed(3);
    frames(world, encoder, 1, 4);
    world.ack(watcher, 'door', 3);
    frames(world, encoder, 5, 9);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('has the newest frame on joining counted as its first', () => {
    const world = new World();
    const encoder = world.register('door');
    frames(world, encoder, 1, 3);
    const watcher = world.watchWith('door', { window: 1 });
    world.frame(encoder, 4);
    expect(watcher.socket.frameNumbers('door')).toEqual([3]);
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([3, 4]);
  });

  test('gets a frame once: an ack when there is nothing newer sends nothing', () => {
    const { world, encoder, watcher } = windowed(2);
    frames(world, encoder, 1, 2);
    world.ack(watcher, 'door', 1);
    world.ack(watcher, 'door', 2);
    world.advance(1_000);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
  });

  test.each([1, 2, 5, 64])('of %i never has more frames than that on their way', (window) => {
    const { world, encoder, watcher } = windowed(window, { limits: { maxFps: 1_000 } });
    let acknowledged = 0;
    for (let number = 1; number <= 500; number += 1) {
      world.frame(encoder, number);
      const arrived = watcher.socket.frames.length;
      expect(arrived - acknowledged).toBeLessThanOrEqual(window);
      // Now and then, and never all of them.
      if (number % 7 === 0) acknowledged += Math.floor((arrived - acknowledged) / 2);
      if (number % 50 === 0) acknowledged = arrived;
      world.ack(watcher, 'door', acknowledged);
      expect(watcher.socket.frames.length - acknowledged).toBeLessThanOrEqual(window);
    }
    expect(acknowledged).toBeGreaterThan(2 * window);
  });

  test('that stops acknowledging still gets alerts and status', () => {
    const { world, encoder, watcher } = windowed(1);
    frames(world, encoder, 1, 3);
    world.alert('door', '1');
    world.advance(5_000);
    expect(watcher.socket.story.slice(2)).toEqual(['status streaming', 'frame 1', 'alert 1', 'status online']);
  });

  test('has one for each of its streams: a full one stops only that stream', () => {
    const { world, encoder: door, watcher } = windowed(1);
    const garage = world.register('garage');
    world.subscribe(watcher, 'garage', undefined, { window: 2 });
    frames(world, door, 1, 3);
    frames(world, garage, 11, 13);
    world.ack(watcher, 'garage', 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
    expect(watcher.socket.frameNumbers('garage')).toEqual([11, 12, 13]);
  });

  test('is never in a topic, where nobody could hold a frame back, however small frames are', () => {
    const { world, encoder, watcher } = windowed(2);
    frames(world, encoder, 1, 3);
    const late = world.watchWith('door', { window: 2 });
    world.frame(encoder, 4);
    for (const { socket } of [watcher, late]) expect(socket.topicsEverJoined.size).toBe(0);
    expect(world.library.publishes).toHaveLength(0);
  });
});

describe.each([
  { lane: 'topic', bytes: 100 },
  { lane: 'direct', bytes: 80_000 },
])('beside plain viewers in the $lane lane', ({ bytes }) => {
  test.each(['msgpack', 'json'] as const)('a viewer with a window gets the very same bytes, as %s', (encoding) => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1, bytes);
    const plain = world.watchWith('door', { encoding });
    const window = world.watchWith('door', { encoding, window: 5 });
    const message = frameMessage('door', 2, bytes, 'msgpack');
    world.router.framePath.accept(encoder.link, message, 'msgpack');
    expect(plain.socket.frameNumbers('door')).toEqual([1, 2]);
    expect(window.socket.frameNumbers('door')).toEqual([1, 2]);
    expect(window.socket.frames[1]?.raw).toBe(plain.socket.frames[1]?.raw);
    if (encoding === 'msgpack') expect(window.socket.frames[1]?.raw).toBe(message);
  });

  test('a full window costs them nothing', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1, bytes);
    const plain = world.watch('door');
    world.watchWith('door', { window: 1 });
    for (const number of [2, 3, 4]) world.frame(encoder, number, bytes);
    expect(plain.socket.frameNumbers('door')).toEqual([1, 2, 3, 4]);
  });
});

describe('a JSON viewer of a MessagePack stream', () => {
  test('with a full window costs no transcoding, and gets the newest transcoded when it has room', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watchWith('door', { encoding: 'json', window: 1 });
    world.frame(encoder, 1);
    const written = vi.spyOn(FrameView.prototype, 'in');
    frames(world, encoder, 2, 10);
    expect(written.mock.calls.flat()).not.toContain('json');
    world.ack(watcher, 'door', 1);
    expect(written.mock.calls.flat().filter((encoding) => encoding === 'json')).toHaveLength(1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 10]);
  });
});

describe('an ack', () => {
  test('of more frames than were sent is a ROUTING_ERROR, and lets nothing out', () => {
    const { world, encoder, watcher } = windowed(1);
    frames(world, encoder, 1, 2);
    expect(() => world.ack(watcher, 'door', 2)).toThrow(refusal('ROUTING_ERROR', /^received:.*1/));
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
  });

  test('of a plain subscription is a ROUTING_ERROR', () => {
    const world = new World();
    world.frame(world.register('door'), 1);
    const watcher = world.watch('door');
    expect(() => world.ack(watcher, 'door', 1)).toThrow(refusal('ROUTING_ERROR', /^streamId:.*door/));
  });

  test('for a stream that is not watched is a ROUTING_ERROR', () => {
    const { world, watcher } = windowed(1);
    world.register('garage');
    expect(() => world.ack(watcher, 'garage', 0)).toThrow(refusal('ROUTING_ERROR', /garage/));
    world.unsubscribe(watcher, 'door');
    expect(() => world.ack(watcher, 'door', 0)).toThrow(refusal('ROUTING_ERROR', /door/));
  });

  test('that repeats the last one, or says less, is ignored', () => {
    const { world, encoder, watcher } = windowed(2);
    frames(world, encoder, 1, 2);
    world.ack(watcher, 'door', 2);
    world.frame(encoder, 3);
    for (const received of [2, 1, 0]) world.ack(watcher, 'door', received);
    frames(world, encoder, 4, 5);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3, 4]);
    world.ack(watcher, 'door', 4);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 5]);
  });

  test('before the first frame of a stream that is not there yet is no mistake', () => {
    const world = new World();
    const watcher = world.watchWith('door', { window: 1 });
    world.ack(watcher, 'door', 0);
    world.frame(world.register('door'), 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
  });
});

describe('the count of frames', () => {
  test('begins at 0 when the viewer subscribes again', () => {
    const { world, encoder, watcher } = windowed(1);
    world.frame(encoder, 1);
    world.subscribe(watcher, 'door', undefined, { window: 2 });
    expect(() => world.ack(watcher, 'door', 2)).toThrow(refusal('ROUTING_ERROR'));
    frames(world, encoder, 2, 3);
    world.ack(watcher, 'door', 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 1, 2, 3]);
  });

  test('goes on when the stream ends and begins anew', () => {
    const { world, encoder, watcher } = windowed(1);
    world.frame(encoder, 1);
    encoder.socket.disconnect();
    world.advance(15_000);
    const next = world.register('door');
    world.frame(next, 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    world.frame(next, 3);
    world.ack(watcher, 'door', 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
  });
});

describe('a viewer with a window whose socket is behind, too', () => {
  /** The window of 2 is full, 4 is the newest frame, and an alert that waits has put the socket behind. */
  function behind() {
    const { world, encoder, watcher } = windowed(2, { limitBytes: 10 });
    world.frame(encoder, 1);
    watcher.socket.stall();
    frames(world, encoder, 2, 4);
    world.alert('door', '1');
    world.library.endTurn();
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    return { world, encoder, watcher };
  }

  test('gets the newest frame when it has drained, if it acknowledged before that', () => {
    const { world, watcher } = behind();
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    // A little has drained, so that the socket would take a frame again.
    watcher.socket.drain(watcher.socket.bufferedBytes() - 1);
    world.ack(watcher, 'door', 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    watcher.socket.unstall();
    expect(watcher.socket.story.slice(-2)).toEqual(['alert 1', 'frame 4']);
  });

  test('gets the newest frame when it acknowledges, if it has drained before that', () => {
    const { world, watcher } = behind();
    watcher.socket.unstall();
    expect(watcher.socket.story.at(-1)).toBe('alert 1');
    world.ack(watcher, 'door', 2);
    expect(watcher.socket.story.slice(-2)).toEqual(['alert 1', 'frame 4']);
  });

  test('need not acknowledge a frame that its socket refused', () => {
    const { world, encoder, watcher } = windowed(5, { limitBytes: 10 });
    world.frame(encoder, 1);
    watcher.socket.stall();
    frames(world, encoder, 2, 6);
    world.library.endTurn();
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    expect(() => world.ack(watcher, 'door', 3)).toThrow(refusal('ROUTING_ERROR'));
    watcher.socket.unstall();
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 6]);
    frames(world, encoder, 7, 9);
    // On their way: 1, 2, 6, 7 and 8.
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 6, 7, 8]);
  });
});
