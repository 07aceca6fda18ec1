import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import type { Encoding } from '../../proto/codec.ts';
import { ALL_STREAMS, VIEWER_FPS } from '../../proto/limits.ts';
import type { Channel, SubscribeMessage } from '../../proto/messages.ts';
import { FrameTally } from '../../src/router/frame-tally.ts';
import type { Viewing } from '../../src/router/viewing.ts';
import { type FakeEncoder, type FakeSocket, type FakeViewer, World } from './fakes.ts';

const STREAMS = ['door', 'garage'];
const VIEWERS = 3;
const LIMIT_BYTES = 40_000;
/** Small enough to be gathered, around the threshold between the two lanes, and over the limit all by itself. */
const FRAME_BYTES = [100, 3_000, 12_000, 15_000, 21_000, 30_000, 60_000];

type Wish = Pick<SubscribeMessage, 'consumes' | 'maxFps' | 'window'>;

type Step =
  | { do: 'subscribe'; viewer: number; stream: number | 'all'; wish: Wish }
  | { do: 'ack'; viewer: number; stream: number; all: boolean }
  | { do: 'unsubscribe'; viewer: number; stream: number | 'all' }
  | { do: 'hang up'; viewer: number; encoding: Encoding }
  | { do: 'stall' | 'unstall'; viewer: number }
  | { do: 'drain'; viewer: number; bytes: number }
  | { do: 'frames'; stream: number; bytes: number; encoding: Encoding; count: number }
  | { do: 'register' | 'encoder gone'; stream: number }
  | { do: 'alerts'; stream: number; count: number }
  | { do: 'time'; ms: number };

const viewer = fc.nat(VIEWERS - 1);
const stream = fc.nat(STREAMS.length - 1);
const encoding = fc.constantFrom<Encoding>('msgpack', 'json');
const bytes = fc.constantFrom(...FRAME_BYTES);
/** Mostly one; of several in one turn of the event loop, some may be lost together. */
const count = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 12 }));
const consumes = fc.constantFrom<Channel[] | undefined>(undefined, undefined, undefined, ['alert'], ['video-frame']);

const streamOrAll = fc.oneof({ weight: 4, arbitrary: stream }, { weight: 1, arbitrary: fc.constant('all' as const) });
const wish: fc.Arbitrary<Wish> = fc.record({
  consumes,
  maxFps: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.constantFrom(...VIEWER_FPS)),
  window: fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, fc.constantFrom(1, 2, 5)),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('frames' as const), stream, bytes, encoding, count }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('subscribe' as const), viewer, stream: streamOrAll, wish }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('stall' as const, 'unstall' as const), viewer }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('drain' as const), viewer, bytes: fc.constantFrom(50, 30_000, 1e9) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('register' as const, 'encoder gone' as const), stream }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('alerts' as const), stream, count: fc.constantFrom(1, 3, 100, 300) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), viewer, stream: streamOrAll }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('ack' as const), viewer, stream, all: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hang up' as const), viewer, encoding }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(30, 100, 5_000, 15_000) }),
  },
);

/** One connection of a dashboard, and the alerts it should have been sent so far. */
interface Connection extends FakeViewer {
  alertsDue: string[];
  /** Alerts that came so far. */
  alerts: number;
  /** Of each stream the number of the frame that came last. */
  readonly lastNumbers: Map<string, number>;
}

/** Plays steps against a world, keeps what a viewer may expect, and checks it after each step. */
class Play {
  readonly world: World;
  readonly #encoders: (FakeEncoder | undefined)[] = STREAMS.map(() => undefined);
  readonly #connections: Connection[] = [];
  /** Number of each stream's newest frame; numbers go on when the stream begins anew. */
  readonly #newest = new Map<string, number>();
  readonly #checked = new Map<FakeSocket, number>();
  /** Every subscription there ever was: how much its socket had received before it, when that was, and the frames it must have been offered. */
  readonly #viewings = new Map<Viewing, { from: number; sinceMs: number; offers: number }>();
  #alerts = 0;
  #largestMessage = 0;

