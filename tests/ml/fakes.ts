import { MlFeed, type MlFeedParts } from '../../src/ml/feed.ts';
import type { MayGo, MlTransport, SampledFrame } from '../../src/ml/transport.ts';
import type { Clock, StreamTap } from '../../src/router/ports.ts';

/** A clock with its timers: time passes only in `advance`, timer by timer. */
export class FakeTime implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; action: () => void }>();

  epochMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after = (delayMs: number, action: () => void): (() => void) => {
    const timer = { atMs: this.#nowMs + delayMs, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get pendingTimers(): number {
    return this.#timers.size;
  }

  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#nextTimer(endMs); next !== undefined; next = this.#nextTimer(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.action();
    }
    this.#nowMs = endMs;
  }

  #nextTimer(endMs: number): { atMs: number; action: () => void } | undefined {
    return [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((one, other) => one.atMs - other.atMs)[0];
  }
}

/** One request at the service, which the test answers. */
export interface FakeRequest {
  atMs: number;
  frames: readonly SampledFrame[];
  /** What the pictures looked like when they were sent. */
  pictures: string[];
  answer: (alerts?: unknown[]) => Promise<void>;
  fail: (reason?: string) => Promise<void>;
  isOpen: boolean;
  /** What a transport asks before a frame goes out. */
  mayGo: MayGo;
}

export class FakeService implements MlTransport {
  isConnected = true;
  readonly requests: FakeRequest[] = [];
  isBusy = false;
  reconnects = false;
  isClosed = false;
  size: number;
  readonly #time: FakeTime;

  constructor(time: FakeTime, size: number) {
    this.#time = time;
    this.size = size;
  }

  batchSize(): number {
    return this.size;
  }

  analyze(frames: readonly SampledFrame[], mayGo: MayGo = () => true): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      const request: FakeRequest = {
        atMs: this.#time.monotonicMs(),
        frames,
        pictures: frames.map(pictureOf),
        isOpen: true,
        mayGo,
        answer: (alerts = []) => {
          request.isOpen = false;
          resolve(alerts);
          return settled();
        },
        fail: (reason = 'down') => {
          request.isOpen = false;
          reject(new Error(reason));
          return settled();
        },
      };
      this.requests.push(request);
    });
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  get open(): FakeRequest[] {
    return this.requests.filter(({ isOpen }) => isOpen);
  }

  /** Request `index`, which must have been sent. */
  request(index: number): FakeRequest {
    const request = this.requests[index];
    if (request === undefined) throw new Error(`only ${this.requests.length} requests so far`);
    return request;
  }

  /** The streams of each request, in order. */
  get batches(): string[][] {
    return this.requests.map(({ frames }) => frames.map(({ streamId }) => streamId));
  }

  /** Numbers of a stream's frames that were sent, in order. */
  sent(streamId: string): number[] {
    return this.requests.flatMap(({ frames }) => frames.filter((frame) => frame.streamId === streamId).map(seqOf));
  }
}

export interface FeedOptions extends Partial<Omit<MlFeedParts, 'transport' | 'clock' | 'after'>> {
  batchSize?: number;
  reconnects?: boolean;
}

/** A feed with the numbers of a router as it comes, and everything around it in the test's hands. */
export class FeedWorld {
  readonly time = new FakeTime();
  readonly service: FakeService;
  readonly feed: MlFeed;
  readonly alerts: unknown[] = [];
  readonly logLines: { facts: Record<string, unknown>; message: string }[] = [];
  /** What each stream's encoder says of it; to be set before its first frame. */
  readonly metadata = new Map<string, Record<string, unknown>>();
  readonly #seqs = new Map<string, number>();
  readonly #taps = new Map<string, StreamTap>();

  constructor({ batchSize = 16, reconnects = false, ...parts }: FeedOptions = {}) {
    this.service = new FakeService(this.time, batchSize);
    this.service.reconnects = reconnects;
    this.feed = new MlFeed({
      transport: this.service,
      clock: this.time,
      after: this.time.after,
      log: (_level, facts, message) => this.logLines.push({ facts, message }),
      onAlert: (alert) => this.alerts.push(alert),
      fps: 5,
      batchWaitMs: 25,
      maxInFlight: 4,
      maxAgeMs: 1_000,
      timeoutMs: 5_000,
      ...parts,
    });
  }

  /** A stream's next frame comes along, as the frame path offers it. True when it was sampled. */
  frame(streamId: string, bytes = 8): boolean {
    const seq = (this.#seqs.get(streamId) ?? 0) + 1;
    this.#seqs.set(streamId, seq);
    const nowMs = this.time.monotonicMs();
    const tap =
      this.#taps.get(streamId) ?? this.feed.open({ id: streamId, metadata: this.metadata.get(streamId) ?? {} }, nowMs);
    this.#taps.set(streamId, tap);
    if (!tap.wants(nowMs)) return false;
    const memory = Buffer.alloc(bytes, seq % 251);
    tap.take(memory, seq * 10, seq, nowMs);
    // The frame path's memory is taken back after the call.
    memory.fill(0);
    return true;
  }

  /** The stream is gone. */
  end(streamId: string): void {
    this.#taps.get(streamId)?.close();
    this.#taps.delete(streamId);
  }

  frames(streamIds: readonly string[]): void {
    for (const streamId of streamIds) this.frame(streamId);
  }
}

/** Ids of `count` streams. */
export function streamIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `s${index}`);
}

export function seqOf({ seq }: SampledFrame): number {
  return seq;
}

export function pictureOf({ data }: SampledFrame): string {
  return Buffer.from(data).toString('hex');
}

/** Everything that follows from promises that were settled has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
