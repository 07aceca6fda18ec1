import { describe, expect, test } from 'vitest';
import { type FakeEncoder, World } from './fakes.ts';

const LARGE = 20 * 1024;

function frames(world: World, encoder: FakeEncoder, first: number, last: number, bytes = 100): void {
  for (let number = first; number <= last; number += 1) world.frame(encoder, number, bytes);
}

describe.each([
  { lane: 'topic', bytes: 100 },
  { lane: 'direct', bytes: LARGE },
])('a viewer that reads too slowly, $lane lane', ({ bytes }) => {
  /** A world where 3 frames and a bit wait before one is refused, and a viewer in its lane. */
  function slowWorld() {
    const world = new World({ limitBytes: 3 * bytes });
    const encoder = world.register('door');
    world.frame(encoder, 1, bytes);
    const slow = world.watch('door');
    const quick = world.watch('door');
    slow.socket.stall();
    return { world, encoder, slow, quick };
  }

  test('skips frames, gets the newest one when it has drained, then live ones', () => {
    const { world, encoder, slow } = slowWorld();
    frames(world, encoder, 2, 20, bytes);
    expect(slow.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 5]);
    world.library.endTurn();
    slow.socket.unstall();
    expect(slow.socket.frameNumbers('door').slice(5)).toEqual([20]);
    world.frame(encoder, 21, bytes);
    expect(slow.socket.frameNumbers('door').slice(5)).toEqual([20, 21]);
  });

  test('costs the others nothing', () => {
    const { world, encoder, quick } = slowWorld();
    frames(world, encoder, 2, 20, bytes);
    expect(quick.socket.frameNumbers('door')).toHaveLength(20);
  });

  test('gets nothing while part of its backlog still waits, so that it never lags further', () => {
    const { world, encoder, slow } = slowWorld();
    frames(world, encoder, 2, 6, bytes);
    world.library.endTurn();
    slow.socket.drain(3 * bytes);
    frames(world, encoder, 7, 9, bytes);
    expect(slow.socket.frameNumbers('door').at(-1)).toBe(5);
    slow.socket.drain(1_000 * bytes);
    expect(slow.socket.frameNumbers('door').slice(5)).toEqual([9]);
  });

  test('never holds more than the limit and one message', () => {
    const { world, encoder, slow } = slowWorld();
    for (let round = 0; round < 10; round += 1) {
      frames(world, encoder, 2 + 10 * round, 11 + 10 * round, bytes);
      world.library.endTurn();
      slow.socket.drain((round % 4) * bytes);
    }
    expect(slow.socket.mostBuffered).toBeLessThanOrEqual(4 * bytes);
  });

  test('drains before the turn of the event loop ends, and is live all the same', () => {
    const { world, encoder, slow } = slowWorld();
    frames(world, encoder, 2, 20, bytes);
    slow.socket.unstall();
    world.library.endTurn();
    world.frame(encoder, 21, bytes);
    expect(slow.socket.frameNumbers('door').slice(5)).toEqual([20, 21]);
  });

  test('falls behind again and again, and is live again each time', () => {
    const { world, encoder, slow } = slowWorld();
    for (let round = 1; round <= 5; round += 1) {
      slow.socket.stall();
      world.clock.advance(1_000);
      frames(world, encoder, round * 100, round * 100 + 20, bytes);
      if (round % 2 === 0) world.library.endTurn();
      slow.socket.unstall();
      world.library.endTurn();
      expect(slow.socket.frameNumbers('door').at(-1)).toBe(round * 100 + 20);
    }
    world.frame(encoder, 1_000, bytes);
    expect(slow.socket.frameNumbers('door').at(-1)).toBe(1_000);
  });

  test('every frame is delivered or dropped as slow, and what was delivered did arrive', () => {
    const { world, encoder, slow, quick } = slowWorld();
    frames(world, encoder, 2, 20, bytes);
    world.library.endTurn();
    slow.socket.unstall();
    frames(world, encoder, 21, 25, bytes);
    const { offered, delivered, dropped, inFlight } = world.router.counters.frames;
    expect(offered).toBe(delivered + dropped.slow + inFlight);
    expect(delivered).toBe(slow.socket.frames.length + quick.socket.frames.length);
  });

  test('the frame at which a viewer falls behind is counted once', () => {
    const { world, encoder } = slowWorld();
    const before = world.router.counters.frames.offered;
    frames(world, encoder, 2, 20, bytes);
    // 19 frames for two viewers.
    expect(world.router.counters.frames.offered - before).toBe(19 * 2);
    // The newest of them is held back until the viewer can take it.
    expect(world.router.counters.frames).toMatchObject({ dropped: { slow: 14 }, inFlight: 1 });
  });

  test('misses the whole end of its stream and waits for the next one of that id', () => {
    const { world, encoder, slow } = slowWorld();
    frames(world, encoder, 2, 20, bytes);
    world.library.endTurn();
    encoder.socket.disconnect();
    world.advance(15_000);
    slow.socket.unstall();
    expect(slow.socket.controls('status').at(-1)).toMatchObject({ status: 'offline' });
    const next = world.register('door');
    world.frame(next, 21, bytes);
    expect(slow.socket.frameNumbers('door').slice(5)).toEqual([21]);
  });
});

describe('a slow viewer of several streams', () => {
  const BYTES = 1_000;

  /** Two streams with a newest frame each, one of which fills the socket, and a viewer of both that reads nothing. */
  function twoStreams() {
    const world = new World({ limitBytes: BYTES / 2 });
    const door = world.register('door');
    const garage = world.register('garage');
    const watcher = world.watch('door');
    world.subscribe(watcher, 'garage');
    watcher.socket.stall();
    world.frame(door, 1, BYTES);
    world.frame(garage, 1, BYTES);
    world.library.endTurn();
    return { world, door, garage, watcher };
  }

  test('is behind on all of them, and live on all of them once it has drained', () => {
    const { world, door, garage, watcher } = twoStreams();
    world.frame(door, 2, BYTES);
    world.frame(garage, 2, BYTES);
    watcher.socket.unstall();
    world.frame(door, 3, BYTES);
    world.frame(garage, 3, BYTES);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
    expect(watcher.socket.frameNumbers('garage')).toEqual([2, 3]);
  });

  test('sees each of them in turn: none is starved by the ones subscribed to before', () => {
    const { world, door, garage, watcher } = twoStreams();
    for (let number = 2; number <= 10; number += 1) {
      world.frame(door, number, BYTES);
      world.frame(garage, number, BYTES);
      world.library.endTurn();
      watcher.socket.drain(Number.POSITIVE_INFINITY);
      world.library.endTurn();
    }
    expect(watcher.socket.frameNumbers('garage').length).toBeGreaterThanOrEqual(3);
    expect(watcher.socket.frameNumbers('door').length).toBeGreaterThanOrEqual(3);
  });

  test('is left in peace once it has each newest picture, when no new ones come', () => {
    const { world, watcher } = twoStreams();
    for (let round = 0; round < 10; round += 1) {
      watcher.socket.drain(Number.POSITIVE_INFINITY);
      world.library.endTurn();
    }
    expect(watcher.socket.frameNumbers('garage')).toEqual([1]);
    // Live once, and once more with what it missed: nobody knows which of several streams a drop was about.
    expect(watcher.socket.frameNumbers('door').length).toBeLessThanOrEqual(2);
    expect(watcher.socket.bufferedBytes()).toBe(0);
  });
});
