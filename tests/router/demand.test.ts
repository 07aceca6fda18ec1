import { describe, expect, test } from 'vitest';
import { noTap } from '../../src/router/no-tap.ts';
import { type FakeEncoder, World } from './fakes.ts';

/** What an encoder was asked for, in order. */
function asked({ socket }: FakeEncoder): unknown[] {
  return socket.controls('throttle').map(({ maxFps }) => maxFps);
}

/** Time passes as the router's timer lets it pass. */
function wait(world: World, ms: number): void {
  for (let passed = 0; passed < ms; passed += 250) world.advance(250);
}

/** A camera that understands `throttle`, and that nobody watches. */
function lonely(options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World(options);
  return { world, camera: world.greet({ streamId: 'door' }) };
}

describe('an encoder that nobody watches', () => {
  test('is asked for 1 frame a second right after its success', () => {
    const { world, camera } = lonely();
    expect(camera.socket.story).toEqual(['success', 'throttle']);
    expect(camera.socket.controls('throttle')).toEqual([
      { type: 'throttle', streamId: 'door', maxFps: 1, reason: 'demand', timestamp: world.clock.epochMs() },
    ]);
    wait(world, 60_000);
    expect(asked(camera)).toEqual([1]);
  });

  test.each([
    [5, 5],
    [0.5, 1],
    [2.5, 3],
    [100, 60],
  ])('is asked for what the ML service samples: %d a second make %i', (fps, maxFps) => {
    const { camera } = lonely({ tap: { ...noTap, fps } });
    expect(asked(camera)).toEqual(maxFps === 60 ? [] : [maxFps]);
  });

  test('is asked for no more by viewers of alerts alone, nor by those of other streams', () => {
    const { world, camera } = lonely();
    world.greet({ streamId: 'garage' });
    world.watchWith('door', { consumes: ['alert'] });
    world.watch('garage');
    wait(world, 5_000);
    expect(asked(camera)).toEqual([1]);
  });
});

describe('who is asked', () => {
  test('an encoder that lists throttle', () => {
    const world = new World();
    const camera = world.greet({ streamId: 'door', understands: ['throttle'] }, { offersSubprotocol: false });
    world.watch('door');
    expect(asked(camera)).toEqual([1, 60]);
  });

  test('an encoder that offered a subprotocol, and lists nothing', () => {
    const world = new World();
    expect(asked(world.greet({}))).toEqual([1]);
  });

  test.each([undefined, [], ['heartbeat', 'going-away'] as const])('not one that lists %s', (understands) => {
    const world = new World();
    const camera = world.greet(
      { streamId: 'door', understands: understands && [...understands] },
      { offersSubprotocol: false },
    );
    const watcher = world.watch('door');
    wait(world, 5_000);
    world.unsubscribe(watcher, 'door');
    wait(world, 5_000);
    expect(camera.socket.story).toEqual(['success']);
  });

  test('one that sends too much is told the limit as well, if it understands that', () => {
    const world = new World({ limits: { maxFps: 2 } });
    const knows = world.greet({ streamId: 'door', understands: ['throttle'] }, { offersSubprotocol: false });
    const knowsNot = world.greet({ streamId: 'garage' }, { offersSubprotocol: false });
    for (const camera of [knows, knowsNot]) for (const number of [1, 2, 3, 4]) world.frame(camera, number);
    expect(knows.socket.story).toEqual(['success', 'throttle', 'error RATE_LIMITED', 'throttle']);
    expect(knows.socket.controls('throttle')[1]).toMatchObject({ maxFps: 2, reason: 'rate-limit', streamId: 'door' });
    expect(knowsNot.socket.story).toEqual(['success', 'error RATE_LIMITED']);
  });
});

