import { OncePer } from '../router/once-per.ts';
import type {
  After,
  AnalysedFrame,
  Clock,
  DurationSink,
  FrameTap,
  Log,
  StreamTap,
  TappedStream,
} from '../router/ports.ts';
import { Allowance } from './allowance.ts';
import { Batch } from './batch.ts';
import { MAX_BATCH_BYTES } from './batch-encoders.ts';
import { Breaker, type BreakerState } from './breaker.ts';
import { emptyStats, type MlStats } from './ml-stats.ts';
import { ReadyQueue } from './ready-queue.ts';
import { type FrameHint, RecentFrames } from './recent-frames.ts';
import { type SamplerOwner, StreamSampler } from './stream-sampler.ts';
import type { MlTransport, SampledFrame } from './transport.ts';

export type FrameOf = (hint: FrameHint) => AnalysedFrame | undefined;

export interface MlFeedParts {
  transport: MlTransport;
  clock: Clock;
  log: Log;
  after: After;
  /** Takes one alert as the service wrote it; `frameOf` answers the frame it was seen in, where that is known. Throws when it is refused. */
  onAlert: (alert: unknown, frameOf: FrameOf) => void;
  /** Frames per second and stream. */
  fps: number;
  batchWaitMs: number;
  maxInFlight: number;
  maxAgeMs: number;
  /** After which the transport gives a request up. */
  timeoutMs: number;
  /** See `SamplerParts`. */
  priorityField?: string | undefined;
  /** Keep the frames that went out lately, for alerts that come another way than with the answer. */
  keepsRecent?: boolean;
  /** How long each request took, until the service had answered, or had the frames where it does not answer. */
  requestTook?: DurationSink<'answered' | 'failed'>;
}

/** A service that fails five times in a row is left alone for a second, then asked again with one batch, and after up to half a minute. */
const BREAKER_LIMITS = { failures: 5, pauseMs: 1_000, maxPauseMs: 30_000 };
/** Where the transport pauses by itself: frames go on soon after it is back. */
const SHORT_BREAKER_LIMITS = { failures: 5, pauseMs: 250, maxPauseMs: 1_000 };

/** Three seconds of 5 fps of a hundred streams, 34 KB a frame. */
const RECENT_FRAMES_BYTES = 64 * 1024 * 1024;

/**
 * Feeds an ML service: samples each stream, keeps its newest frame, and sends batches, the stream that waits longest
 * first. The queue is one frame per stream, whatever the service does. Times come from the injected clock.
 */
export class MlFeed implements FrameTap, SamplerOwner {
  readonly #parts: MlFeedParts;
  readonly #ready: ReadyQueue;
  readonly #failureLine = new OncePer(1000);
  readonly #refusalLine = new OncePer(1000);
  readonly #idle = new Set<() => void>();
  readonly #breaker: Breaker;
  readonly #allowance: Allowance;
  #framesUnderWay = 0;
  /** Where answers name no request, or alerts may come by `POST /alerts`. */
  readonly #recent: RecentFrames | undefined;
  #cancelAgeTimer: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #closed = false;
  readonly stats: MlStats;

  constructor(parts: MlFeedParts) {
    this.#parts = parts;
    this.#ready = new ReadyQueue(parts.priorityField !== undefined);
    this.#recent = parts.transport.reconnects || parts.keepsRecent ? new RecentFrames(RECENT_FRAMES_BYTES) : undefined;
    this.#breaker = new Breaker(parts.transport.reconnects ? SHORT_BREAKER_LIMITS : BREAKER_LIMITS);
    this.#allowance = new Allowance(parts.timeoutMs);
    this.stats = emptyStats(parts.transport, () => this.#breakerState());
  }

  get fps(): number {
    return this.#parts.fps;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Streams whose newest frame waits for a request. */
  get waiting(): number {
    return this.#ready.size;
  }

  /** The service cannot be relied on now. */
  get isDegraded(): boolean {
    return !this.stats.connected || this.stats.breaker !== 'closed';
  }

  open(stream: TappedStream, nowMs: number): StreamTap {
    const { fps, priorityField } = this.#parts;
    this.#recent?.begin(stream.id);
    const sampler = new StreamSampler(stream, nowMs, { fps, priorityField, owner: this });
    this.#ready.join(sampler);
    return sampler;
  }

  taken(sampler: StreamSampler, replaced: boolean): void {
    this.stats.sampled += 1;
    if (replaced) this.stats.dropped.replaced += 1;
    if (sampler.slot.isAway) return;
    this.#ready.add(sampler);
    this.#watchAge();
    // On the frame path: with all requests under way, or a batch that waits for more, there is nothing to do yet.
    if (this.#cancelTimer !== undefined && this.#ready.size < this.#mostFrames) return;
    if (this.#hasRoom) this.#pump();
  }

  ended(sampler: StreamSampler): void {
    this.#ready.leave(sampler);
    this.#recent?.end(sampler.slot.streamId);
  }

  /** An alert that answers no request: the service sent it when it liked. */
  reported(alert: unknown): void {
    this.#deliver(alert, (hint) => this.find(hint));
  }

  /** The frame that an alert speaks of which comes another way. Undefined where none are kept. */
  find(hint: FrameHint): AnalysedFrame | undefined {
    return this.#recent?.find(hint);
  }

  /** Takes no more frames, waits for the requests under way, and closes the transport. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelAgeTimer?.();
    this.#ready.clear();
    if (this.stats.inFlight > 0) await new Promise<void>((resolve) => this.#idle.add(resolve));
    await this.#parts.transport.close();
  }

  #breakerState(): BreakerState {
    const { transport, clock } = this.#parts;
    const isBack = transport.reconnects && transport.isConnected && this.#breaker.waitMs(clock.monotonicMs()) === 0;
    return isBack ? 'closed' : this.#breaker.state;
  }

  get #hasRoom(): boolean {
    const { maxInFlight, transport } = this.#parts;
    return this.stats.inFlight < maxInFlight && this.#framesUnderWay < this.#allowance.frames && !transport.isBusy;
  }

  /** Of the next batch. */
  get #mostFrames(): number {
    return Math.min(this.#parts.transport.batchSize(), this.#allowance.frames - this.#framesUnderWay);
  }

  /** Sends what may go now: full batches at once, smaller ones when the first of them has waited long enough. */
  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#dropStale();
    while (this.#ready.size > 0 && this.#hasRoom) {
      const waitMs = this.#waitMs();
      if (waitMs === 0) void this.#sendBatch();
      else if (waitMs === Number.POSITIVE_INFINITY) return;
      else {
        this.#cancelTimer = this.#parts.after(waitMs, () => this.#pump());
        return;
      }
    }
  }

  /** How long the next batch must wait, for more frames or for the service. Infinity: until the request under way has come back. */
  #waitMs(): number {
    const { clock, transport, batchWaitMs } = this.#parts;
    const nowMs = clock.monotonicMs();
    const forServiceMs = this.#breaker.waitMs(nowMs);
    const isFull = this.#ready.size >= this.#mostFrames;
    const forFramesMs = isFull || transport.batchSize() === 1 ? 0 : batchWaitMs - (nowMs - this.#ready.oldestMs);
    return Math.max(0, forServiceMs, forFramesMs);
  }

  /** Frames that no request comes for are dropped when they are too old, and not only when the next one is sent. */
  #watchAge(): void {
    this.#cancelAgeTimer ??= this.#parts.after(this.#parts.maxAgeMs, () => {
      this.#cancelAgeTimer = undefined;
      this.#dropStale();
      if (this.#ready.size > 0) this.#watchAge();
    });
  }

  #dropStale(): void {
    this.stats.dropped.stale += this.#ready.dropOlderThan(this.#parts.clock.monotonicMs() - this.#parts.maxAgeMs);
  }

