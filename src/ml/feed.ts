import { OncePer } from '../router/once-per.ts';
import type { Clock, FrameTap, Log } from '../router/ports.ts';
import { TokenBucket } from '../router/token-bucket.ts';
import { FrameSlot } from './frame-slot.ts';
import type { MlTransport } from './transport.ts';

export interface MlFeedParts {
  transport: MlTransport;
  clock: Clock;
  log: Log;
  /** Calls `action` after `delayMs`; returns a cancel. */
  after: (delayMs: number, action: () => void) => () => void;
  /** Takes one alert as the service wrote it. Throws when it is refused. */
  onAlert: (alert: unknown) => void;
  /** Frames per second and stream. */
  fps: number;
  batchWaitMs: number;
  maxInFlight: number;
  maxAgeMs: number;
}

/** What the ML path did since the start; `/stats` shows it under `ml`. */
export interface MlStats {
  sampled: number;
  sent: number;
  requests: number;
  failedRequests: number;
  /** `replaced`: a newer frame of the stream came first. `stale`: too old to be worth sending. `failed`: the request failed. */
  dropped: { replaced: number; stale: number; failed: number };
  alerts: { accepted: number; refused: number };
  inFlight: number;
}

const SAMPLING_BURST = 1.5;

interface Sampling {
  bucket: TokenBucket;
  slot: FrameSlot;
}

/**
 * Feeds an ML service: samples each stream, keeps its newest frame, and sends batches, the stream that waits longest
 * first. The queue is one frame per stream, whatever the service does. Times come from the injected clock.
 */
export class MlFeed implements FrameTap {
  readonly #parts: MlFeedParts;
  readonly #streams = new Map<string, Sampling>();
  /** Streams whose frame may go now, the longest waiting first. */
  readonly #ready = new Set<string>();
  readonly #failureLine = new OncePer(1000);
  readonly #refusalLine = new OncePer(1000);
  readonly #idle = new Set<() => void>();
  #cancelTimer: (() => void) | undefined;
  #closed = false;
  readonly stats: MlStats = {
    sampled: 0,
    sent: 0,
    requests: 0,
    failedRequests: 0,
    dropped: { replaced: 0, stale: 0, failed: 0 },
    alerts: { accepted: 0, refused: 0 },
    inFlight: 0,
  };

  constructor(parts: MlFeedParts) {
    this.#parts = parts;
  }

  wants(streamId: string, nowMs: number): boolean {
    if (this.#closed) return false;
    return this.#sampling(streamId, nowMs).bucket.has(1, nowMs);
  }

  take(streamId: string, jpeg: Uint8Array, timestamp: number, seq: number, nowMs: number): void {
    const { bucket, slot } = this.#sampling(streamId, nowMs);
    bucket.take(1);
    this.stats.sampled += 1;
    if (slot.put(jpeg, timestamp, seq, nowMs)) this.stats.dropped.replaced += 1;
    if (slot.isAway) return;
    this.#ready.add(streamId);
    // On the frame path: with all requests under way there is nothing to do until one comes back.
    if (this.stats.inFlight < this.#parts.maxInFlight) this.#pump();
  }

  drop(streamId: string): void {
    this.#streams.delete(streamId);
    this.#ready.delete(streamId);
  }

  /** Takes no more frames, waits for the requests under way, and closes the transport. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#ready.clear();
    if (this.stats.inFlight > 0) await new Promise<void>((resolve) => this.#idle.add(resolve));
    await this.#parts.transport.close();
  }

  #sampling(streamId: string, nowMs: number): Sampling {
    let sampling = this.#streams.get(streamId);
    if (sampling === undefined) {
      // Frames are to be spread over the second, so hardly any burst; but with none at all, a camera whose frames come a
      // few ms early now and then is sampled at 4 fps instead of 5 (tests/ml/feed.test.ts, "a few ms early or late").
      sampling = { bucket: new TokenBucket(this.#parts.fps, SAMPLING_BURST, nowMs), slot: new FrameSlot(streamId) };
      this.#streams.set(streamId, sampling);
    }
    return sampling;
  }

  /** Sends what may go now: full batches at once, smaller ones when the first of them has waited long enough. */
  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#dropStale();
    while (this.#ready.size > 0 && this.stats.inFlight < this.#parts.maxInFlight) {
      const waitedMs = this.#parts.clock.monotonicMs() - this.#oldestMs();
      const waitMs = this.#parts.transport.batchSize() === 1 ? 0 : this.#parts.batchWaitMs - waitedMs;
      if (this.#ready.size < this.#parts.transport.batchSize() && waitMs > 0) {
        this.#cancelTimer = this.#parts.after(waitMs, () => this.#pump());
        return;
      }
      void this.#sendBatch();
    }
  }

  #oldestMs(): number {
    const [first] = this.#ready;
    return this.#streams.get(first as string)?.slot.waitingSinceMs ?? 0;
  }

  #dropStale(): void {
    const oldestAllowedMs = this.#parts.clock.monotonicMs() - this.#parts.maxAgeMs;
    for (const streamId of this.#ready) {
      const slot = this.#streams.get(streamId)?.slot;
      if (slot === undefined || slot.takenAtMs >= oldestAllowedMs) continue;
      slot.isFull = false;
      this.#ready.delete(streamId);
      this.stats.dropped.stale += 1;
    }
  }

  async #sendBatch(): Promise<void> {
    const slots: FrameSlot[] = [];
    for (const streamId of this.#ready) {
      if (slots.length >= this.#parts.transport.batchSize()) break;
      this.#ready.delete(streamId);
      const slot = this.#streams.get(streamId)?.slot;
      if (slot !== undefined) slots.push(slot);
    }
    this.stats.inFlight += 1;
    this.stats.requests += 1;
    this.stats.sent += slots.length;
    try {
      for (const alert of await this.#parts.transport.analyze(slots.map((slot) => slot.send()))) this.#deliver(alert);
    } catch (error) {
      this.#failed(error, slots.length);
    }
    this.stats.inFlight -= 1;
    for (const slot of slots) this.#back(slot);
    if (this.stats.inFlight === 0) for (const resolve of this.#idle) resolve();
    this.#pump();
  }

  #back(slot: FrameSlot): void {
    slot.back();
    // The stream may have ended, or begun anew with another slot, while its frame was away.
    if (slot.isFull && !this.#closed && this.#streams.get(slot.streamId)?.slot === slot) this.#ready.add(slot.streamId);
  }

  #deliver(alert: unknown): void {
    try {
      this.#parts.onAlert(alert);
      this.stats.alerts.accepted += 1;
    } catch (error) {
      this.stats.alerts.refused += 1;
      const times = this.#refusalLine.due(this.#parts.clock.monotonicMs());
      if (times > 0) this.#parts.log('warn', { times, reason: reasonOf(error) }, 'alert of the ML service refused');
    }
  }

  #failed(error: unknown, frames: number): void {
    this.stats.failedRequests += 1;
    this.stats.dropped.failed += frames;
    const times = this.#failureLine.due(this.#parts.clock.monotonicMs());
    if (times > 0)
      this.#parts.log('warn', { times, reason: reasonOf(error) }, 'ML request failed, its frames are dropped');
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : '';
  return `${code}${error.message}`;
}
