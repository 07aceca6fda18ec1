import { describe, expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { type FakeViewer, World } from './fakes.ts';

/** A viewer of a live stream whose socket refuses everything, with nothing in its outbox yet. */
function refusing(encoding: 'json' | 'msgpack' = 'msgpack') {
  const world = new World({ limitBytes: 10 });
  const encoder = world.register('door');
  const watcher = world.watch('door', 'anna', encoding);
  watcher.socket.stall();
  world.frame(encoder, 1);
  world.library.endTurn();
  watcher.socket.received.splice(0);
  return { world, encoder, watcher };
}

/** Messages that wait for this viewer, found out by letting them go. */
function textsOf({ socket }: FakeViewer): unknown[] {
  return socket.controls('success').map(({ message }) => message);
}

describe.each(['msgpack', 'json'] as const)('control messages for a slow %s reader', (encoding) => {
  test('wait in order and go out before the next frame', () => {
    const { world, encoder, watcher } = refusing(encoding);
    world.tell(watcher, 'a');
    world.frame(encoder, 2);
    world.alert('door', '1');
    world.frame(encoder, 3);
    world.alert('door', '2');
    expect(watcher.socket.received).toHaveLength(0);
    watcher.socket.unstall();
    world.frame(encoder, 4);
    expect(watcher.socket.story).toEqual(['success', 'alert 1', 'alert 2', 'frame 3', 'frame 4']);
  });

  test('never overtake each other, however little drains at a time', () => {
    const { world, watcher } = refusing(encoding);
    const texts = Array.from({ length: 40 }, (_, index) => `m${index}`);
    for (const [index, text] of texts.entries()) {
      world.tell(watcher, text);
      // All of it, or all but a byte, so that the socket takes one message again while others wait in the outbox.
      watcher.socket.drain(index % 3 === 0 ? 200 : watcher.socket.bufferedBytes() - 1);
    }
    for (let round = 0; round < 200; round += 1) watcher.socket.drain(50);
    expect(textsOf(watcher)).toEqual(texts);
  });
});

test('frames wait until the last control message has gone', () => {
  const { world, encoder, watcher } = refusing();
  for (const text of ['a', 'b', 'c']) world.tell(watcher, text);
  for (const expected of [1, 2, 3]) {
    watcher.socket.drain(Number.POSITIVE_INFINITY);
    world.frame(encoder, 10 + expected);
    expect([watcher.socket.controls('success').length, watcher.socket.frames.length]).toEqual([expected, 0]);
  }
  watcher.socket.drain(Number.POSITIVE_INFINITY);
  expect(watcher.socket.frameNumbers('door')).toEqual([13]);
});

test('a viewer that subscribes while messages wait for it gets its success before the frame', () => {
  const { world, watcher } = refusing();
  const garage = world.register('garage');
  world.frame(garage, 7);
  world.tell(watcher, 'a');
  // A little drains, so that the socket takes one message again: the outbox goes first.
  watcher.socket.drain(watcher.socket.bufferedBytes() - 1);
  watcher.socket.received.splice(0);
  world.tell(watcher, 'b');
  world.subscribe(watcher, 'garage');
  world.frame(garage, 8);
  watcher.socket.unstall();
  expect(watcher.socket.story).toEqual(['success', 'success', 'success', 'status streaming', 'frame 1', 'frame 8']);
});

test('256 messages wait, the 257th closes the viewer with 4508 so that it comes back and asks again', () => {
  const { world, watcher } = refusing();
  for (let count = 0; count < 256; count += 1) world.tell(watcher, String(count));
  expect(watcher.socket.closedWith).toBeUndefined();
  world.tell(watcher, '256');
  watcher.socket.unstall();
  expect(watcher.socket.closedWith).toEqual({ code: CloseCode.outboxFull, reason: expect.any(String) });
});

test('a few huge alerts for a reader that stalls close it too: what waits ends at 4 MiB, and counts down as it goes out', () => {
  const { world, watcher } = refusing();
  const megabyte = 'x'.repeat(1_000_000);
  const tell = (times: number) => {
    for (let count = 0; count < times; count += 1) world.tell(watcher, megabyte);
  };
  tell(4);
  for (let round = 0; round < 5; round += 1) watcher.socket.drain(Number.POSITIVE_INFINITY);
  expect(textsOf(watcher)).toHaveLength(4);
  world.tell(watcher, 'fills the socket again');
  tell(4);
  for (let round = 0; round < 6; round += 1) watcher.socket.drain(Number.POSITIVE_INFINITY);
  expect(watcher.socket.closedWith).toBeUndefined();
  expect(textsOf(watcher)).toHaveLength(9);
  tell(6);
  watcher.socket.unstall();
  expect(watcher.socket.closedWith?.code).toBe(CloseCode.outboxFull);
});

test('a viewer that is closed for being too far behind sees the code 4508, not a broken connection', () => {
  const { world, watcher } = refusing();
  for (let count = 0; count < 257; count += 1) world.tell(watcher, String(count));
  watcher.socket.unstall();
  expect(watcher.socket.codeSeenByClient).toBe(CloseCode.outboxFull);
});

test('a reader that drains in time keeps its connection for any number of messages', () => {
  const { world, watcher } = refusing();
  for (let round = 0; round < 10; round += 1) {
    watcher.socket.stall();
    for (let count = 0; count < 250; count += 1) world.tell(watcher, `${round}-${count}`);
    watcher.socket.unstall();
  }
  expect(watcher.socket.closedWith).toBeUndefined();
  expect(textsOf(watcher)).toHaveLength(2_500);
});

test('an encoder that reads too slowly gets what waited for it, too', () => {
  const world = new World({ limitBytes: 10 });
  const encoder = world.register('door', { consumes: ['alert'] });
  encoder.socket.stall();
  for (const text of ['1', '2', '3', '4']) world.alert('door', text);
  expect(encoder.socket.story).toEqual(['alert 1']);
  encoder.socket.drain(Number.POSITIVE_INFINITY);
  encoder.socket.unstall();
  expect(encoder.socket.story).toEqual(['alert 1', 'alert 2', 'alert 3', 'alert 4']);
});

test('an encoder whose outbox overflows is closed with 4508, its stream keeps its grace', () => {
  const world = new World({ limitBytes: 10 });
  const encoder = world.register('door', { consumes: ['alert'] });
  encoder.socket.stall();
  for (let count = 0; count < 258; count += 1) world.alert('door');
  encoder.socket.unstall();
  expect(encoder.socket.closedWith?.code).toBe(CloseCode.outboxFull);
  expect(world.router.streams.get('door')?.encoder).toBeUndefined();
});

test('what waited when it became too much still arrives, in order, before the close: who comes back with `since` gets further each time', () => {
  const { world, watcher } = refusing();
  for (let number = 1; number <= 300; number += 1) world.alert('door', String(number));
  watcher.socket.unstall();
  const texts = watcher.socket.controls('alert').map(({ message }) => message);
  expect(texts).toEqual(Array.from({ length: 256 }, (_, index) => String(index + 1)));
  expect(watcher.socket.closedWith?.code).toBe(CloseCode.outboxFull);
  expect(world.router.counters).toMatchObject({ alertsDelivered: 256, alertsUndelivered: 44 });
});

test.each([{ how: 'all at once' }, { how: 'by name' }])(
  'a wall of 400 streams on a slow link is no reason to be closed, $how',
  ({ how }) => {
    const world = new World({ limitBytes: 50_000 });
    const ids = Array.from({ length: 400 }, (_, index) => `s${index}`);
    for (const id of ids) world.frame(world.register(id), 1, 1_000);
    const wall = world.viewer();
    wall.socket.stall();
    if (how === 'by name') for (const id of ids) world.subscribe(wall, id);
    else world.subscribe(wall, '*');
    for (let round = 0; round < 100; round += 1) wall.socket.drain(Number.POSITIVE_INFINITY);
    expect(wall.socket.closedWith).toBeUndefined();
    expect(wall.socket.frames).toHaveLength(400);
  },
);

describe('a viewer closed with 4508 costs nothing any more', () => {
  /** Messages in the outbox when the last straw comes. */
  const FULL = 256;

  function expectForgotten(world: World, watcher: FakeViewer, streamId: string): void {
    watcher.socket.unstall();
    expect(watcher.socket.closedWith?.code).toBe(CloseCode.outboxFull);
    const stream = world.router.streams.get(streamId);
    expect(stream?.audience.viewings.size).toBe(0);
    const { offered } = world.router.counters.frames;
    const encoder = world.register(streamId);
    world.frame(encoder, 99);
    expect(world.router.counters.frames.offered).toBe(offered);
  }

  test('when an alert was the last straw', () => {
    const { world, watcher } = refusing();
    for (let count = 0; count < FULL; count += 1) world.tell(watcher, 'm');
    world.alert('door');
    expectForgotten(world, watcher, 'door');
  });

  test('when it had just subscribed: the answers alone are no straw', () => {
    const { world, watcher } = refusing();
    world.register('garage');
    for (let count = 0; count < FULL; count += 1) world.tell(watcher, 'm');
    world.subscribe(watcher, 'garage');
    world.tell(watcher, 'm');
    expectForgotten(world, watcher, 'garage');
  });

  test('when the news of a stream it had just subscribed to was the last straw', () => {
    const { world, watcher } = refusing();
    for (let count = 0; count < FULL; count += 1) world.tell(watcher, 'm');
    world.subscribe(watcher, 'later');
    world.register('later');
    expectForgotten(world, watcher, 'later');
  });

  test('when the news that its stream is there was the last straw', () => {
    const { world, watcher } = refusing();
    world.subscribe(watcher, 'later');
    for (let count = 0; count < FULL; count += 1) world.tell(watcher, 'm');
    expect(watcher.socket.closedWith).toBeUndefined();
    world.register('later');
    expectForgotten(world, watcher, 'later');
  });

  test('when the news that its stream ended was the last straw', () => {
    const { world, encoder, watcher } = refusing();
    encoder.socket.disconnect();
    world.advance(10_000);
    for (let count = 0; count < FULL - 1; count += 1) world.tell(watcher, 'm');
    world.advance(5_000);
    world.register('door');
    expectForgotten(world, watcher, 'door');
  });
});
