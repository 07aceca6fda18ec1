import { describe, expect, test } from 'vitest';
import { ALL_STREAMS } from '../../proto/limits.ts';
import { type FakeEncoder, type FakeViewer, type Message, refusal, World } from './fakes.ts';

/** A stream ends: its encoder goes, and its grace passes. */
function end(world: World, encoder: FakeEncoder): void {
  encoder.socket.disconnect();
  world.advance(15_000);
}

function errorsOf({ socket }: FakeViewer): Message[] {
  return socket.controls('error').map(({ code, streamId }) => ({ code, streamId }));
}

describe('a viewer of all streams', () => {
  test('gets one success, then the status of each stream, then their newest frames, then live ones', () => {
    const world = new World();
    const door = world.register('door');
    world.register('garage');
    world.frame(door, 1);
    const watcher = world.watch(ALL_STREAMS);
    world.frame(door, 2);
    expect(watcher.socket.storyByStream).toEqual([
      '* success',
      'door status streaming',
      'garage status online',
      'door frame 1',
      'door frame 2',
    ]);
    expect(watcher.socket.controls('success')[0]).toMatchObject({ message: 'Subscription successful' });
  });

  test('sees streams that begin later, and hears their alerts', () => {
    const world = new World();
    const watcher = world.watch(ALL_STREAMS);
    const door = world.register('door');
    world.frame(door, 1);
    world.alert('door', 'fall');
    expect(watcher.socket.storyByStream).toEqual([
      '* success',
      'door status online',
      'door status streaming',
      'door frame 1',
      'door alert fall',
    ]);
  });

  test('is told offline when one ends, and sees it anew when it begins again', () => {
    const world = new World();
    const first = world.register('door');
    const watcher = world.watch(ALL_STREAMS);
    end(world, first);
    expect(watcher.viewer.viewings.size).toBe(0);
    world.frame(world.register('door'), 1);
    expect(watcher.socket.storyByStream.slice(1)).toEqual([
      'door status online',
      'door status offline',
      'door status online',
      'door status streaming',
      'door frame 1',
    ]);
  });

  test('notices nothing of a phone that comes back in time', () => {
    const world = new World();
    world.register('door').socket.disconnect();
    const watcher = world.watch(ALL_STREAMS);
    world.advance(10_000);
    world.frame(world.register('door'), 1);
    expect(watcher.socket.storyByStream).toEqual([
      '* success',
      'door status online',
      'door status streaming',
      'door frame 1',
    ]);
  });

  test.each(['owner', 'authenticated'] as const)('sees none of other users, with access for the %s', (access) => {
    const world = new World({ access });
    const before = world.register('bert-1', { userId: 'bert' });
    const watcher = world.watch(ALL_STREAMS);
    const after = world.register('bert-2', { userId: 'bert' });
    for (const encoder of [before, after]) world.frame(encoder, 1);
    for (const streamId of ['bert-1', 'bert-2']) world.alert(streamId);
    expect(watcher.socket.storyByStream).toEqual(['* success']);
  });

  test('has what it asked for hold for each of them', () => {
    const world = new World();
    const door = world.register('door');
    const watcher = world.watchWith(ALL_STREAMS, { consumes: ['video-frame'], window: 1 });
    const garage = world.register('garage');
    for (const encoder of [door, garage]) for (const number of [1, 2]) world.frame(encoder, number);
    world.alert('door');
    world.ack(watcher, 'garage', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
    expect(watcher.socket.frameNumbers('garage')).toEqual([1, 2]);
    expect(watcher.socket.controls('alert')).toEqual([]);
  });

  test('counts the frames of its window from 0 again for a stream that begins anew', () => {
    const world = new World();
    const first = world.register('door');
    const watcher = world.watchWith(ALL_STREAMS, { window: 1 });
    world.frame(first, 1);
    end(world, first);
    const second = world.register('door');
    for (const number of [2, 3]) world.frame(second, number);
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
  });

  test('that subscribes to all again has the new wishes, and gets each newest frame again', () => {
    const world = new World();
    const door = world.register('door');
    world.frame(door, 1);
    const watcher = world.watchWith(ALL_STREAMS, { consumes: ['alert'] });
    world.subscribe(watcher, ALL_STREAMS, ['video-frame']);
    world.frame(door, 2);
    world.alert('door');
    world.frame(world.register('garage'), 11);
    expect(watcher.socket.storyByStream.slice(2)).toEqual([
      '* success',
      'door status streaming',
      'door frame 1',
      'door frame 2',
      'garage status online',
      'garage status streaming',
      'garage frame 11',
    ]);
  });

  test('that hangs up costs nothing any more', () => {
    const world = new World();
    const door = world.register('door');
    const watcher = world.watch(ALL_STREAMS);
    watcher.socket.disconnect();
    world.frame(door, 1);
    world.frame(world.register('garage'), 1);
    expect(world.router.counters.frames.offered).toBe(0);
    for (const stream of world.router.streams.all) expect(stream.audience.viewings.size).toBe(0);
  });
});

describe('unsubscribing from all streams', () => {
  test('ends them, keeps own subscriptions, and later streams do not come', () => {
    const world = new World();
    const door = world.register('door');
    const garage = world.register('garage');
    const watcher = world.watch('door');
    world.subscribe(watcher, ALL_STREAMS);
    world.unsubscribe(watcher, ALL_STREAMS);
    const heard = watcher.socket.received.length;
    for (const encoder of [door, garage, world.register('yard')]) world.frame(encoder, 1);
    expect(watcher.socket.storyByStream.slice(heard)).toEqual(['door status streaming', 'door frame 1']);
    expect(watcher.socket.controls('success').at(-1)).toMatchObject({ streamId: '*', message: 'Unsubscribed' });
  });

  test('from a viewer that did not subscribe to all is a ROUTING_ERROR, and its subscriptions stay', () => {
    const world = new World();
    const door = world.register('door');
    const watcher = world.watch('door');
    expect(() => world.unsubscribe(watcher, ALL_STREAMS)).toThrow(refusal('ROUTING_ERROR'));
    world.frame(door, 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
  });

  test('twice is a ROUTING_ERROR, also where streams were there', () => {
    const world = new World();
    world.register('door');
    const watcher = world.watch(ALL_STREAMS);
    world.unsubscribe(watcher, ALL_STREAMS);
    expect(() => world.unsubscribe(watcher, ALL_STREAMS)).toThrow(refusal('ROUTING_ERROR'));
  });
});

describe('an own subscription of a viewer of all streams', () => {
  test.each(['before', 'after'])('%s the one to all wins for its stream', (when) => {
    const world = new World();
    const door = world.register('door');
    const garage = world.register('garage');
    const watcher = world.viewer();
    if (when === 'after') world.subscribe(watcher, ALL_STREAMS);
    world.subscribe(watcher, 'door', ['alert']);
    if (when === 'before') world.subscribe(watcher, ALL_STREAMS);
    for (const encoder of [door, garage]) world.frame(encoder, 1);
    world.alert('door', '1');
    expect(watcher.socket.frameNumbers('door')).toEqual([]);
    expect(watcher.socket.frameNumbers('garage')).toEqual([1]);
    expect(watcher.socket.controls('alert')).toHaveLength(1);
  });

  test('for a stream that begins later wins too, and the stream is announced once', () => {
    const world = new World();
    const watcher = world.watch(ALL_STREAMS);
    world.subscribe(watcher, 'door', ['video-frame']);
    world.frame(world.register('door'), 1);
    world.alert('door');
    expect(watcher.socket.storyByStream.slice(1)).toEqual([
      'door success',
      'door status offline',
      'door status online',
      'door status streaming',
      'door frame 1',
    ]);
  });

  test('gives its stream back to the one to all when it is unsubscribed: status, newest frame, live ones', () => {
    const world = new World();
    const door = world.register('door');
    world.frame(door, 1);
    const watcher = world.watch(ALL_STREAMS);
    world.subscribe(watcher, 'door', ['alert']);
    const heard = watcher.socket.received.length;
    world.unsubscribe(watcher, 'door');
    world.frame(door, 2);
    expect(watcher.socket.storyByStream.slice(heard)).toEqual([
      'door success',
      'door status streaming',
      'door frame 1',
      'door frame 2',
    ]);
  });

  test('waits for its stream when that ends, as it would without the one to all', () => {
    const world = new World();
    const first = world.register('door');
    const watcher = world.watch(ALL_STREAMS);
    world.subscribe(watcher, 'door', ['alert']);
    end(world, first);
    expect(watcher.viewer.viewings.has('door')).toBe(true);
    world.frame(world.register('door'), 1);
    expect(watcher.socket.frames).toHaveLength(0);
  });

  test('that is refused, being another user’s stream, leaves the one to all as it was', () => {
    const world = new World();
    world.register('street', { userId: 'bert' });
    const door = world.register('door');
    const watcher = world.watch(ALL_STREAMS);
    expect(() => world.subscribe(watcher, 'street')).toThrow(refusal('UNAUTHORIZED'));
    world.frame(door, 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
  });
});

describe('more than 1,000 streams', () => {
  const MANY = Array.from({ length: 1_000 }, (_, index) => `s${index}`);

  test('the one beyond is refused by its name, also when it begins later, and the others are watched', () => {
    const world = new World();
    const encoders = MANY.map((streamId) => world.register(streamId));
    world.register('beyond');
    const watcher = world.watch(ALL_STREAMS);
    expect(errorsOf(watcher)).toEqual([{ code: 'ROUTING_ERROR', streamId: 'beyond' }]);
    world.frame(world.register('later'), 1);
    expect(errorsOf(watcher).slice(1)).toEqual([{ code: 'ROUTING_ERROR', streamId: 'later' }]);
    for (const encoder of encoders) world.frame(encoder, 1);
    expect(new Set(watcher.socket.frames.map(({ message }) => message['streamId']))).toEqual(new Set(MANY));
  });

  test('a stream that ends makes room for one that begins', () => {
    const world = new World();
    const [first] = MANY.map((streamId) => world.register(streamId));
    const watcher = world.watch(ALL_STREAMS);
    end(world, first as FakeEncoder);
    world.frame(world.register('later'), 1);
    expect(errorsOf(watcher)).toEqual([]);
    expect(watcher.socket.frameNumbers('later')).toEqual([1]);
  });
});
