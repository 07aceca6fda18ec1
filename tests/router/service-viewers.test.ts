import { describe, expect, test } from 'vitest';
import type { SubscribeMessage } from '../../proto/messages.ts';
import { Peer } from '../../src/router/peer.ts';
import { connectionStats } from '../../src/router/snapshot.ts';
import { Viewer } from '../../src/router/viewer.ts';
import { FakeSocket, type FakeViewer, World } from './fakes.ts';

/** An ML service that came as a client. */
function service(world: World): FakeViewer {
  const socket: FakeSocket = new FakeSocket(world.library, {
    dropped: (refused) => world.router.viewers.dropped(viewer, refused),
    drained: () => viewer.catchUp(),
    closed: () => world.router.viewers.gone(viewer),
  });
  const viewer = new Viewer(new Peer({ userId: 'ml-service', sessionId: undefined }, socket, 'msgpack'), true);
  return { viewer, socket };
}

function subscribe({ viewer }: FakeViewer, world: World, fields: Partial<SubscribeMessage>): void {
  world.router.viewers.subscribe(viewer, { type: 'subscribe', clientType: 'ml-service', ...fields });
}

describe('an ML service that watches as a client', () => {
  test('with * is there for the streams of all users, when they begin, end and begin again', () => {
    const world = new World({ graceMs: 0 });
    const door = world.register('door');
    const ml = service(world);
    subscribe(ml, world, { streamId: '*' });
    const gate = world.register('gate', { userId: 'ben' });
    world.frame(door, 1);
    world.frame(gate, 2);
    gate.socket.disconnect();
    world.advance(250);
    world.frame(world.register('gate', { userId: 'carl' }), 3);
    expect(ml.socket.storyByStream.filter((line) => !line.startsWith('door'))).toEqual([
      '* success',
      'gate status online',
      'gate status streaming',
      'gate frame 2',
      'gate status offline',
      'gate status online',
      'gate status streaming',
      'gate frame 3',
    ]);
    expect(ml.socket.frameNumbers('door')).toEqual([1]);
  });

  test('is sent no alerts, though it ask for them, nor any that it missed', () => {
    const world = new World();
    world.register('door');
    world.alert('door', 'before');
    const ml = service(world);
    subscribe(ml, world, { streamId: '*', consumes: ['video-frame', 'alert'], since: '00000000' });
    world.alert('door', 'after');
    expect(ml.socket.controls('alert')).toEqual([]);
    expect(ml.socket.controls('success')[0]).not.toHaveProperty('alerts');
    expect(connectionStats(world.router, 0)).toMatchObject({ totalVideoConsumers: 1, totalAlertConsumers: 0 });
  });

  test('goes back to * for a stream that it leaves by itself, whoever owns it', () => {
    const world = new World();
    const gate = world.register('gate', { userId: 'ben' });
    const ml = service(world);
    subscribe(ml, world, { streamId: '*' });
    subscribe(ml, world, { streamId: 'gate', consumes: [] });
    world.frame(gate, 1);
    expect(ml.socket.frameNumbers('gate')).toEqual([]);
    world.unsubscribe(ml, 'gate');
    world.frame(gate, 2);
    // The newest one when it came back, and the next.
    expect(ml.socket.frameNumbers('gate')).toEqual([1, 2]);
  });

  test('that is gone leaves nothing behind', () => {
    const world = new World();
    const door = world.register('door');
    const ml = service(world);
    subscribe(ml, world, { streamId: '*' });
    const stream = world.router.streams.get('door');
    expect(stream?.audience.hasService).toBe(true);
    ml.socket.disconnect();
    expect(stream?.audience.hasService).toBe(false);
    world.register('gate', { userId: 'ben' });
    world.frame(door, 1);
    expect([...world.library.topics.keys()]).toEqual([]);
    expect(ml.viewer.viewings.size).toBe(0);
    expect(world.router.counters.frames.offered).toBe(0);
  });

  test('counts as one of a stream’s viewers, and waits its turn like them', () => {
    const world = new World({ maxViewersPerStream: 1 });
    world.register('door');
    world.watch('door');
    const ml = service(world);
    subscribe(ml, world, { streamId: '*' });
    expect(ml.socket.story).toEqual(['success', 'error TOO_MANY_CONNECTIONS']);
  });

  test('changes nothing for users: theirs is still only what they own', () => {
    const world = new World();
    const ml = service(world);
    subscribe(ml, world, { streamId: '*' });
    const ben = world.watch('*', 'ben');
    const door = world.register('door');
    world.frame(door, 1);
    expect(ben.socket.frames).toEqual([]);
    expect(ml.socket.frameNumbers('door')).toEqual([1]);
  });
});
