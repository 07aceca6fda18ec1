import type { Encoding } from '../../proto/codec.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../../proto/limits.ts';
import { createDurations } from '../../src/gateways/metrics/durations.ts';
import { chooseLane, type PlainLane } from '../../src/router/lane.ts';
import { NewestFrame } from '../../src/router/newest-frame.ts';
import { Peer } from '../../src/router/peer.ts';
import type { FrameTap, PeerSocket, Publisher, SendResult, StreamTap } from '../../src/router/ports.ts';
import { createRouter } from '../../src/router/router.ts';
import { EncoderLink } from '../../src/router/stream.ts';
import { Viewer } from '../../src/router/viewer.ts';
import { frameMessage, STREAM_ID } from './frames.ts';
import { SteppingClock } from './stepping-clock.ts';
import { type MicroTask, mustBe } from './suite.ts';

/**
 * What does the router itself add to a frame on its way from the encoder's message to all `send` and `publish` calls?
 * Those calls, the clock and the tap are stubs that count: system calls and the socket library's own work are not in
 * these figures (`npm run bench:compare` has them all). Sizes are those of the JPEG, 1 KB = 1000 bytes. The message
 * always lies in the same memory, as a busy socket's does, so it is in the processor's cache. The last tasks are the
 * copy of the newest frame alone.
 */
export const question = 'What does the router itself add to a frame, from the encoder’s message to the last send?';

const SIZES_KB = [2, 34, 100];
const VIEWER_COUNTS = [1, 100];

/** 50 fps, under the limit of 60: the limit is asked, and admits. */
const FRAME_INTERVAL_MS = 20;
const LIMITS = { maxFps: 60, maxBytesPerSecond: 64 * 1024 * 1024, maxMessageBytes: DEFAULT_MAX_MESSAGE_BYTES };

const PRINCIPAL = { userId: 'user', sessionId: 'session' };
const NAMES: Readonly<Record<Encoding, string>> = { msgpack: 'MessagePack', json: 'JSON' };
const ENCODINGS: readonly Encoding[] = ['msgpack', 'json'];

/** As a router with some load has: from 34 KB on, their newest frames are together larger than a second-level cache. */
const MANY_STREAMS = 100;

interface Scene {
  sizeKb: number;
  from: Encoding;
  to: Encoding;
  viewers: number;
  /** Unless it is the one that frames of this size take. */
  lane?: PlainLane;
  /** Nobody acknowledges anything, so all frames but the first are held back. */
  window?: number;
  tapWants?: boolean;
}

export function tasks(): MicroTask[] {
  return [
    ...SIZES_KB.flatMap((sizeKb) => ENCODINGS.flatMap((from) => fanOuts(sizeKb, from))),
    routing({ sizeKb: 2, from: 'msgpack', to: 'msgpack', viewers: 100, lane: 'direct' }),
    routing({ sizeKb: 34, from: 'msgpack', to: 'msgpack', viewers: 100, lane: 'topic' }),
    ...SIZES_KB.flatMap((sizeKb) =>
      ENCODINGS.map((encoding) => routing({ sizeKb, from: encoding, to: encoding, viewers: 1, tapWants: true })),
    ),
    routing({ sizeKb: 34, from: 'msgpack', to: 'msgpack', viewers: 100, window: 1 }),
    ...SIZES_KB.flatMap((sizeKb) => [keeping(sizeKb, 1), keeping(sizeKb, MANY_STREAMS)]),
  ];
}

function fanOuts(sizeKb: number, from: Encoding): MicroTask[] {
  return [
    routing({ sizeKb, from, to: from, viewers: 0 }),
    ...ENCODINGS.flatMap((to) => VIEWER_COUNTS.map((viewers) => routing({ sizeKb, from, to, viewers }))),
  ];
}

