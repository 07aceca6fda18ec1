import { describe, expect, test } from 'vitest';
import type { Wish } from '../../src/router/viewing.ts';
import { refusal, World, type WorldOptions } from './fakes.ts';

const WISH: Wish = { wantsFrames: true, wantsAlerts: false, maxFps: undefined, window: 1, endsWithStream: true };

/** A live stream, and a viewer of its pictures alone. */
function watching(wish: Partial<Wish> = {}, options: WorldOptions = {}) {
  const world = new World(options);
  const encoder = world.register('door');
  const watcher = world.viewer();
  world.router.viewers.watch(watcher.viewer, 'door', { ...WISH, ...wish });
  return { world, encoder, watcher };
}

describe('a viewer that says nothing and is told nothing', () => {
  test('gets the newest frame, and each next one when it has taken the one before', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const watcher = world.viewer();
    world.router.viewers.watch(watcher.viewer, 'door', WISH);
    expect(watcher.socket.story).toEqual(['frame 1']);
    for (const number of [2, 3, 4]) world.frame(encoder, number);
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 4]);
    const { offered, delivered, dropped, inFlight } = world.router.counters.frames;
    expect([offered, delivered, dropped.slow, inFlight]).toEqual([4, 1, 2, 1]);
  });

  test('may ask for any number of frames a second, of which the camera is asked for the next whole one', () => {
    const { world, encoder, watcher } = watching({ maxFps: 2.5 });
    for (let number = 1; number <= 100; number += 1) {
      world.frame(encoder, number);
      const { length } = watcher.socket.frameNumbers('door');
      if (length > 0) world.ack(watcher, 'door', length);
      world.advance(50);
    }
    const shown = watcher.socket.frameNumbers('door').length;
    expect(shown).toBeGreaterThanOrEqual(12);
    expect(shown).toBeLessThanOrEqual(14);
    expect(world.router.streams.get('door')?.audience.wantedFps).toBe(3);
  });

  test('is closed with its stream, and counts no more', () => {
    const { world, encoder, watcher } = watching();
    world.frame(encoder, 1);
    world.router.streams.delete('door', 'anna');
    expect(watcher.socket.closedWith).toEqual({ code: 1000, reason: 'The stream has ended' });
    const { offered, delivered, dropped, inFlight } = world.router.counters.frames;
    expect([offered, delivered, dropped.closed, inFlight]).toEqual([1, 0, 1, 0]);
    world.register('door');
    expect(world.router.streams.get('door')?.audience.viewings.size).toBe(0);
  });

  test('stays while its camera is away for less than the grace', () => {
    const { world, encoder, watcher } = watching();
    encoder.socket.disconnect();
    world.advance(14_000);
    world.frame(world.register('door'), 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
    expect(watcher.socket.closedWith).toBeUndefined();
  });

  test('is refused what is not live, not theirs, or full', () => {
    const { world } = watching({}, { maxViewersPerStream: 1 });
    const { viewers } = world.router;
    expect(() => viewers.watch(world.viewer().viewer, 'gate', WISH)).toThrow(refusal('ROUTING_ERROR', /not live/));
    expect(() => viewers.watch(world.viewer('bob').viewer, 'door', WISH)).toThrow(refusal('UNAUTHORIZED'));
    expect(() => viewers.watch(world.viewer().viewer, 'door', WISH)).toThrow(refusal('TOO_MANY_CONNECTIONS'));
  });
});

describe('repeating the newest frame', () => {
  test('sends it once more, and counts it once more', () => {
    const { world, encoder, watcher } = watching();
    world.router.viewers.repeat(watcher.viewer);
    world.frame(encoder, 7);
    world.ack(watcher, 'door', 1);
    world.router.viewers.repeat(watcher.viewer);
    world.ack(watcher, 'door', 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([7, 7]);
    const { offered, delivered, inFlight } = world.router.counters.frames;
    expect([offered, delivered, inFlight]).toEqual([2, 2, 0]);
  });

  test('waits, as a new one would, while the last one is on its way; a new one takes its place', () => {
    const { world, encoder, watcher } = watching();
    world.frame(encoder, 7);
    world.router.viewers.repeat(watcher.viewer);
    world.router.viewers.repeat(watcher.viewer);
    expect(watcher.socket.frameNumbers('door')).toEqual([7]);
    world.frame(encoder, 8);
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([7, 8]);
    const { offered, delivered, dropped, inFlight } = world.router.counters.frames;
    expect([offered, delivered, dropped.slow, inFlight]).toEqual([3, 1, 1, 1]);
  });

  test('is nothing to a viewer without a window, who might get it twice', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    world.frame(encoder, 7);
    world.router.viewers.repeat(watcher.viewer);
    expect(watcher.socket.frameNumbers('door')).toEqual([7]);
  });
});
