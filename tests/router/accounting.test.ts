import { describe, expect, test } from 'vitest';
import type { FrameTally } from '../../src/router/frame-tally.ts';
import { trafficStats } from '../../src/router/snapshot.ts';
import { type FakeEncoder, type FakeViewer, World } from './fakes.ts';

const NOTHING = { offered: 0, delivered: 0, dropped: { slow: 0, fps: 0, closed: 0 }, inFlight: 0 };

function frames(world: World, encoder: FakeEncoder, first: number, last: number, bytes = 100): void {
  for (let number = first; number <= last; number += 1) world.frame(encoder, number, bytes);
}

/** What became of the frames that a viewer was offered of a stream. */
function tallyOf({ viewer }: FakeViewer, streamId: string): FrameTally {
  const viewing = viewer.viewings.get(streamId);
  if (viewing === undefined) throw new Error(`not watching ${streamId}`);
  viewing.audience?.count(viewing);
  return viewing.tally;
}

/** What `/stats` says of all of them. */
function sumOf(world: World) {
  const { offered, delivered, dropped, inFlight } = trafficStats(world.router).frames;
  return { offered, delivered, dropped, inFlight };
}

describe('what /stats says of frames', () => {
  test('nothing, while nobody watches or viewers want alerts alone', () => {
    const world = new World();
    const encoder = world.register('door');
    world.watchWith('door', { consumes: ['alert'] });
    frames(world, encoder, 1, 5);
    expect(sumOf(world)).toEqual(NOTHING);
    expect(trafficStats(world.router).frames).toMatchObject({ received: 5, rejected: { notYours: 0, rate: 0 } });
  });

  test('one offered and delivered per frame and viewer, and one for the newest on joining', () => {
    const world = new World();
    const encoder = world.register('door');
    world.frame(encoder, 1);
    const watchers = [world.watch('door'), world.watchWith('door', { encoding: 'json' })];
    frames(world, encoder, 2, 4);
    expect(sumOf(world)).toEqual({ ...NOTHING, offered: 8, delivered: 8 });
    for (const watcher of watchers) expect(tallyOf(watcher, 'door')).toMatchObject({ offered: 4, delivered: 4 });
  });

  test('what a viewer with a window has not acknowledged is in flight, with the one held back; the others are slow', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watchWith('door', { window: 2 });
    frames(world, encoder, 1, 5);
    expect(sumOf(world)).toEqual({ ...NOTHING, offered: 5, inFlight: 3, dropped: { slow: 2, fps: 0, closed: 0 } });
    world.ack(watcher, 'door', 2);
    expect(sumOf(world)).toMatchObject({ delivered: 2, inFlight: 1 });
    world.ack(watcher, 'door', 3);
    expect(sumOf(world)).toEqual({ ...NOTHING, offered: 5, delivered: 3, dropped: { slow: 2, fps: 0, closed: 0 } });
  });

  test('what maxFps leaves out is fps, and not slow', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watchWith('door', { maxFps: 1 });
    frames(world, encoder, 1, 5);
    // 5 waits for its turn.
    expect(sumOf(world)).toEqual({
      ...NOTHING,
      offered: 5,
      delivered: 1,
      dropped: { slow: 0, fps: 3, closed: 0 },
      inFlight: 1,
    });
    world.advance(1_000);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 5]);
    expect(sumOf(world)).toMatchObject({ delivered: 2, inFlight: 0 });
  });

  test('what a viewer with maxFps is too slow for is slow', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watchWith('door', { maxFps: 30, window: 1 });
    for (let number = 1; number <= 5; number += 1) {
      world.frame(encoder, number);
      world.advance(100);
    }
    expect(tallyOf(watcher, 'door')).toMatchObject({ offered: 5, dropped: { slow: 3, fps: 0 }, inFlight: 2 });
  });
});

test('what was held back counts by what held it back last', () => {
  const world = new World();
  const encoder = world.register('door');
  const watcher = world.watchWith('door', { maxFps: 1, window: 1 });
  frames(world, encoder, 1, 2);
  // Not the window any more, but its turn.
  world.ack(watcher, 'door', 1);
  world.frame(encoder, 3);
  expect(tallyOf(watcher, 'door')).toMatchObject({ dropped: { slow: 0, fps: 1 }, inFlight: 1 });
});

