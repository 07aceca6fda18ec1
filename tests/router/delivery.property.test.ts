import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import type { Encoding } from '../../proto/codec.ts';
import type { Channel } from '../../proto/messages.ts';
import { type FakeEncoder, type FakeSocket, type FakeViewer, World } from './fakes.ts';

const STREAMS = ['door', 'garage', 'garden'];
const VIEWERS = 4;
const LIMIT_BYTES = 100_000;
/** Small, around the threshold between the two lanes, and over the limit all by itself. */
const FRAME_BYTES = [100, 3_000, 20_000, 21_000, 90_000, 140_000];

type Step =
  | { do: 'subscribe'; viewer: number; stream: number; consumes: Channel[] | undefined }
  | { do: 'unsubscribe'; viewer: number; stream: number }
  | { do: 'hang up'; viewer: number; encoding: Encoding }
  | { do: 'stall' | 'unstall'; viewer: number }
  | { do: 'drain'; viewer: number; bytes: number }
  | { do: 'frame'; stream: number; bytes: number; encoding: Encoding }
  | { do: 'register' | 'encoder gone'; stream: number }
  | { do: 'alerts'; stream: number; count: number }
  | { do: 'time'; ms: number };

const viewer = fc.nat(VIEWERS - 1);
const stream = fc.nat(STREAMS.length - 1);
const encoding = fc.constantFrom<Encoding>('msgpack', 'json');
const bytes = fc.constantFrom(...FRAME_BYTES);
const consumes = fc.constantFrom<Channel[] | undefined>(undefined, undefined, undefined, ['alert'], ['video-frame']);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('frame' as const), stream, bytes, encoding }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('subscribe' as const), viewer, stream, consumes }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('stall' as const, 'unstall' as const), viewer }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('drain' as const), viewer, bytes: fc.constantFrom(50, 70_000, 1e9) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('register' as const, 'encoder gone' as const), stream }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('alerts' as const), stream, count: fc.constantFrom(1, 3, 100, 300) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), viewer, stream }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hang up' as const), viewer, encoding }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(100, 5_000, 15_000) }) },
);

/** One connection of a dashboard, and the alerts it should have been sent so far. */
interface Connection extends FakeViewer {
  alertsDue: string[];
}

/** Plays steps against a world, keeps what a viewer may expect, and checks it after each step. */
class Play {
  readonly world = new World({ limitBytes: LIMIT_BYTES, limits: { maxFps: 1e9, maxBytesPerSecond: 1e12 } });
  readonly #encoders: (FakeEncoder | undefined)[] = STREAMS.map(() => undefined);
  readonly #connections: Connection[] = [];
  readonly #past: Connection[] = [];
  /** Number of each stream's newest frame; numbers go on when the stream begins anew. */
  readonly #newest = new Map<string, number>();
  readonly #checked = new Map<FakeSocket, number>();
  #alerts = 0;
  #largestMessage = 0;

  constructor() {
    for (let index = 0; index < VIEWERS; index += 1)
      this.#connections.push(this.#connect(index % 2 ? 'json' : 'msgpack'));
    for (const index of STREAMS.keys()) this.#register(index);
  }

  run(next: Step): void {
    this.#do(next);
    this.#check();
  }

  endTurn(): void {
    this.world.library.endTurn();
    this.#check();
  }