  constructor(gathers: boolean) {
    this.world = new World({ limitBytes: LIMIT_BYTES, limits: { maxFps: 1e9, maxBytesPerSecond: 1e12 }, gathers });
    for (let index = 0; index < VIEWERS; index += 1)
      this.#connections.push(this.#connect(index % 2 ? 'json' : 'msgpack'));
    for (const index of STREAMS.keys()) this.#register(index);
  }

  run(next: Step): void {
    // What is gathered belongs to the subscription before.
    if (!['frames', 'ack', 'alerts', 'time'].includes(next.do)) this.endTurn();
    this.#do(next);
    this.#check();
  }

  endTurn(): void {
    this.world.library.endTurn();
    this.#check();
    for (const connection of this.#connections) {
      for (const viewing of connection.viewer.viewings.values()) this.#checkArrived(connection, viewing);
    }
  }

  /** Everybody reads and acknowledges again: the newest frame of every watched stream and every alert must have arrived. */
  settle(): void {
    this.endTurn();
    for (const connection of this.#connections) connection.socket.unstall();
    this.endTurn();
    for (const viewer of this.#connections.keys()) {
      for (const index of STREAMS.keys()) this.run({ do: 'ack', viewer, stream: index, all: true });
    }
    // For the slowest `maxFps`; the streams are in no grace.
    this.world.advance(2_000);
    this.#check();
    for (const { viewer: watcher, socket, alertsDue } of this.#connections) {
      if (socket.closedWith !== undefined) {
        expect(socket.closedWith.code).toBe(CloseCode.outboxFull);
        continue;
      }
      expect(socket.controls('alert').map(({ message }) => message)).toEqual(alertsDue);
      for (const viewing of watcher.viewings.values()) {
        const live = this.world.router.streams.get(viewing.streamId);
        if (live === undefined || live.seq === 0 || !viewing.wish.wantsFrames) continue;
        expect(socket.frameNumbers(viewing.streamId).at(-1)).toBe(this.#newest.get(viewing.streamId));
      }
    }
  }

  /** Everybody hangs up: frames must cost nothing any more. */
  leave(): void {
    for (const { socket } of this.#connections) socket.disconnect();
    this.endTurn();
    const { counters, streams } = this.world.router;
    expect(counters.frames.inFlight).toBe(0);
    const { offered } = counters.frames;
    for (const index of STREAMS.keys()) {
      this.#register(index);
      this.#frame(index, 100, 'msgpack');
      expect(streams.get(STREAMS[index] as string)?.audience.viewings.size).toBe(0);
    }
    expect(counters.frames.offered).toBe(offered);
    expect(this.world.library.topics.size).toBe(0);
  }

  #do(next: Step): void {
    const { world } = this;
    switch (next.do) {
      case 'subscribe': {
        const connection = this.#connection(next.viewer);
        if (connection.socket.closedWith !== undefined) return;
        world.subscribe(connection, nameOf(next.stream), next.wish.consumes, next.wish);
        return;
      }
      case 'unsubscribe': {
        const connection = this.#connection(next.viewer);
        const isWatching = connection.viewer.viewings.has(nameOf(next.stream));
        if (isWatching) world.unsubscribe(connection, nameOf(next.stream));
        return;
      }
      case 'ack': {
        const connection = this.#connection(next.viewer);
        const viewing = connection.viewer.viewings.get(nameOf(next.stream));
        if (viewing?.window === undefined || connection.socket.closedWith !== undefined) return;
        // Acknowledging lets another frame out, until the newest is there.
        for (let times = 0; times === 0 || (next.all && times < 3); times += 1) {
          world.ack(connection, viewing.streamId, this.#arrived(connection, viewing));
        }
        return;
      }
      case 'hang up': {
        this.#connection(next.viewer).socket.disconnect();
        this.#connections[next.viewer] = this.#connect(next.encoding);
        return;
      }
      case 'stall':
        this.#connection(next.viewer).socket.stall();
        return;
      case 'unstall':
        this.#connection(next.viewer).socket.unstall();
        return;
      case 'drain':
        this.#connection(next.viewer).socket.drain(next.bytes);
        return;
      case 'frames':
        for (let count = 0; count < next.count; count += 1) {
          this.#frame(next.stream, next.bytes, next.encoding);
          this.#check();
        }
        return;
      case 'register':
        this.#register(next.stream);
        return;
      case 'encoder gone':
        this.#encoders[next.stream]?.socket.disconnect();
        this.#encoders[next.stream] = undefined;
        return;
      case 'alerts':
        for (let count = 0; count < next.count; count += 1) this.#alert(nameOf(next.stream));
        return;
      case 'time':
        world.advance(next.ms);
        return;
    }
  }

  #connect(ofEncoding: Encoding): Connection {
    return { ...this.world.viewer('anna', ofEncoding), alertsDue: [], alerts: 0, lastNumbers: new Map() };
  }

  #connection(index: number): Connection {
    return this.#connections[index] as Connection;
  }

  /** A new stream, one that is resumed, or one that is taken over. */
  #register(index: number): void {
    const older = this.#encoders[index];
    this.#encoders[index] = this.world.register(nameOf(index));
    if (older !== undefined) expect(older.socket.closedWith?.code).toBe(CloseCode.takenOver);
  }