describe('the first viewer', () => {
  test('has the limit lifted at once: the frame after the newest one comes as fast as the camera can', () => {
    const { world, camera } = lonely();
    world.frame(camera, 1);
    const watcher = world.watch('door');
    expect(asked(camera)).toEqual([1, 60]);
    world.frame(camera, 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
  });

  test('that waited for the camera has it send all from the beginning: it hears no throttle', () => {
    const world = new World();
    world.watch('door');
    const camera = world.greet({ streamId: 'door' });
    wait(world, 10_000);
    expect(camera.socket.story).toEqual(['success']);
  });

  test('that waited with maxFps is told to the camera after its success', () => {
    const world = new World();
    world.watchWith('door', { maxFps: 5 });
    world.watchWith('*', { maxFps: 10 });
    const camera = world.greet({ streamId: 'door' });
    expect(camera.socket.story).toEqual(['success', 'throttle']);
    expect(asked(camera)).toEqual([10]);
  });

  test('may be one of all streams', () => {
    const { world, camera } = lonely();
    world.watchWith('*', { maxFps: 15 });
    expect(asked(camera)).toEqual([1, 15]);
  });
});

describe('several viewers', () => {
  test('have the camera asked for what the most demanding one wants', () => {
    const { world, camera } = lonely();
    for (const maxFps of [5, 2, 15, 10, undefined, 30] as const) world.watchWith('door', { maxFps });
    wait(world, 5_000);
    expect(asked(camera)).toEqual([1, 5, 15, 60]);
  });

  test('and an ML service count together', () => {
    const { world, camera } = lonely({ tap: { ...noTap, fps: 5 } });
    world.watchWith('door', { maxFps: 2 });
    world.watchWith('door', { maxFps: 10 });
    expect(asked(camera)).toEqual([5, 10]);
  });

  test('never have it asked for more than the router takes', () => {
    const { world, camera } = lonely({ limits: { maxFps: 20 } });
    world.watchWith('door', { maxFps: 30 });
    world.watch('door');
    expect(asked(camera)).toEqual([1, 20]);
  });

  test('that ask for more or less than before are heard: more at once, less after 2 s', () => {
    const { world, camera } = lonely();
    const watcher = world.watchWith('door', { maxFps: 5 });
    world.subscribe(watcher, 'door', undefined, { maxFps: 30 });
    expect(asked(camera)).toEqual([1, 5, 30]);
    world.subscribe(watcher, 'door', undefined, { maxFps: 2 });
    wait(world, 2_000);
    expect(asked(camera)).toEqual([1, 5, 30]);
    wait(world, 250);
    expect(asked(camera)).toEqual([1, 5, 30, 2]);
  });
});

describe('when the last viewer leaves', () => {
  test.each(['unsubscribes', 'hangs up', 'wants alerts only'])('and %s, less is asked for after 2 s, once', (how) => {
    const { world, camera } = lonely();
    const watcher = world.watch('door');
    wait(world, 1_000);
    if (how === 'unsubscribes') world.unsubscribe(watcher, 'door');
    else if (how === 'hangs up') watcher.socket.disconnect();
    else world.subscribe(watcher, 'door', ['alert']);
    wait(world, 2_000);
    expect(asked(camera)).toEqual([1, 60]);
    wait(world, 250);
    expect(asked(camera)).toEqual([1, 60, 1]);
    wait(world, 10_000);
    expect(asked(camera)).toEqual([1, 60, 1]);
  });

  test('and is back before 2 s, as a page that is loaded anew, the camera hears nothing', () => {
    const { world, camera } = lonely();
    let watcher = world.watch('door');
    for (let times = 0; times < 5; times += 1) {
      watcher.socket.disconnect();
      wait(world, 1_750);
      watcher = world.watch('door');
      wait(world, 1_000);
    }
    expect(asked(camera)).toEqual([1, 60]);
  });

  test('the 2 s count from the last one that left, not from one before', () => {
    const { world, camera } = lonely();
    const first = world.watch('door');
    const second = world.watchWith('door', { maxFps: 15 });
    first.socket.disconnect();
    wait(world, 2_500);
    expect(asked(camera)).toEqual([1, 60, 15]);
    second.socket.disconnect();
    wait(world, 2_000);
    expect(asked(camera)).toEqual([1, 60, 15]);
    wait(world, 250);
    expect(asked(camera)).toEqual([1, 60, 15, 1]);
  });
});

describe('a new connection of the encoder', () => {
  test('that takes the stream over is told anew what is wanted', () => {
    const { world, camera } = lonely();
    world.watchWith('door', { maxFps: 5 });
    const newer = world.greet({ streamId: 'door' });
    expect(newer.socket.story).toEqual(['success', 'throttle']);
    expect(asked(newer)).toEqual([5]);
    expect(asked(camera)).toEqual([1, 5]);
  });

  test('within the grace is told anew, and need not be told that everything is wanted', () => {
    const { world, camera } = lonely();
    camera.socket.disconnect();
    world.watchWith('door', { maxFps: 10 });
    wait(world, 1_000);
    const back = world.greet({ streamId: 'door' });
    expect(asked(back)).toEqual([10]);
    back.socket.disconnect();
    world.watch('door');
    expect(asked(world.greet({ streamId: 'door' }))).toEqual([]);
  });

  test('that does not understand throttle hears nothing, and the next one that does is told', () => {
    const { world } = lonely();
    const old = world.greet({ streamId: 'door' }, { offersSubprotocol: false });
    wait(world, 5_000);
    expect(old.socket.story).toEqual(['success']);
    expect(asked(world.greet({ streamId: 'door' }))).toEqual([1]);
  });

  test('that registers again is not told what it knows', () => {
    const { world, camera } = lonely();
    world.say(camera, { type: 'register', clientType: 'mobile', consumes: ['alert'] });
    expect(camera.socket.story).toEqual(['success', 'throttle', 'success']);
  });
});

test('less is asked for only after 2 s each time, also when it has just been asked for less', () => {
  const world = new World();
  const camera = world.greet({ streamId: 'door' });
  const first = world.watch('door');
  const second = world.watchWith('door', { maxFps: 15 });
  first.socket.disconnect();
  for (let ms = 0; ms <= 2_000; ms += 250) world.advance(250);
  second.socket.disconnect();
  world.advance(250);
  expect(camera.socket.controls('throttle').map(({ maxFps }) => maxFps)).toEqual([1, 60, 15]);
});
