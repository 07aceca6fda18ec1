import { describe, expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { ALL_STREAMS } from '../../proto/limits.ts';
import { type FakeEncoder, type FakeViewer, refusal, World } from './fakes.ts';

/** The id of the last alert that a viewer has seen. */
function lastSeen({ socket }: FakeViewer): string {
  const ids = socket.controls('alert').map(({ id }) => id as string);
  return ids.toSorted().at(-1) ?? '';
}

function end(world: World, encoder: FakeEncoder): void {
  encoder.socket.disconnect();
  world.advance(15_000);
}

function alertTexts({ socket }: FakeViewer): unknown[] {
  return socket.controls('alert').map(({ message }) => message);
}

/** What the last `success` says about the alerts that were missed. */
function verdict({ socket }: FakeViewer): unknown {
  return socket.controls('success').at(-1)?.['alerts'];
}

/** A stream with alerts 1 to `alerts`, and the id of the first. */
function withAlerts(alerts: number, options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World(options);
  const encoder = world.register('door');
  const watcher = world.watch('door');
  world.alert('door', '1');
  const first = lastSeen(watcher);
  watcher.socket.disconnect();
  for (let number = 2; number <= alerts; number += 1) world.alert('door', String(number));
  return { world, encoder, first };
}

describe('a viewer that comes back and says what it has seen', () => {
  test('gets success, status, the alerts it missed in order, the newest frame, then live ones, each once', () => {
    const { world, encoder, first } = withAlerts(3);
    world.frame(encoder, 1);
    const back = world.watchWith('door', { since: first });
    world.alert('door', '4');
    world.frame(encoder, 2);
    expect(back.socket.story).toEqual([
      'success',
      'status streaming',
      'alert 2',
      'alert 3',
      'frame 1',
      'alert 4',
      'frame 2',
    ]);
    expect(verdict(back)).toBe('complete');
  });

  test('gets the alerts just as the others got them, with the same id and time', () => {
    const { world, first } = withAlerts(1);
    const other = world.watch('door', 'anna', 'json');
    world.alert('door', '2');
    world.advance(1_000);
    const back = world.watchWith('door', { since: first });
    expect(back.socket.controls('alert')).toEqual(other.socket.controls('alert'));
  });

  test('is told nothing of missed alerts if it has seen the last one', () => {
    const { world, first } = withAlerts(1);
    const back = world.watchWith('door', { since: first });
    expect(alertTexts(back)).toEqual([]);
    expect(verdict(back)).toBe('complete');
  });

  test('may ask at every subscribe again, and gets nothing twice that it says it has seen', () => {
    const { world, first } = withAlerts(3);
    const back = world.watchWith('door', { since: first });
    world.alert('door', '4');
    world.subscribe(back, 'door', undefined, { since: lastSeen(back) });
    expect(alertTexts(back)).toEqual(['2', '3', '4']);
  });

  test('is told of a gap when there were more than 1,000, and gets the last 1,000', () => {
    const { world, first } = withAlerts(1_003);
    const back = world.watchWith('door', { since: first });
    expect(verdict(back)).toBe('gap');
    expect(alertTexts(back)).toHaveLength(1_000);
    expect(alertTexts(back).at(0)).toBe('4');
    expect(alertTexts(back).at(-1)).toBe('1003');
  });

  test('is told of a gap for an id that an earlier run of the router gave out', () => {
    const { world } = withAlerts(2);
    const back = world.watchWith('door', { since: '00000000' });
    expect(verdict(back)).toBe('gap');
    expect(alertTexts(back)).toEqual(['1', '2']);
  });

  test('without wanting alerts gets none, and no word about them', () => {
    const { world, first } = withAlerts(3);
    const back = world.watchWith('door', { since: first, consumes: ['video-frame'] });
    expect(back.socket.story).toEqual(['success', 'status online']);
    expect(back.socket.controls('success')[0]).not.toHaveProperty('alerts');
  });

  test('gets the alerts of a stream that has ended since', () => {
    const { world, encoder, first } = withAlerts(2);
    end(world, encoder);
    const back = world.watchWith('door', { since: first });
    expect(back.socket.story).toEqual(['success', 'status offline', 'alert 2']);
    expect(verdict(back)).toBe('complete');
  });
});

test('a viewer that says nothing of what it has seen gets live alerts only, and no word about others', () => {
  const { world } = withAlerts(3);
  const watcher = world.watch('door');
  world.alert('door', '4');
  expect(alertTexts(watcher)).toEqual(['4']);
  expect(watcher.socket.controls('success')[0]).not.toHaveProperty('alerts');
});

describe('of several streams', () => {
  /** Alerts 1 to 6, of three streams in turn. `door` has ended since. */
  function threeStreams() {
    const world = new World();
    const [door] = ['door', 'garage', 'yard'].map((streamId) => world.register(streamId));
    const watcher = world.watch(ALL_STREAMS);
    for (const [index, streamId] of ['door', 'garage', 'yard', 'door', 'garage', 'yard'].entries()) {
      world.alert(streamId, String(index + 1));
    }
    const [first] = watcher.socket.controls('alert').map(({ id }) => id as string);
    watcher.socket.disconnect();
    end(world, door as FakeEncoder);
    return { world, first: first as string };
  }

  test('the alerts of a list come in the order in which they happened, when all its streams were answered', () => {
    const { world, first } = threeStreams();
    const back = world.watchWith(['yard', 'door'], { since: first });
    world.alert('yard', '7');
    expect(back.socket.storyByStream).toEqual([
      'yard success',
      'yard status online',
      'door success',
      'door status offline',
      'yard alert 3',
      'door alert 4',
      'yard alert 6',
      'yard alert 7',
    ]);
    expect(back.socket.controls('success').map(({ alerts }) => alerts)).toEqual(['complete', 'complete']);
  });

  test('those of all streams come in one order too, with those of streams that have ended', () => {
    const { world, first } = threeStreams();
    const back = world.watchWith(ALL_STREAMS, { since: first });
    world.alert('garage', '7');
    expect(back.socket.storyByStream).toEqual([
      '* success',
      'garage status online',
      'yard status online',
      'garage alert 2',
      'yard alert 3',
      'door alert 4',
      'garage alert 5',
      'yard alert 6',
      'garage alert 7',
    ]);
    expect(verdict(back)).toBe('complete');
  });

  test('a stream that stands in the list twice sends its alerts once', () => {
    const { world, first } = threeStreams();
    expect(alertTexts(world.watchWith(['yard', 'yard'], { since: first }))).toEqual(['3', '6']);
  });
});

describe('who may have them', () => {
  /** Alert 1 is anna’s of `door`, then 2 of `street` and 3 of `door`, by bert’s and her cameras. */
  function twoOwners(access: 'owner' | 'authenticated') {
    const world = new World({ access });
    world.register('door');
    world.register('street', { userId: 'bert' });
    const watcher = world.watch('door');
    world.alert('door', '1');
    const first = lastSeen(watcher);
    world.alert('street', '2');
    world.alert('door', '3');
    return { world, first };
  }

  test('not another user: all streams are the own ones, and a foreign one is UNAUTHORIZED', () => {
    const { world, first } = twoOwners('owner');
    expect(alertTexts(world.watchWith(ALL_STREAMS, { since: first }))).toEqual(['3']);
    const back = world.viewer();
    expect(() => world.subscribe(back, 'street', undefined, { since: first })).toThrow(refusal('UNAUTHORIZED'));
    expect(back.socket.received).toHaveLength(0);
  });

  test('not another user, of a list either: what is refused sends no alerts, the others do', () => {
    const { world, first } = twoOwners('owner');
    const back = world.watchWith(['street', 'door'], { since: first });
    expect(back.socket.storyByStream).toEqual([
      'street error UNAUTHORIZED',
      'door success',
      'door status online',
      'door alert 3',
    ]);
  });

  test('not the next owner of a stream’s name', () => {
    const { world, encoder, first } = withAlerts(2);
    end(world, encoder);
    world.register('door', { userId: 'bert' });
    world.alert('door', '3');
    expect(alertTexts(world.watchWith('door', { userId: 'bert', since: first }))).toEqual(['3']);
    expect(alertTexts(world.watchWith(ALL_STREAMS, { userId: 'bert', since: first }))).toEqual(['3']);
    expect(alertTexts(world.watchWith(ALL_STREAMS, { since: first }))).toEqual(['2']);
  });

  test('every signed-in user where access is open, also of several owners in one order', () => {
    const { world, first } = twoOwners('authenticated');
    const guest = world.watchWith(['street', 'door'], { userId: 'carl', since: first });
    expect(alertTexts(guest)).toEqual(['2', '3']);
    expect(guest.socket.controls('success').map(({ alerts }) => alerts)).toEqual(['complete', 'complete']);
    // But all streams are the own ones.
    expect(alertTexts(world.watchWith(ALL_STREAMS, { userId: 'carl', since: first }))).toEqual([]);
  });
});

describe('a viewer that is too slow', () => {
  test('gets the alerts it missed before the next frame', () => {
    const { world, encoder, first } = withAlerts(4, { limitBytes: 10 });
    world.frame(encoder, 1);
    const back = world.watchWith('door', { since: first });
    // It reads nothing more, asks again, and frames come.
    back.socket.stall();
    world.frame(encoder, 2);
    const heard = back.socket.received.length;
    world.subscribe(back, 'door', undefined, { since: first });
    world.frame(encoder, 3);
    world.library.endTurn();
    for (let round = 0; round < 10; round += 1) back.socket.drain(Number.POSITIVE_INFINITY);
    expect(back.socket.story.slice(heard)).toEqual([
      'success',
      'status streaming',
      'alert 2',
      'alert 3',
      'alert 4',
      'frame 3',
    ]);
  });

  test('and is closed with 4508 misses no alert if it comes back with the last one it has seen', () => {
    const world = new World({ limitBytes: 10 });
    world.register('door');
    const watcher = world.watch('door');
    world.alert('door', '1');
    watcher.socket.stall();
    for (let number = 2; number <= 300; number += 1) world.alert('door', String(number));
    watcher.socket.unstall();
    expect(watcher.socket.closedWith?.code).toBe(CloseCode.outboxFull);
    expect(alertTexts(watcher).length).toBeLessThan(300);
    const back = world.watchWith('door', { since: lastSeen(watcher) });
    world.alert('door', '301');
    expect(verdict(back)).toBe('complete');
    const all = Array.from({ length: 301 }, (_, index) => String(index + 1));
    expect([...alertTexts(watcher), ...alertTexts(back)]).toEqual(all);
  });

  test('to take all it missed at once gets further with each time it comes back', () => {
    const { world, first } = withAlerts(1_000, { limitBytes: 20_000 });
    const seen = ['1'];
    let since = first;
    for (let times = 0; times < 10 && seen.length < 1_000; times += 1) {
      const back = world.viewer();
      back.socket.stall();
      world.subscribe(back, 'door', ['alert'], { since });
      back.socket.unstall();
      expect(alertTexts(back).length).toBeGreaterThan(100);
      seen.push(...(alertTexts(back) as string[]));
      since = lastSeen(back);
      back.socket.disconnect();
    }
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index + 1)));
  });
});