  #frame(index: number, ofBytes: number, ofEncoding: Encoding): void {
    const encoder = this.#encoders[index];
    if (encoder === undefined) return;
    const number = (this.#newest.get(nameOf(index)) ?? 0) + 1;
    this.#newest.set(nameOf(index), number);
    for (const viewing of this.world.router.streams.get(nameOf(index))?.audience.viewings ?? []) {
      const noted = this.#viewings.get(viewing);
      if (noted !== undefined && viewing.wish.wantsFrames) noted.offers += 1;
    }
    this.world.frame(encoder, number, ofBytes, ofEncoding);
  }

  #alert(streamId: string): void {
    if (this.world.router.streams.get(streamId) === undefined) return;
    this.#alerts += 1;
    for (const { viewer: watcher, alertsDue } of this.#connections) {
      if (watcher.viewings.get(streamId)?.wish.wantsAlerts) alertsDue.push(String(this.#alerts));
    }
    this.world.alert(streamId, String(this.#alerts));
  }

  #check(): void {
    for (const connection of this.#connections) {
      for (const viewing of connection.viewer.viewings.values()) this.#note(connection, viewing);
    }
    for (const connection of this.#connections) this.#checkReceived(connection);
    this.#checkAccounts();
  }

  #note({ socket }: Connection, viewing: Viewing): void {
    if (this.#viewings.has(viewing)) return;
    const sinceMs = this.world.clock.monotonicMs();
    const hasNewest = (this.world.router.streams.get(viewing.streamId)?.seq ?? 0) > 0;
    const offers = viewing.wish.wantsFrames && hasNewest ? 1 : 0;
    this.#viewings.set(viewing, { from: this.#checked.get(socket) ?? 0, sinceMs, offers });
  }

  /** Frames of a subscription that its socket took. */
  #arrived({ socket }: Connection, viewing: Viewing): number {
    const from = this.#viewings.get(viewing)?.from ?? 0;
    const frames = socket.received.slice(from).filter(({ kind }) => kind === 'frame');
    return frames.filter(({ message }) => message['streamId'] === viewing.streamId).length;
  }

  /** Of every subscription, ended ones too, and of all together: what was offered is somewhere. */
  #checkAccounts(): void {
    const sum = new FrameTally();
    for (const [viewing, { offers }] of this.#viewings) {
      viewing.audience?.count(viewing);
      const { offered, delivered, dropped, inFlight } = viewing.tally;
      same(offered, offers);
      const hasEnded = viewing.viewer.viewings.get(viewing.streamId) !== viewing;
      const held = viewing.heldFor === undefined ? 0 : 1;
      same(inFlight, hasEnded ? 0 : (viewing.window?.inFlight ?? 0) + held);
      same(offered, delivered + dropped.slow + dropped.fps + dropped.closed + inFlight);
      same(Math.min(offered, delivered, dropped.slow, dropped.fps, dropped.closed, inFlight) >= 0, true);
      sum.add(viewing.tally);
    }
    expect(this.world.router.counters.frames).toEqual(sum);
  }

  /** Nothing is gathered: what counts as delivered, or as sent within a window, did arrive, and not faster than was asked for. */
  #checkArrived(connection: Connection, viewing: Viewing): void {
    const arrived = this.#arrived(connection, viewing);
    expect(arrived).toBe(viewing.tally.delivered + (viewing.window?.inFlight ?? 0));
    expect(viewing.window?.inFlight ?? 0).toBeLessThanOrEqual(viewing.wish.window ?? 0);
    const seconds = (this.world.clock.monotonicMs() - (this.#viewings.get(viewing)?.sinceMs ?? 0)) / 1000;
    if (viewing.wish.maxFps !== undefined) expect(arrived).toBeLessThanOrEqual(viewing.wish.maxFps * seconds + 1.5);
  }

  /** Never an older frame after a newer one, nothing but the newest where nothing is gathered, each alert in its turn, and nothing waits beyond the bound. */
  #checkReceived(connection: Connection): void {
    const { socket, alertsDue, lastNumbers } = connection;
    for (let index = this.#checked.get(socket) ?? 0; index < socket.received.length; index += 1) {
      const { kind, message, bytes: messageBytes } = socket.received[index] as (typeof socket.received)[0];
      this.#largestMessage = Math.max(this.#largestMessage, messageBytes);
      if (kind === 'frame') {
        const streamId = message['streamId'] as string;
        const number = message['timestamp'] as number;
        same(number >= (lastNumbers.get(streamId) ?? 0), true);
        lastNumbers.set(streamId, number);
        // One new frame at a time, so whatever frame arrives must be its stream's newest.
        if (!this.world.library.gathers) same(number, this.#newest.get(streamId));
      } else if (message['type'] === 'alert') {
        same(message['message'], alertsDue[connection.alerts]);
        connection.alerts += 1;
      }
    }
    this.#checked.set(socket, socket.received.length);
    // However many streams share the socket, the library asks before each single message: the last one it takes is the
    // only one that may lie over the limit; and one that it is sent directly, which it asks for before what it has gathered.
    const messages = this.world.library.gathers ? 2 : 1;
    expect(socket.mostBuffered).toBeLessThanOrEqual(LIMIT_BYTES + messages * this.#largestMessage);
  }
}

/** As `expect(…).toBe(…)`, which takes a hundred times as long: there are millions. */
function same(actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) expect(actual).toBe(expected);
}

function nameOf(index: number | 'all'): string {
  return index === 'all' ? ALL_STREAMS : (STREAMS[index] as string);
}

test('whatever viewers and encoders do, each viewer gets only newest frames, all its alerts, and costs nothing when gone', () => {
  const steps = fc.array(fc.record({ next: step, endsTurn: fc.boolean() }), {
    minLength: 5,
    maxLength: 60,
    size: 'max',
  });
  // Everybody watches something, and reads nothing at first: without that, few of these plays would come to a refusal.
  const beginning = fc.record({ stream, bytes, wish });
  const beginnings = fc.array(beginning, { minLength: VIEWERS, maxLength: VIEWERS });
  fc.assert(
    fc.property(steps, beginnings, fc.boolean(), (all, begin, gathers) => {
      const play = new Play(gathers);
      for (const [viewer, { stream, bytes, wish }] of begin.entries()) {
        play.run({ do: 'frames', stream, bytes, encoding: 'msgpack', count: 1 });
        play.run({ do: 'subscribe', viewer, stream, wish });
        play.run({ do: 'stall', viewer });
      }
      for (const { next, endsTurn } of all) {
        play.run(next);
        if (endsTurn) play.endTurn();
      }
      play.settle();
      play.leave();
    }),
    { numRuns: 150 },
  );
});