describe('what is in flight counts as closed', () => {
  /** Two frames on their way in a window, and one held back. */
  function inFlight() {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watchWith('door', { window: 2 });
    frames(world, encoder, 1, 3);
    expect(sumOf(world)).toMatchObject({ offered: 3, inFlight: 3 });
    return { world, encoder, watcher };
  }

  test('when the viewer unsubscribes', () => {
    const { world, watcher } = inFlight();
    world.unsubscribe(watcher, 'door');
    expect(sumOf(world)).toEqual({ ...NOTHING, offered: 3, dropped: { slow: 0, fps: 0, closed: 3 } });
  });

  test('when the viewer hangs up', () => {
    const { world, watcher } = inFlight();
    watcher.socket.disconnect();
    expect(sumOf(world)).toEqual({ ...NOTHING, offered: 3, dropped: { slow: 0, fps: 0, closed: 3 } });
  });

  test('when the connection is gone, whose account is that of all its streams', () => {
    const { world, watcher } = inFlight();
    world.frame(world.register('garage'), 1);
    world.subscribe(watcher, 'garage');
    expect(world.router.viewers.gone(watcher.viewer)).toMatchObject({
      offered: 4,
      delivered: 1,
      dropped: { slow: 0, fps: 0, closed: 3 },
      inFlight: 0,
    });
  });

  test('when the viewer subscribes again; the newest frame is offered anew', () => {
    const { world, watcher } = inFlight();
    world.subscribe(watcher, 'door');
    expect(sumOf(world)).toEqual({ ...NOTHING, offered: 4, delivered: 1, dropped: { slow: 0, fps: 0, closed: 3 } });
  });

  test('when the stream ends: the one held back, while those on their way may still be acknowledged', () => {
    const { world, encoder, watcher } = inFlight();
    encoder.socket.disconnect();
    world.advance(15_000);
    expect(sumOf(world)).toMatchObject({ dropped: { closed: 1 }, inFlight: 2 });
    world.ack(watcher, 'door', 2);
    expect(sumOf(world)).toEqual({ ...NOTHING, offered: 3, delivered: 2, dropped: { slow: 0, fps: 0, closed: 1 } });
  });

  test('when the stream ends for a viewer of all streams: all of it', () => {
    const world = new World();
    const encoder = world.register('door');
    world.watchWith('*', { window: 2 });
    frames(world, encoder, 1, 3);
    encoder.socket.disconnect();
    world.advance(15_000);
    expect(sumOf(world)).toEqual({ ...NOTHING, offered: 3, dropped: { slow: 0, fps: 0, closed: 3 } });
  });
});