  async #sendBatch(): Promise<void> {
    const { clock, transport, maxInFlight, requestTook } = this.#parts;
    const nowMs = clock.monotonicMs();
    const samplers = this.#ready.take(nowMs, { maxFrames: this.#mostFrames, maxBytes: MAX_BATCH_BYTES });
    const batch = new Batch(samplers);
    this.#breaker.begin();
    this.stats.inFlight += 1;
    this.stats.requests += 1;
    this.#framesUnderWay += samplers.length;
    // A set: on its way from batches to single frames a transport may ask about one twice.
    const stale = new Set<SampledFrame>();
    const mayGo = (frame: SampledFrame) => {
      const isFresh = clock.monotonicMs() - batch.takenAtMs(frame) <= this.#parts.maxAgeMs;
      if (!isFresh) stale.add(frame);
      return isFresh;
    };
    try {
      const frames = batch.send();
      if (this.#recent !== undefined) for (const { streamId } of frames) this.#remember(streamId, batch.of(streamId));
      const alerts = await transport.analyze(frames, mayGo);
      const answeredAtMs = clock.monotonicMs();
      requestTook?.(answeredAtMs - nowMs, 'answered');
      this.#breaker.succeeded();
      this.#allowance.answered(nowMs, answeredAtMs, frames.length, maxInFlight * transport.batchSize());
      const frameOf = (hint: FrameHint) => batch.seenIn(hint, () => this.find(hint));
      for (const alert of alerts) this.#deliver(alert, frameOf);
    } catch (error) {
      const failedAtMs = clock.monotonicMs();
      requestTook?.(failedAtMs - nowMs, 'failed');
      this.#breaker.failed(failedAtMs);
      this.#allowance.failed(nowMs, failedAtMs, this.#framesUnderWay);
      this.#failed(error, samplers.length - stale.size);
    }
    this.stats.sent += samplers.length - stale.size;
    this.stats.dropped.stale += stale.size;
    this.stats.inFlight -= 1;
    this.#framesUnderWay -= samplers.length;
    for (const sampler of samplers) this.#back(sampler);
    if (this.stats.inFlight === 0) for (const resolve of this.#idle) resolve();
    this.#pump();
  }

  #back(sampler: StreamSampler): void {
    const { slot, hasEnded } = sampler;
    slot.back();
    // The stream may have ended while its frame was away.
    if (slot.isFull && !this.#closed && !hasEnded) this.#ready.add(sampler);
  }

  #deliver(alert: unknown, frameOf: FrameOf): void {
    try {
      this.#parts.onAlert(alert, frameOf);
      this.stats.alerts.accepted += 1;
    } catch (error) {
      this.stats.alerts.refused += 1;
      const times = this.#refusalLine.due(this.#parts.clock.monotonicMs());
      if (times > 0) this.#parts.log('warn', { times, reason: reasonOf(error) }, 'alert of the ML service refused');
    }
  }

  #remember(streamId: string, frame: AnalysedFrame | undefined): void {
    if (frame !== undefined) this.#recent?.keep(streamId, frame);
  }

  #failed(error: unknown, frames: number): void {
    this.stats.failedRequests += 1;
    this.stats.dropped.failed += frames;
    const times = this.#failureLine.due(this.#parts.clock.monotonicMs());
    if (times === 0) return;
    const { frames: most } = this.#allowance;
    const facts = { times, reason: reasonOf(error), ...(Number.isFinite(most) ? { mostFramesUnderWay: most } : {}) };
    this.#parts.log('warn', facts, 'ML request failed, its frames are dropped');
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : '';
  return `${code}${error.message}`;
}