/** A stream of a router whose viewers are already there. */
function routing({ sizeKb, from, to, viewers, lane: wantedLane, window, tapWants = false }: Scene): MicroTask {
  const message = frameMessage(sizeKb, from);
  const lane = wantedLane ?? chooseLane(message.length);
  const clock = new SteppingClock();
  const publisher = new CountingPublisher();
  const tap = new CountingTap(tapWants);
  const router = createRouter({
    publisher,
    tap,
    clock,
    defer: () => undefined,
    log: () => undefined,
    limits: LIMITS,
    graceMs: 15_000,
    access: 'owner',
    owners: undefined,
    maxStreamsPerUser: 100,
    maxViewersPerStream: 10_000,
    newStreamId: () => STREAM_ID,
    newAlertId: () => '1',
    newResumeToken: () => '1',
    alertCooldownMs: 0,
    alertSink: undefined,
    evidence: { keep: () => undefined, find: () => undefined },
    frameHandling: createDurations().sinks.frameHandling,
  });
  const link = new EncoderLink(new Peer(PRINCIPAL, new CountingSocket(), from));
  router.streams.register(link, {
    type: 'register',
    clientType: 'mobile',
    streamId: STREAM_ID,
  });
  const { framePath, counters } = router;
  // A viewer's lane is chosen when it joins, by the frame that is the newest then.
  framePath.accept(link, frameMessage(lane === 'topic' ? 2 : 34, from), from);
  const sockets = Array.from({ length: viewers }, () => {
    const socket = new CountingSocket();
    const viewer = new Viewer(new Peer(PRINCIPAL, socket, to));
    router.viewers.subscribe(viewer, {
      type: 'subscribe',
      clientType: 'dashboard',
      streamId: STREAM_ID,
      window,
    });
    socket.sentFrames = 0;
    return socket;
  });
  tap.takenFrames = 0;
  const deliveredBefore = counters.frames.delivered;

  let calls = 0;
  const direction = viewers === 0 || from === to ? NAMES[from] : `${NAMES[from]} to ${NAMES[to]}`;
  const held = window === undefined ? `in the ${lane} lane` : 'with full windows';
  const audience = viewers === 0 ? 'nobody watches' : `${viewers} ${held}`;
  return {
    name: `${sizeKb} KB ${direction}, ${audience}${tapWants ? ', and the tap wants it' : ''}`,
    operation: () => {
      calls += 1;
      clock.advance(FRAME_INTERVAL_MS);
      return framePath.accept(link, message, from);
    },
    check: () => {
      mustBe('frames accepted', counters.framesAccepted, calls + 1);
      const takers = window === undefined ? viewers : 0;
      mustBe('frames delivered', counters.frames.delivered - deliveredBefore, calls * takers);
      const sentFrames = sockets.reduce((sum, socket) => sum + socket.sentFrames, 0);
      mustBe('frames published', publisher.publishedFrames, lane === 'topic' && takers > 0 ? calls : 0);
      mustBe('frames sent', sentFrames, lane === 'direct' ? calls * takers : 0);
      mustBe('frames tapped', tap.takenFrames, tapWants ? calls : 0);
    },
  };
}

/** The copy of the newest frame alone: of one stream, or of many in turn, which push each other out of the cache. */
function keeping(sizeKb: number, streamCount: number): MicroTask {
  const message = frameMessage(sizeKb, 'msgpack');
  const newest = Array.from({ length: streamCount }, () => new NewestFrame());
  let calls = 0;
  return {
    name: `${sizeKb} KB MessagePack, only the newest-frame copy, ${streamCount} stream${streamCount === 1 ? '' : 's'}`,
    operation: () => {
      calls += 1;
      newest[calls % streamCount]?.keep(message, 'msgpack');
    },
    check: () => {
      const kept = newest.reduce((sum, { number }) => sum + number, 0);
      mustBe('frames kept', kept, calls);
    },
  };
}

class CountingPublisher implements Publisher {
  publishedFrames = 0;

  publishFrame(): void {
    this.publishedFrames += 1;
  }
}

/** A socket whose reader always keeps up. */
class CountingSocket implements PeerSocket {
  sentFrames = 0;

  sendFrame(): SendResult {
    this.sentFrames += 1;
    return 'sent';
  }

  sendControl(): SendResult {
    return 'sent';
  }

  bufferedBytes(): number {
    return 0;
  }

  joinTopic(): void {}

  leaveTopic(): void {}

  close(): void {}
}

/** Wants all frames or none, and copies nothing: what a tap does with a frame is the suite `ml-batcher`. */
class CountingTap implements FrameTap, StreamTap {
  readonly fps = 5;
  takenFrames = 0;
  readonly #wants: boolean;

  constructor(wants: boolean) {
    this.#wants = wants;
  }

  open(): StreamTap {
    return this;
  }

  wants(): boolean {
    return this.#wants;
  }

  take(): void {
    this.takenFrames += 1;
  }

  close(): void {}
}
