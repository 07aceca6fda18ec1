import type { DeliveredAlert } from '../../../proto/messages.ts';
import { OncePer } from '../../router/once-per.ts';
import type { After, AlertSink, Clock, Log } from '../../router/ports.ts';
import { AlertQueue, type QueuedAlert, type QueueLimits } from './alert-queue.ts';
import { attempt, type Outcome } from './attempt.ts';
import type { AlertReceiver } from './receiver.ts';
import { backOffMs, MAX_ATTEMPTS } from './retry.ts';

export interface AlertForwarderParts extends QueueLimits {
  receiver: AlertReceiver;
  clock: Clock;
  log: Log;
  after: After;
  /** From 0 to 1. */
  random: () => number;
  maxInFlight: number;
}

/** What became of the alerts since the start. All ever taken = `queued` + `inFlight` + `delivered` + all `dropped`. */
export interface WebhookStats {
  queued: number;
  inFlight: number;
  delivered: number;
  /** Attempts after the first of an alert. */
  retries: number;
  /** `refused`: by the receiver. `failed`: all attempts used up. `shutdown`: not delivered when the router ended. */
  dropped: { overflow: number; refused: number; failed: number; shutdown: number };
}

type Loss = 'overflow' | 'refused' | 'failed';

/**
 * Forwards alerts to a service that keeps them: each at least once, or counted. Those of a stream go out in order, the next
 * when the one before was delivered or given up; streams do not wait for each other.
 */
export class AlertForwarder implements AlertSink {
  readonly #parts: AlertForwarderParts;
  readonly #queue: AlertQueue;
  /** By stream, what cancels the wait before its next attempt. */
  readonly #waits = new Map<string, () => void>();
  readonly #retryLine = new OncePer(1000);
  readonly #lossLines = { overflow: new OncePer(1000), refused: new OncePer(1000), failed: new OncePer(1000) };
  readonly #counts = { delivered: 0, retries: 0 };
  readonly #dropped = { overflow: 0, refused: 0, failed: 0, shutdown: 0 };
  #closed: Promise<void> | undefined;
  #isClosing = false;
  #isOver = false;
  #onIdle: (() => void) | undefined;

  constructor(parts: AlertForwarderParts) {
    this.#parts = parts;
    this.#queue = new AlertQueue(parts);
  }

  get stats(): WebhookStats {
    const { waiting, away } = this.#queue;
    return { queued: waiting, inFlight: away, ...this.#counts, dropped: { ...this.#dropped } };
  }

  take(alert: DeliveredAlert): void {
    if (this.#isClosing) {
      this.#dropped.shutdown += 1;
      return;
    }
    // Written now: decoded values take up to thirty times the space of their text.
    const body = Buffer.from(JSON.stringify(alert));
    const dropped = this.#queue.push({ id: alert.id, streamId: alert.streamId, body, attempts: 0 });
    if (dropped > 0) this.#lost('overflow', dropped, 'too many wait');
    this.#pump();
  }

  /** Takes no more, sends what waits without long back-offs until the deadline, counts the rest, and closes the receiver. */
  close(deadlineMs: number): Promise<void> {
    this.#closed ??= this.#closeOnce(deadlineMs);
    return this.#closed;
  }

  async #closeOnce(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    this.#endWaits();
    this.#pump();
    if (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#parts.after(deadlineMs, resolve);
        this.#onIdle = () => {
          cancel();
          resolve();
        };
      });
    }
    this.#isOver = true;
    this.#endWaits();
    const count = this.#pending;
    this.#dropped.shutdown += count;
    this.#queue.clear();
    const { log, receiver } = this.#parts;
    if (count > 0) log('warn', { count, url: receiver.address }, 'alerts lost: not delivered before the end');
    await receiver.close();
  }

  get #pending(): number {
    return this.#queue.waiting + this.#queue.away;
  }

  #pump(): void {
    while (this.#queue.away < this.#parts.maxInFlight) {
      const alert = this.#queue.next();
      if (alert === undefined) return;
      void this.#send(alert);
    }
  }

  async #send(alert: QueuedAlert): Promise<void> {
    alert.attempts += 1;
    if (alert.attempts > 1) this.#counts.retries += 1;
    const outcome = await attempt(this.#parts.receiver, alert);
    // It was counted as lost at the end.
    if (this.#isOver) return;
    if (outcome.verdict === 'again' && alert.attempts < MAX_ATTEMPTS) {
      this.#queue.putBack(alert);
      this.#waitAfter(alert, outcome);
    } else {
      this.#queue.settle(alert);
      if (outcome.verdict === 'delivered') this.#counts.delivered += 1;
      else this.#lost(outcome.verdict === 'refused' ? 'refused' : 'failed', 1, outcome.reason);
    }
    this.#pump();
    if (this.#pending === 0) this.#onIdle?.();
  }

  #waitAfter({ streamId, attempts }: QueuedAlert, { reason, retryAfterMs }: Outcome): void {
    const { after, clock, log, random, receiver } = this.#parts;
    // Near the end every wait is like a first one: there may be no later.
    const delayMs = this.#isClosing ? backOffMs(1, random()) : Math.max(backOffMs(attempts, random()), retryAfterMs);
    const cancel = after(delayMs, () => {
      this.#waits.delete(streamId);
      this.#queue.release(streamId);
      this.#pump();
    });
    this.#waits.set(streamId, cancel);
    const times = this.#retryLine.due(clock.monotonicMs());
    if (times > 0) log('warn', { times, reason, url: receiver.address }, 'alert not delivered yet, tried again later');
  }

  #endWaits(): void {
    for (const [streamId, cancel] of this.#waits) {
      cancel();
      this.#queue.release(streamId);
    }
    this.#waits.clear();
  }

  #lost(how: Loss, count: number, reason: string): void {
    this.#dropped[how] += count;
    const { clock, log, receiver } = this.#parts;
    const times = this.#lossLines[how].due(clock.monotonicMs());
    if (times > 0) log('warn', { times, reason, url: receiver.address }, `alerts lost: ${how}`);
  }
}
