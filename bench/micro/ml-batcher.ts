import { MlFeed } from '../../src/ml/feed.ts';
import type { MlTransport, SampledFrame } from '../../src/ml/transport.ts';
import type { StreamTap } from '../../src/router/ports.ts';
import { plainFrame } from './frames.ts';
import { SteppingClock } from './stepping-clock.ts';
import { type MicroTask, mustBe, nothing, nothingAsync } from './suite.ts';

/**
 * What does the way to the ML service add to a frame that is not sampled, which most are not, and to one that is?
 * A sampled frame is copied, waits with those of other streams and goes out in a batch; the transport answers at once,
 * so HTTP is not in the figures, nor are real clocks and timers. Before each such frame promises have their turn, as
 * they have between two messages of a socket. Sizes are those of the JPEG, 1 KB = 1000 bytes.
 */
export const question = 'What does a frame pay for the way to the ML service, not sampled and sampled?';

/** Numbers of a router as it comes. */
const FPS = 5;
const BATCH_SIZE = 16;
const SETTINGS = { fps: FPS, batchWaitMs: 25, maxInFlight: 4, maxAgeMs: 1_000, timeoutMs: 5_000 };

export function tasks(): MicroTask[] {
  return [
    nothing(),
    refusing(1),
    refusing(100),
    nothingAsync(),
    ...[2, 34].flatMap((sizeKb) => [1, 100].map((streamCount) => batching(sizeKb, streamCount))),
  ];
}

/** `wants` of streams that were sampled a moment ago. */
function refusing(streamCount: number): MicroTask {
  const { clock, taps } = feedOf(streamCount);
  const { data } = plainFrame(2);
  for (const tap of taps) tap.take(data, 0, 1, clock.monotonicMs());
  let calls = 0;
  let wanted = 0;
  return {
    name: `wants, when it does not, ${counted(streamCount)}`,
    operation: () => {
      calls += 1;
      if (taps[calls % streamCount]?.wants(clock.monotonicMs())) wanted += 1;
    },
    check: () => mustBe('frames wanted', wanted, 0),
  };
}

/** Each stream's next frame comes when it is wanted again, and the streams' frames come evenly spread. */
function batching(sizeKb: number, streamCount: number): MicroTask {
  const { feed, clock, taps } = feedOf(streamCount);
  const { data } = plainFrame(sizeKb);
  const stepMs = 1000 / FPS / streamCount;
  // While the first frame of a batch waits, this many more come.
  const batchSize = Math.min(BATCH_SIZE, 1 + Math.floor(SETTINGS.batchWaitMs / stepMs));
  let calls = 0;
  return {
    name: `${sizeKb} KB, taken and sent in batches of ${batchSize}, ${counted(streamCount)}`,
    operation: async () => {
      calls += 1;
      const nowMs = clock.advance(stepMs);
      await undefined;
      const tap = taps[calls % streamCount];
      if (tap?.wants(nowMs)) tap.take(data, nowMs, calls, nowMs);
    },
    check: () => {
      const { sampled, sent, requests, failedRequests, dropped } = feed.stats;
      mustBe('frames sampled', sampled, calls);
      mustBe('frames dropped', dropped.replaced + dropped.stale + failedRequests, 0);
      mustBe('frames sent, all but the last batch', Number(sent > calls - BATCH_SIZE), 1);
      mustBe('frames per batch', Math.round(sent / requests), batchSize);
    },
  };
}

interface FeedScene {
  feed: MlFeed;
  clock: TimerClock;
  taps: readonly StreamTap[];
}

function feedOf(streamCount: number): FeedScene {
  const clock = new TimerClock();
  const feed = new MlFeed({
    ...SETTINGS,
    transport: new InstantTransport(),
    clock,
    log: () => undefined,
    after: clock.after,
    onAlert: () => undefined,
  });
  const nowMs = clock.monotonicMs();
  return {
    feed,
    clock,
    taps: Array.from({ length: streamCount }, (_, index) => feed.open({ id: `stream_${index}`, metadata: {} }, nowMs)),
  };
}

function counted(streamCount: number): string {
  return `${streamCount} stream${streamCount === 1 ? '' : 's'}`;
}

/** With the one timer that a feed has at a time. */
class TimerClock extends SteppingClock {
  #dueMs = Number.POSITIVE_INFINITY;
  #action: () => void = ignore;

  after = (delayMs: number, action: () => void): (() => void) => {
    this.#dueMs = this.monotonicMs() + delayMs;
    this.#action = action;
    return this.#cancel;
  };

  override advance(ms: number): number {
    const nowMs = super.advance(ms);
    if (nowMs >= this.#dueMs) {
      const action = this.#action;
      this.#cancel();
      action();
    }
    return nowMs;
  }

  readonly #cancel = (): void => {
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#action = ignore;
  };
}

function ignore(): void {}

class InstantTransport implements MlTransport {
  readonly isConnected = true;
  readonly isBusy = false;
  readonly reconnects = false;
  readonly #noAlerts: Promise<unknown[]> = Promise.resolve([]);

  batchSize(): number {
    return BATCH_SIZE;
  }

  analyze(_frames: readonly SampledFrame[]): Promise<unknown[]> {
    return this.#noAlerts;
  }

  async close(): Promise<void> {}
}
