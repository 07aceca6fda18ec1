import { afterEach, describe, expect, test, vi } from 'vitest';
import { FrameView } from '../../proto/frame.ts';
import { VIEWER_FPS } from '../../proto/limits.ts';
import { type FakeEncoder, type FakeViewer, World } from './fakes.ts';

/** The router lets time pass this often. */
const TICK_MS = 250;

interface Arrival {
  atMs: number;
  number: number;
  /** The newest frame there was at that time. */
  newest: number;
}

/** A camera of 30 fps and a viewer, ms by ms; remembers when each frame arrived. */
class Film {
  readonly world: World;
  readonly camera: FakeEncoder;
  readonly arrivals: Arrival[] = [];
  readonly #viewer: FakeViewer;
  #newest = 0;
  #arrived = 0;

  constructor(world: World, camera: FakeEncoder, viewer: FakeViewer) {
    this.world = world;
    this.camera = camera;
    this.#viewer = viewer;
  }

  get nowMs(): number {
    return this.world.clock.monotonicMs();
  }

  get newest(): number {
    return this.#newest;
  }

  /** The camera sends for so long. `jitterMs`: every other frame is so late. */
  run(seconds: number, jitterMs = 0): void {
    const startMs = this.nowMs;
    const due = Array.from({ length: seconds * 30 }, (_, index) =>
      Math.round(startMs + (index * 1000) / 30 + (index % 2) * jitterMs),
    );
    this.#pass(seconds * 1000, new Set(due));
  }

  /** The camera sends nothing for so long. */
  pause(ms: number): void {
    this.#pass(ms, new Set());
  }

  #pass(ms: number, frameTimes: ReadonlySet<number>): void {
    for (let passed = 0; passed < ms; passed += 1) {
      if (frameTimes.has(this.nowMs)) {
        this.#newest += 1;
        this.world.frame(this.camera, this.#newest);
        this.#note();
      }
      this.world.clock.advance(1);
      if (this.nowMs % TICK_MS === 0) this.world.router.streams.tick();
      this.#note();
    }
  }

