import { describe, expect, test } from 'vitest';
import { chooseLane } from '../../src/router/lane.ts';
import { type FakeViewer, World } from './fakes.ts';

const LARGE = 20 * 1024;

function isInTopic(world: World, { socket }: FakeViewer): boolean {
  return world.library.isMember(socket);
}

test('20 KiB is where a topic starts to cost more than one send per viewer', () => {
  expect([1, LARGE - 1, LARGE, 16 * LARGE].map(chooseLane)).toEqual(['topic', 'topic', 'direct', 'direct']);
});

describe('a viewer that joins', () => {
  test('a stream of small frames shares a topic with the others of its encoding', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1, LARGE - 1);
    const watchers = [world.watch('door'), world.watch('door'), world.watch('door', 'anna', 'json')];
    world.frame(encoder, 2);
    expect(world.library.publishes.map(({ encoding }) => encoding)).toEqual(['msgpack', 'json']);
    for (const watcher of watchers) expect(isInTopic(world, watcher)).toBe(true);
    expect(watchers.map(({ socket }) => socket.frameNumbers('door'))).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  test('a stream of large frames is sent to directly and never joins a topic, also when frames get small', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1, LARGE);
    const watcher = world.watch('door');
    for (const [index, bytes] of [LARGE, 100, 100, LARGE, 100].entries()) world.frame(encoder, index + 2, bytes);
    expect(watcher.socket.topicsEverJoined.size).toBe(0);
    expect(world.library.publishes).toHaveLength(0);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('a stream that has no frame yet joins its topic after a small first frame', () => {
    const world = new World();
    const encoder = world.register('door');
    const watchers = [world.watch('door'), world.watch('door', 'anna', 'json')];
    for (const watcher of watchers) expect(isInTopic(world, watcher)).toBe(false);
    world.frame(encoder, 1);
    for (const watcher of watchers) expect(isInTopic(world, watcher)).toBe(true);
    world.frame(encoder, 2);
    for (const { socket } of watchers) expect(socket.frameNumbers('door')).toEqual([1, 2]);
  });

  test('a stream that has no frame yet never joins a topic when its first frame is large', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    world.frame(encoder, 1, LARGE);
    world.frame(encoder, 2, 100);
    world.frame(encoder, 3, LARGE);
    expect(watcher.socket.topicsEverJoined.size).toBe(0);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
  });

  test('in the topic lane still gets a frame that turns out large', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const watcher = world.watch('door');
    world.frame(encoder, 2, 2 * LARGE);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
  });
});

test('viewers of both lanes get the same frames', () => {
  const world = new World();
  const encoder = world.register('door');
  world.frame(encoder, 1, LARGE);
  const direct = world.watch('door');
  world.frame(encoder, 2);
  const inTopic = world.watch('door');
  for (const number of [3, 4, 5]) world.frame(encoder, number, number === 4 ? LARGE : 100);
  expect([isInTopic(world, direct), isInTopic(world, inTopic)]).toEqual([false, true]);
  expect(direct.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 5]);
  expect(inTopic.socket.frameNumbers('door')).toEqual([2, 3, 4, 5]);
});

test('a stream of the same id that begins anew reaches nobody through the topics of the old one', () => {
  const world = new World();
  const first = world.register('door');
  world.frame(first, 1);
  const watcher = world.watch('door');
  world.frame(first, 2);
  first.socket.disconnect();
  world.advance(15_000);
  expect(world.library.topics.size).toBe(0);
  const second = world.register('door');
  world.frame(second, 3);
  world.frame(second, 4);
  expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3, 4]);
  expect(watcher.socket.topicsEverJoined.size).toBe(2);
});