  /** Everybody reads again: the newest frame of every watched stream and every alert must have arrived. */
  settle(): void {
    this.world.library.endTurn();
    for (const connection of this.#connections) connection.socket.unstall();
    this.world.library.endTurn();
    this.#check();
    for (const { viewer: watcher, socket, alertsDue } of this.#connections) {
      if (socket.closedWith !== undefined) {
        expect(socket.closedWith.code).toBe(CloseCode.outboxFull);
        continue;
      }
      expect(socket.controls('alert').map(({ message }) => message)).toEqual(alertsDue);
      for (const viewing of watcher.viewings.values()) {
        const live = this.world.router.streams.get(viewing.streamId);
        if (live === undefined || live.seq === 0 || !viewing.wantsFrames) continue;
        expect(socket.frameNumbers(viewing.streamId).at(-1)).toBe(this.#newest.get(viewing.streamId));
      }
    }
  }

  /** Everybody hangs up: frames must cost nothing any more. */
  leave(): void {
    for (const { socket } of this.#connections) socket.disconnect();
    this.world.library.endTurn();
    const { counters, streams } = this.world.router;
    const { framesOffered } = counters;
    for (const index of STREAMS.keys()) {
      this.#register(index);
      this.#frame(index, 100, 'msgpack');
      expect(streams.get(STREAMS[index] as string)?.audience.viewings.size).toBe(0);
    }
    expect(counters.framesOffered).toBe(framesOffered);
    expect(this.world.library.topics.size).toBe(0);
  }

  #do(next: Step): void {
    const { world } = this;
    switch (next.do) {
      case 'subscribe': {
        const connection = this.#connection(next.viewer);
        if (connection.socket.closedWith === undefined) world.subscribe(connection, nameOf(next.stream), next.consumes);
        return;
      }
      case 'unsubscribe': {
        const connection = this.#connection(next.viewer);
        const isWatching = connection.viewer.viewings.has(nameOf(next.stream));
        if (isWatching) world.unsubscribe(connection, nameOf(next.stream));
        return;
      }
      case 'hang up': {
        const connection = this.#connection(next.viewer);
        connection.socket.disconnect();
        this.#past.push(connection);
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
      case 'frame':
        this.#frame(next.stream, next.bytes, next.encoding);
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
    return { ...this.world.viewer('anna', ofEncoding), alertsDue: [] };
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
    this.world.frame(encoder, number, ofBytes, ofEncoding);
  }

  #alert(streamId: string): void {
    if (this.world.router.streams.get(streamId) === undefined) return;
    this.#alerts += 1;
    for (const { viewer: watcher, alertsDue } of this.#connections) {
      if (watcher.viewings.get(streamId)?.wantsAlerts) alertsDue.push(String(this.#alerts));
    }
    this.world.alert(streamId, String(this.#alerts));
  }

  #check(): void {
    const { framesOffered, framesDelivered, framesDropped } = this.world.router.counters;
    expect(framesOffered).toBe(framesDelivered + framesDropped.slow);
    for (const { socket, alertsDue } of this.#connections) {
      this.#checkFrames(socket);
      const alerts = socket.controls('alert').map(({ message }) => message);
      expect(alerts).toEqual(alertsDue.slice(0, alerts.length));
    }
  }

  /** What arrived in this step was each stream's newest frame at most once, and nothing waits beyond the bound. */
  #checkFrames(socket: FakeSocket): void {
    for (const { kind, message, bytes: messageBytes } of socket.received.slice(this.#checked.get(socket) ?? 0)) {
      this.#largestMessage = Math.max(this.#largestMessage, messageBytes);
      // A step brings at most one new frame, so whatever frame arrives in it must be its stream's newest.
      if (kind === 'frame') expect(message['timestamp']).toBe(this.#newest.get(message['streamId'] as string));
    }
    this.#checked.set(socket, socket.received.length);
    // However many streams share the socket, the library asks before each single message: the last one it takes is the
    // only one that may lie over the limit.
    expect(socket.mostBuffered).toBeLessThanOrEqual(LIMIT_BYTES + this.#largestMessage);
  }

  /** Frames that all connections were sent, those that are gone included. */
  framesThatArrived(): number {
    return [...this.#connections, ...this.#past].reduce((sum, { socket }) => sum + socket.frames.length, 0);
  }
}

function nameOf(index: number): string {
  return STREAMS[index] as string;
}

test('whatever viewers and encoders do, each viewer gets only newest frames, all its alerts, and costs nothing when gone', () => {
  const steps = fc.array(fc.record({ next: step, endsTurn: fc.boolean() }), { minLength: 5, maxLength: 60 });
  fc.assert(
    fc.property(steps, (all) => {
      const play = new Play();
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

test('frames that count as delivered did arrive, when every step is a turn of the event loop of its own', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (all) => {
      const play = new Play();
      for (const next of all) {
        play.run(next);
        play.endTurn();
        expect(play.world.router.counters.framesDelivered).toBe(play.framesThatArrived());
      }
    }),
    { numRuns: 80 },
  );
});
