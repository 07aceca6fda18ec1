import { describe, expect, test } from 'vitest';
import { pictureOf, refusal, World } from './fakes.ts';

describe('subscribing', () => {
  test('a new viewer gets success, the status, the newest frame, then live frames, in that order', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1);
    world.frame(encoder, 2);
    const watcher = world.watch('door');
    world.frame(encoder, 3);
    world.frame(encoder, 4);
    expect(watcher.socket.story).toEqual(['success', 'status streaming', 'frame 2', 'frame 3', 'frame 4']);
  });

  test('clients in the field find the text they match on', () => {
    const world = new World();
    world.register('door');
    expect(world.watch('door').socket.controls('success')).toMatchObject([
      { type: 'success', message: 'Subscription successful', streamId: 'door', timestamp: world.clock.epochMs() },
    ]);
  });

  test('a viewer gets every frame exactly once, the first ever included', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    for (let number = 1; number <= 5; number += 1) world.frame(encoder, number);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 5]);
  });

  test.each([
    ['msgpack', 'json'],
    ['json', 'msgpack'],
  ] as const)('a %s stream is watched in %s: newest frame and live ones, the picture bit for bit', (from, to) => {
    const world = new World();
    const encoder = world.register('door', { encoding: from });
    world.frame(encoder, 1, 300, from);
    const same = world.watch('door', 'anna', from);
    const other = world.watch('door', 'anna', to);
    const alsoOther = world.watch('door', 'anna', to);
    world.frame(encoder, 2, 300, from);
    for (const watcher of [same, other, alsoOther]) expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    expect(other.socket.frames.map(({ encoding }) => encoding)).toEqual([to, to]);
    const pictures = ({ socket }: typeof same) => socket.frames.map(({ message }) => pictureOf(message));
    expect(pictures(other)).toEqual(pictures(same));
  });

  test('another user is refused with UNAUTHORIZED and gets nothing', () => {
    const world = new World();
    const encoder = world.register('door');
    const stranger = world.viewer('bert');
    expect(() => world.subscribe(stranger, 'door')).toThrow(refusal('UNAUTHORIZED'));
    world.frame(encoder, 1);
    world.alert('door');
    expect(stranger.socket.received).toHaveLength(0);
  });

  test('with open access every signed-in user may watch', () => {
    const world = new World({ access: 'authenticated' });
    const encoder = world.register('door');
    const guest = world.watch('door', 'bert');
    world.frame(encoder, 1);
    expect(guest.socket.frameNumbers('door')).toEqual([1]);
  });

  test('one connection watches several streams', () => {
    const world = new World();
    const door = world.register('door');
    const garage = world.register('garage');
    const watcher = world.watch('door');
    world.subscribe(watcher, 'garage');
    world.frame(door, 1);
    world.frame(garage, 10);
    world.frame(door, 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    expect(watcher.socket.frameNumbers('garage')).toEqual([10]);
  });

  test('the 1,001st stream of one connection is refused, subscribing again to one of the thousand is not', () => {
    const world = new World();
    const watcher = world.viewer();
    for (let stream = 0; stream < 1_000; stream += 1) world.subscribe(watcher, `s${stream}`);
    expect(() => world.subscribe(watcher, 'one-more')).toThrow(refusal('ROUTING_ERROR'));
    world.subscribe(watcher, 's7');
    world.unsubscribe(watcher, 's8');
    world.subscribe(watcher, 'one-more');
    expect(watcher.viewer.viewings.size).toBe(1_000);
  });
});

describe('what a viewer consumes', () => {
  test('alerts only: no frames, newest or live', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const watcher = world.watch('door', 'anna', 'msgpack', ['alert']);
    world.frame(encoder, 2);
    world.alert('door', '1');
    expect(watcher.socket.story).toEqual(['success', 'status streaming', 'alert 1']);
    expect(world.router.counters.frames.offered).toBe(0);
  });

  test('frames only: no alerts', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door', 'anna', 'msgpack', ['video-frame']);
    world.frame(encoder, 1);
    world.alert('door', '1');
    expect(watcher.socket.story).toEqual(['success', 'status online', 'status streaming', 'frame 1']);
  });

  test('alerts only, from a slow reader: what waited arrives, and still no frames', () => {
    const world = new World({ limitBytes: 100 });
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const watcher = world.watch('door', 'anna', 'msgpack', ['alert']);
    watcher.socket.stall();
    for (const number of [1, 2, 3, 4]) world.alert('door', String(number));
    watcher.socket.unstall();
    world.frame(encoder, 2);
    expect(watcher.socket.controls('alert').map(({ message }) => message)).toEqual(['1', '2', '3', '4']);
    expect(watcher.socket.frames).toHaveLength(0);
  });
});