test('a stream that has ended still has its alerts, for everybody who may watch it', () => {
  const world = new World({ access: 'authenticated' });
  const encoder = world.register('door');
  const guest = world.watch('door', 'bert');
  world.alert('door', '1');
  const since = String(guest.socket.controls('alert')[0]?.['id']);
  guest.socket.disconnect();
  world.alert('door', '2');
  encoder.socket.disconnect();
  world.advance(15_000);
  const back = world.watchWith('door', { userId: 'bert', since });
  expect(back.socket.story).toContain('alert 2');
});

test('more missed alerts than may wait arrive all the same, also behind a picture that fills the socket', () => {
  const world = new World();
  world.frame(world.register('door'), 1, 2_000);
  const seen = world.watch('door');
  world.alert('door', '1');
  const since = String(seen.socket.controls('alert')[0]?.['id']);
  seen.socket.disconnect();
  for (let number = 2; number <= 300; number += 1) world.alert('door', String(number));
  const back = world.viewer();
  back.socket.stall();
  world.subscribe(back, 'door', undefined, { since });
  for (let round = 0; round < 400; round += 1) back.socket.drain(Number.POSITIVE_INFINITY);
  expect(back.socket.controls('alert')).toHaveLength(299);
  expect(back.socket.closedWith).toBeUndefined();
});

test('who asks for everything again and again is told to wait, and keeps its connection', () => {
  const world = new World();
  world.register('door');
  const watcher = world.viewer();
  const ids = Array.from({ length: 1_000 }, (_, index) => `s${index}`);
  for (let round = 0; round < 5; round += 1) world.subscribe(watcher, ids);
  expect(() => world.subscribe(watcher, ids)).toThrow(refusal('RATE_LIMITED'));
  world.advance(3_000);
  world.subscribe(watcher, ids);
});

test('a viewer that has not seen any alert yet misses none either: its success says where to begin', () => {
  const world = new World();
  world.register('door');
  world.alert('door', 'before');
  const first = world.watch('door');
  const since = String(first.socket.controls('success')[0]?.['lastAlert']);
  first.socket.disconnect();
  world.alert('door', '1');
  world.alert('door', '2');
  const back = world.watchWith('door', { since });
  expect(back.socket.controls('alert').map(({ message }) => message)).toEqual(['1', '2']);
  expect(back.socket.controls('success')[0]).toMatchObject({ alerts: 'complete' });
});