  #note(): void {
    const { frames } = this.#viewer.socket;
    for (const { message } of frames.slice(this.#arrived)) {
      this.arrivals.push({ atMs: this.nowMs, number: message['timestamp'] as number, newest: this.#newest });
    }
    this.#arrived = frames.length;
  }
}

/** A viewer that wants `maxFps` frames a second of a camera of 30. */
function filmed(maxFps: (typeof VIEWER_FPS)[number], options: ConstructorParameters<typeof World>[0] = {}): Film {
  const world = new World(options);
  const camera = world.register('door');
  return new Film(world, camera, world.watchWith('door', { maxFps }));
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(VIEWER_FPS)('a viewer that wants %i frames a second', (maxFps) => {
  test('gets as many from a camera of 30, evenly, and each was the newest there was', () => {
    const film = filmed(maxFps);
    film.run(20);
    expect(film.arrivals.length).toBeGreaterThanOrEqual(20 * maxFps - 1);
    expect(film.arrivals.length).toBeLessThanOrEqual(20 * maxFps + 1);
    for (const { number, newest } of film.arrivals) expect(number).toBe(newest);
    const gaps = film.arrivals.slice(1).map(({ atMs }, index) => atMs - (film.arrivals[index] as Arrival).atMs);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1000 / maxFps + 70);
  });

  test('gets the last frame of a camera that stops, once, a quarter of a second after its turn at the latest', () => {
    // Stops at all kinds of times between two turns.
    for (const seconds of [2, 2.1, 2.3, 2.5, 2.7, 2.9]) {
      const film = filmed(maxFps);
      film.run(seconds);
      const before = film.arrivals.at(-1) as Arrival;
      const stoppedMs = film.nowMs;
      film.pause(4_000);
      const last = film.arrivals.at(-1) as Arrival;
      expect(last.number).toBe(film.newest);
      const turnMs = Math.max(before.atMs + 1000 / maxFps, stoppedMs - 34);
      expect(last.atMs).toBeLessThanOrEqual(turnMs + TICK_MS);
      expect(film.arrivals.filter(({ number }) => number === film.newest)).toHaveLength(1);
    }
  });
});

test('a viewer that wants 30 loses nothing of a camera of 30 whose frames come somewhat early or late', () => {
  const film = filmed(30);
  film.run(20, 12);
  expect(film.arrivals).toHaveLength(20 * 30);
});

test('a viewer that wants few frames sees a camera that was quiet for long at once, and not a burst of it', () => {
  const film = filmed(2);
  film.run(1);
  film.pause(60_000);
  const before = film.arrivals.length;
  const startMs = film.nowMs;
  film.run(2);
  const times = film.arrivals.slice(before).map(({ atMs }) => atMs - startMs);
  expect(times[0]).toBe(0);
  expect(times.length).toBeLessThanOrEqual(2 * 2 + 1);
});

test('a viewer that joins gets the newest frame at once, whatever it wants', () => {
  const world = new World();
  world.frame(world.register('door'), 1);
  expect(world.watchWith('door', { maxFps: 1 }).socket.story).toEqual(['success', 'status streaming', 'frame 1']);
});

test('other viewers of the stream get every frame', () => {
  const world = new World();
  const camera = world.register('door');
  const plain = world.watch('door');
  const film = new Film(world, camera, world.watchWith('door', { maxFps: 1 }));
  film.run(3);
  expect(plain.socket.frames).toHaveLength(90);
  expect(film.arrivals.length).toBeLessThanOrEqual(4);
});

test('each stream of a viewer has its own clock', () => {
  const world = new World();
  const door = world.register('door');
  const garage = world.register('garage');
  const watcher = world.watchWith(['door', 'garage'], { maxFps: 1 });
  world.frame(door, 1);
  world.frame(garage, 11);
  expect(watcher.socket.frameNumbers('door')).toEqual([1]);
  expect(watcher.socket.frameNumbers('garage')).toEqual([11]);
});

test('a viewer that subscribes again without it gets every frame again', () => {
  const world = new World();
  const camera = world.register('door');
  const watcher = world.watchWith('door', { maxFps: 1 });
  for (const number of [1, 2, 3]) world.frame(camera, number);
  world.subscribe(watcher, 'door');
  for (const number of [4, 5, 6]) world.frame(camera, number);
  expect(watcher.socket.frameNumbers('door')).toEqual([1, 3, 4, 5, 6]);
});

test('a viewer that was behind waits for its turn all the same, and then gets the newest frame', () => {
  const world = new World({ limitBytes: 10 });
  const camera = world.register('door');
  world.frame(camera, 1);
  const watcher = world.watchWith('door', { maxFps: 1 });
  watcher.socket.stall();
  world.advance(1_000);
  world.frame(camera, 2);
  world.advance(1_000);
  // Refused: the viewer is behind, and has not had its frame of this second.
  world.frame(camera, 3);
  world.library.endTurn();
  watcher.socket.unstall();
  expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
  world.frame(camera, 4);
  expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
  world.advance(1_000);
  expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3, 4]);
});

describe('together with a window', () => {
  test('an ack before the viewer’s turn releases nothing, and its turn without an ack neither', () => {
    const world = new World();
    const camera = world.register('door');
    const watcher = world.watchWith('door', { maxFps: 1, window: 1 });
    world.frame(camera, 1);
    world.frame(camera, 2);
    world.ack(watcher, 'door', 1);
    expect(watcher.socket.frameNumbers('door')).toEqual([1]);
    world.advance(1_000);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    world.frame(camera, 3);
    world.advance(2_000);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2]);
    world.ack(watcher, 'door', 2);
    expect(watcher.socket.frameNumbers('door')).toEqual([1, 2, 3]);
  });
});

test('a JSON viewer of a MessagePack stream that wants 1 frame a second costs 1 transcoding a second', () => {
  const world = new World();
  const camera = world.register('door');
  const film = new Film(world, camera, world.watchWith('door', { maxFps: 1, encoding: 'json' }));
  const written = vi.spyOn(FrameView.prototype, 'in');
  film.run(5);
  const transcodings = new Set(film.arrivals.map(({ number }) => number)).size;
  expect(transcodings).toBeLessThanOrEqual(6);
  // Asked for once when the frame is transcoded, and once when it is sent.
  expect(written.mock.calls.flat().filter((encoding) => encoding === 'json').length).toBeLessThanOrEqual(
    2 * transcodings,
  );
});

test('a viewer with maxFps is never in a topic, where it would get every frame', () => {
  const world = new World();
  const camera = world.register('door');
  world.frame(camera, 1);
  const watcher = world.watchWith('door', { maxFps: 30 });
  world.frame(camera, 2);
  expect(watcher.socket.topicsEverJoined.size).toBe(0);
});