describe('subscribing before the stream exists', () => {
  test('the viewer is told offline, then online and frames when the stream appears', () => {
    const world = new World();
    const watcher = world.watch('door');
    expect(watcher.socket.story).toEqual(['success', 'status offline']);
    const encoder = world.register('door');
    world.frame(encoder, 1);
    expect(watcher.socket.story.slice(2)).toEqual(['status online', 'status streaming', 'frame 1']);
  });

  test("a viewer who waited for somebody else's stream gets UNAUTHORIZED when it appears, and nothing of it", () => {
    const world = new World();
    const stranger = world.watch('door', 'bert');
    const encoder = world.register('door');
    world.frame(encoder, 1);
    world.alert('door');
    expect(stranger.socket.story).toEqual(['success', 'status offline', 'error UNAUTHORIZED']);
    expect(stranger.socket.closedWith).toBeUndefined();
    expect(() => world.unsubscribe(stranger, 'door')).toThrow(refusal('ROUTING_ERROR'));
    encoder.socket.disconnect();
    world.advance(15_000);
    world.register('door');
    expect(stranger.socket.received).toHaveLength(3);
  });

  test('a viewer that gave up waiting is not bound', () => {
    const world = new World();
    const watcher = world.watch('door');
    world.unsubscribe(watcher, 'door');
    const gone = world.watch('door');
    gone.socket.disconnect();
    const encoder = world.register('door');
    world.frame(encoder, 1);
    expect(watcher.socket.story).toEqual(['success', 'status offline', 'success']);
    expect(world.router.counters.frames.offered).toBe(0);
  });

  test('a viewer that subscribed twice while waiting gets every frame once', () => {
    const world = new World();
    const watcher = world.watch('door');
    world.subscribe(watcher, 'door');
    const encoder = world.register('door');
    world.frame(encoder, 1);
    world.frame(encoder, 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
  });

  test('viewers of a stream that ended see the next one of that id without subscribing again', () => {
    const world = new World();
    const first = world.register('door');
    const watcher = world.watch('door');
    world.frame(first, 1);
    first.socket.disconnect();
    world.advance(15_000);
    const second = world.register('door');
    world.frame(second, 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    expect(watcher.socket.controls('status').map(({ status }) => status)).toEqual([
      'online',
      'streaming',
      'online',
      'offline',
      'online',
      'streaming',
    ]);
  });

  test('viewers of a stream that ended lose it when its id comes back as somebody else’s', () => {
    const world = new World();
    world.register('door').socket.disconnect();
    const watcher = world.watch('door');
    world.advance(15_000);
    const foreign = world.register('door', { userId: 'bert' });
    world.frame(foreign, 1);
    expect(watcher.socket.story.at(-1)).toBe('error UNAUTHORIZED');
    expect(watcher.socket.frames).toHaveLength(0);
  });
});

describe('unsubscribing', () => {
  test('frames and alerts stop, those of other streams go on', () => {
    const world = new World();
    const door = world.register('door');
    const garage = world.register('garage');
    const watcher = world.watch('door');
    world.subscribe(watcher, 'garage');
    world.unsubscribe(watcher, 'door');
    world.frame(door, 1);
    world.alert('door');
    world.frame(garage, 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([]);
    expect(watcher.socket.controls('alert')).toEqual([]);
    expect(watcher.socket.frameNumbers('garage')).toEqual([2]);
  });

  test('from a stream that was never subscribed is a ROUTING_ERROR', () => {
    const world = new World();
    world.register('door');
    expect(() => world.unsubscribe(world.viewer(), 'door')).toThrow(refusal('ROUTING_ERROR'));
  });

  test('a slow viewer that unsubscribes and comes back gets the newest frame once it has drained', () => {
    const world = new World({ limitBytes: 100 });
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const watcher = world.watch('door');
    watcher.socket.stall();
    for (const number of [2, 3, 4, 5]) world.frame(encoder, number);
    world.unsubscribe(watcher, 'door');
    world.subscribe(watcher, 'door');
    world.library.endTurn();
    world.frame(encoder, 6);
    watcher.socket.unstall();
    world.frame(encoder, 7);
    expect(watcher.socket.frameNumbers('door').slice(-2)).toEqual([6, 7]);
    expect(watcher.socket.controls('success')).toHaveLength(3);
  });
});

describe('subscribing again', () => {
  test('replaces what was asked for before', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    world.frame(encoder, 1);
    world.subscribe(watcher, 'door', ['alert']);
    world.frame(encoder, 2);
    world.subscribe(watcher, 'door', ['video-frame']);
    world.frame(encoder, 3);
    world.alert('door');
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
    expect(watcher.socket.controls('alert')).toEqual([]);
  });

  test('that is refused leaves the earlier subscription as it was', () => {
    const world = new World();
    const watcher = world.viewer();
    for (let stream = 0; stream < 1_000; stream += 1) world.subscribe(watcher, `s${stream}`);
    expect(() => world.subscribe(watcher, 'one-more')).toThrow();
    const encoder = world.register('s0');
    world.frame(encoder, 1);
    expect(watcher.socket.frameNumbers('s0')).toEqual([1]);
  });
});

describe('leaving', () => {
  test('a viewer that hangs up costs nothing any more', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const watcher = world.watch('door');
    world.subscribe(watcher, 'later');
    const { offered } = world.router.counters.frames;
    watcher.socket.disconnect();
    world.frame(encoder, 2);
    world.alert('door');
    world.register('later');
    expect(world.router.counters.frames.offered).toBe(offered);
    expect(world.router.counters.alertsDelivered).toBe(0);
    expect(world.library.publishes).toHaveLength(0);
    expect(world.router.streams.get('door')?.audience.viewings.size).toBe(0);
    expect(world.router.streams.get('later')?.audience.viewings.size).toBe(0);
  });

  test('a slow viewer that hangs up costs nothing any more', () => {
    const world = new World({ limitBytes: 100 });
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const watcher = world.watch('door');
    watcher.socket.stall();
    for (const number of [2, 3, 4, 5]) world.frame(encoder, number);
    watcher.socket.disconnect();
    world.library.endTurn();
    const { offered } = world.router.counters.frames;
    world.frame(encoder, 6);
    expect(world.router.counters.frames.offered).toBe(offered);
  });
});