describe('small frames that the socket library gathers, and loses together', () => {
  const BYTES = 1_000;

  /** A slow viewer for which 3 frames and a bit may wait, and a quick one. Both have had frame 1. */
  function gathering() {
    const world = new World({ limitBytes: 3 * BYTES, gathers: true });
    const encoder = world.register('door');
    world.frame(encoder, 1, BYTES);
    const slow = world.watch('door');
    const quick = world.watch('door');
    slow.socket.stall();
    return { world, encoder, slow, quick };
  }

  test('are all counted as lost, though the library names only the first', () => {
    const { world, encoder, slow, quick } = gathering();
    frames(world, encoder, 2, 11, BYTES);
    // Until the turn ends nobody knows better.
    expect(tallyOf(slow, 'door')).toMatchObject({ delivered: 11 });
    world.library.endTurn();
    expect(slow.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 5]);
    // 6 to 10 are lost, 11 is held back.
    expect(tallyOf(slow, 'door')).toMatchObject({ offered: 11, delivered: 5, dropped: { slow: 5 }, inFlight: 1 });
    expect(tallyOf(quick, 'door')).toMatchObject({ offered: 11, delivered: 11, dropped: { slow: 0 }, inFlight: 0 });
    expect(sumOf(world)).toEqual({
      offered: 22,
      delivered: 16,
      dropped: { slow: 5, fps: 0, closed: 0 },
      inFlight: 1,
    });
  });

  test('are made up for by the newest, which arrives once', () => {
    const { world, encoder, slow } = gathering();
    frames(world, encoder, 2, 11, BYTES);
    world.library.endTurn();
    slow.socket.unstall();
    frames(world, encoder, 12, 13, BYTES);
    world.library.endTurn();
    expect(slow.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 5, 11, 12, 13]);
    expect(tallyOf(slow, 'door')).toMatchObject({ offered: 13, delivered: 8, dropped: { slow: 5 }, inFlight: 0 });
  });

  test('are counted when a control message makes the library hand them over before the turn ends', () => {
    const { world, encoder, slow } = gathering();
    frames(world, encoder, 2, 8, BYTES);
    world.alert('door');
    frames(world, encoder, 9, 10, BYTES);
    world.library.endTurn();
    slow.socket.unstall();
    expect(slow.socket.story.slice(2)).toEqual([
      ...[1, 2, 3, 4, 5].map((number) => `frame ${number}`),
      'alert fall',
      'frame 10',
    ]);
    expect(tallyOf(slow, 'door')).toMatchObject({ offered: 10, delivered: 6, dropped: { slow: 4 }, inFlight: 0 });
  });

  test('are counted again each time a viewer falls behind', () => {
    const { world, encoder, slow, quick } = gathering();
    for (let round = 1; round <= 5; round += 1) {
      slow.socket.stall();
      world.clock.advance(1_000);
      frames(world, encoder, round * 100, round * 100 + 9, BYTES);
      world.library.endTurn();
      slow.socket.unstall();
    }
    for (const watcher of [slow, quick]) {
      expect(tallyOf(watcher, 'door').delivered).toBe(watcher.socket.frames.length);
      expect(tallyOf(watcher, 'door')).toMatchObject({ offered: 51, inFlight: 0 });
    }
    expect(tallyOf(slow, 'door').dropped.slow).toBe(51 - slow.socket.frames.length);
    expect(sumOf(world).delivered).toBe(slow.socket.frames.length + quick.socket.frames.length);
  });

  test('of two streams on one socket are counted for each of them', () => {
    const world = new World({ limitBytes: 3 * BYTES, gathers: true });
    const door = world.register('door');
    const garage = world.register('garage');
    for (const encoder of [door, garage]) world.frame(encoder, 1, BYTES);
    const slow = world.watchWith(['door', 'garage'], {});
    slow.socket.stall();
    for (let number = 2; number <= 6; number += 1) {
      world.frame(door, number, BYTES);
      if (number % 2 === 0) world.frame(garage, number, BYTES);
    }
    world.library.endTurn();
    // Handed over in the order in which they came: door 2, garage 2, door 3, door 4; the rest was lost.
    expect(slow.socket.frameNumbers('door')).toEqual([1, 2, 3, 4]);
    expect(slow.socket.frameNumbers('garage')).toEqual([1, 2]);
    expect(tallyOf(slow, 'door')).toMatchObject({ offered: 6, delivered: 4, dropped: { slow: 1 }, inFlight: 1 });
    expect(tallyOf(slow, 'garage')).toMatchObject({ offered: 4, delivered: 2, dropped: { slow: 1 }, inFlight: 1 });
    slow.socket.unstall();
    expect(slow.socket.frameNumbers('door')).toEqual([1, 2, 3, 4, 6]);
    expect(slow.socket.frameNumbers('garage')).toEqual([1, 2, 6]);
    expect(sumOf(world)).toEqual({ offered: 10, delivered: 8, dropped: { slow: 2, fps: 0, closed: 0 }, inFlight: 0 });
  });

  test('of a stream that lost nothing are none, when another one on the socket did', () => {
    const world = new World({ limitBytes: 3 * BYTES, gathers: true });
    const door = world.register('door');
    const garage = world.register('garage');
    for (const encoder of [door, garage]) world.frame(encoder, 1, BYTES);
    const slow = world.watchWith(['door', 'garage'], {});
    slow.socket.stall();
    frames(world, garage, 2, 3, BYTES);
    frames(world, door, 2, 5, BYTES);
    world.library.endTurn();
    expect(tallyOf(slow, 'garage')).toMatchObject({ offered: 3, delivered: 3, inFlight: 0 });
    expect(tallyOf(slow, 'door')).toMatchObject({ offered: 5, delivered: 3, dropped: { slow: 1 }, inFlight: 1 });
    slow.socket.unstall();
    expect(slow.socket.frameNumbers('garage')).toEqual([1, 2, 3]);
  });

  test('of before a viewer came are none of its', () => {
    const { world, encoder } = gathering();
    frames(world, encoder, 2, 4, BYTES);
    const late = world.watch('door');
    late.socket.stall();
    frames(world, encoder, 5, 12, BYTES);
    world.library.endTurn();
    expect(late.socket.frameNumbers('door')).toEqual([4, 5, 6, 7, 8]);
    expect(tallyOf(late, 'door')).toMatchObject({ offered: 9, delivered: 5, dropped: { slow: 3 }, inFlight: 1 });
  });

  test('lost before the viewer hangs up are not left in flight', () => {
    const { world, encoder, slow, quick } = gathering();
    frames(world, encoder, 2, 11, BYTES);
    world.library.endTurn();
    slow.socket.disconnect();
    expect(sumOf(world)).toEqual({
      offered: 22,
      delivered: 16,
      dropped: { slow: 5, fps: 0, closed: 1 },
      inFlight: 0,
    });
    expect(quick.socket.frames).toHaveLength(11);
  });
});

test('a small frame that was gathered when an alert met a full socket is not lost: the newest still comes', () => {
  const world = new World({ limitBytes: 300, gathers: true });
  const encoder = world.register('door');
  world.frame(encoder, 1, 100);
  const slow = world.watch('door');
  slow.socket.stall();
  for (let number = 2; number <= 5; number += 1) {
    world.frame(encoder, number, 100);
    world.library.endTurn();
  }
  // In one turn: a frame, gathered; an alert, refused at once, since the socket is over its limit.
  world.frame(encoder, 6, 100);
  world.alert('door', 'x');
  world.library.endTurn();
  world.library.endTurn();
  slow.socket.unstall();
  expect(slow.socket.story.slice(-2)).toEqual(['alert x', 'frame 6']);
  expect(world.router.counters.frames.delivered).toBe(slow.socket.frames.length);
});

test('a frame of a topic does not overtake an alert that waits, when the socket drains a little', () => {
  const world = new World({ limitBytes: 300 });
  const encoder = world.register('door');
  world.frame(encoder, 1, 100);
  const slow = world.watch('door');
  world.watch('door');
  slow.socket.stall();
  for (let number = 2; number <= 6; number += 1) world.frame(encoder, number, 100);
  world.alert('door', 'x');
  slow.socket.drain(200);
  world.frame(encoder, 7, 100);
  world.library.endTurn();
  slow.socket.unstall();
  expect(slow.socket.story.slice(7)).toEqual(['alert x', 'frame 7']);
});
