import { describe, expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { noTap } from '../../src/router/no-tap.ts';
import type { FrameTap } from '../../src/router/ports.ts';
import { frameMessage, refusal, World } from './fakes.ts';

/** The statuses that a viewer of the stream was told, in order. */
function statusesOf(watcher: { socket: { controls(type: string): Record<string, unknown>[] } }): unknown[] {
  return watcher.socket.controls('status').map(({ status }) => status);
}

describe('registering', () => {
  test('an encoder gets the stream id it asks for', () => {
    const world = new World();
    const encoder = world.encoder();
    expect(world.registerOn(encoder, 'front-door')).toBe('front-door');
    expect(world.router.streams.get('front-door')?.ownerId).toBe('anna');
  });

  test('an encoder that asks for no id gets one of its own', () => {
    const world = new World();
    const ids = [world.registerOn(world.encoder(), undefined), world.registerOn(world.encoder(), undefined)];
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^stream_\w+$/);
  });

  test('an encoder may register its stream again, with or without the id, and go on sending', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    world.frame(encoder, 1);
    expect(world.registerOn(encoder, 'door')).toBe('door');
    expect(world.registerOn(encoder, undefined)).toBe('door');
    world.frame(encoder, 2);
    expect(watcher.socket.story).toEqual(['success', 'status online', 'status streaming', 'frame 1', 'frame 2']);
    expect(encoder.socket.closedWith).toBeUndefined();
  });

  test('a second stream on one connection is refused, and the first one goes on', () => {
    const world = new World();
    const encoder = world.register('door');
    expect(() => world.registerOn(encoder, 'garage')).toThrow(refusal('INVALID_MESSAGE'));
    expect(world.router.streams.get('garage')).toBeUndefined();
    const watcher = world.watch('door');
    world.frame(encoder, 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
  });

  test('what an encoder registers with the second time counts, not what it said first', () => {
    const world = new World();
    const encoder = world.register('door', { consumes: ['alert'] });
    world.alert('door', '1');
    world.registerOn(encoder, 'door');
    world.alert('door', '2');
    expect(encoder.socket.story).toEqual(['alert 1']);
  });
});

describe('taking over', () => {
  test('a newer connection of the same user gets the stream, the older is closed with 4409', () => {
    const world = new World();
    const older = world.register('door');
    const newer = world.register('door');
    expect(older.socket.closedWith).toEqual({ code: CloseCode.takenOver, reason: expect.any(String) });
    expect(newer.socket.closedWith).toBeUndefined();
    expect(world.router.streams.get('door')?.encoder).toBe(newer.link);
    expect([...world.router.streams.all]).toHaveLength(1);
  });

  test('viewers notice nothing of a takeover', () => {
    const world = new World();
    const older = world.register('door');
    const watcher = world.watch('door');
    world.frame(older, 1);
    const newer = world.register('door');
    world.frame(newer, 2);
    world.advance(20_000);
    world.frame(newer, 3);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
    expect(statusesOf(watcher)).toEqual(['online', 'streaming', 'online', 'streaming']);
  });

  test('frames of the connection that lost the stream reach nobody', () => {
    const world = new World();
    const older = world.register('door');
    const watcher = world.watch('door');
    const newer = world.register('door');
    expect(() => world.send(older, frameMessage('door', 1, 60, 'msgpack'), 'msgpack')).toThrow(
      refusal('ROUTING_ERROR'),
    );
    expect(watcher.socket.frames).toHaveLength(0);
    world.frame(newer, 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([2]);
  });

  test('another user gets UNAUTHORIZED and the stream stays with its owner', () => {
    const world = new World();
    const owner = world.register('door');
    expect(() => world.register('door', { userId: 'bert' })).toThrow(refusal('UNAUTHORIZED'));
    expect(owner.socket.closedWith).toBeUndefined();
    expect(world.router.streams.get('door')?.encoder).toBe(owner.link);
  });

  test('another user gets UNAUTHORIZED while the owner is away, and may have the id once the stream has ended', () => {
    const world = new World();
    world.register('door').socket.disconnect();
    world.advance(14_999);
    expect(() => world.register('door', { userId: 'bert' })).toThrow(refusal('UNAUTHORIZED'));
    world.advance(1);
    world.register('door', { userId: 'bert' });
    expect(world.router.streams.get('door')?.ownerId).toBe('bert');
  });
});

describe('status', () => {
  test('a stream is online, streaming from its first frame, online after 5 s of quiet, offline after its grace', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    world.frame(encoder, 1);
    world.advance(4_999);
    expect(statusesOf(watcher)).toEqual(['online', 'streaming']);
    world.advance(1);
    expect(statusesOf(watcher)).toEqual(['online', 'streaming', 'online']);
    encoder.socket.disconnect();
    world.advance(14_999);
    expect(statusesOf(watcher)).toEqual(['online', 'streaming', 'online']);
    world.advance(1);
    expect(statusesOf(watcher)).toEqual(['online', 'streaming', 'online', 'offline']);
    expect(world.router.streams.get('door')).toBeUndefined();
  });

  test('a steady stream changes its status once, and an encoder that only stays connected never goes offline', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    for (let number = 1; number <= 10; number += 1) {
      world.frame(encoder, number);
      world.advance(1_000);
    }
    expect(statusesOf(watcher)).toEqual(['online', 'streaming']);
    world.advance(3_600_000);
    expect(statusesOf(watcher)).toEqual(['online', 'streaming', 'online']);
  });

  test('viewers are told that a stream streams before they get its frame', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    world.frame(encoder, 1);
    world.advance(5_000);
    world.frame(encoder, 2);
    expect(watcher.socket.story).toEqual([
      'success',
      'status online',
      'status streaming',
      'frame 1',
      'status online',
      'status streaming',
      'frame 2',
    ]);
  });

  test('a phone that comes back within the grace resumes with no offline in between', () => {
    const world = new World();
    const phone = world.register('door');
    const watcher = world.watch('door');
    world.frame(phone, 1);
    phone.socket.disconnect();
    world.advance(14_999);
    const back = world.register('door');
    world.frame(back, 2);
    world.advance(60_000);
    expect(statusesOf(watcher)).toEqual(['online', 'streaming', 'online', 'streaming', 'online']);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
  });

  test('a viewer that joins while the phone is away gets the last frame', () => {
    const world = new World();
    const phone = world.register('door');
    world.frame(phone, 1);
    phone.socket.disconnect();
    world.advance(10_000);
    expect(world.watch('door').socket.story).toEqual(['success', 'status online', 'frame 1']);
  });

  test('each disconnect starts a new grace', () => {
    const world = new World();
    world.register('door').socket.disconnect();
    world.advance(10_000);
    world.register('door').socket.disconnect();
    world.advance(10_000);
    expect(world.router.streams.get('door')).toBeDefined();
    world.advance(5_000);
    expect(world.router.streams.get('door')).toBeUndefined();
  });

  test('the end of one stream is not told to the viewers of another', () => {
    const world = new World();
    world.register('garage');
    const watcher = world.watch('garage');
    world.register('door').socket.disconnect();
    world.advance(15_000);
    expect(statusesOf(watcher)).toEqual(['online']);
  });

  test('a stream that ended is forgotten by the analysis', () => {
    const closed: string[] = [];
    const tap: FrameTap = {
      fps: 0,
      open: (stream) => ({ ...noTap.open(stream, 0), close: () => void closed.push(stream.id) }),
    };
    const world = new World({ tap });
    world.register('door').socket.disconnect();
    world.advance(15_000);
    expect(closed).toEqual(['door']);
  });
});
