import type { DeliveredAlert } from '../../proto/messages.ts';
import { AlertForwarder, type AlertForwarderParts } from '../../src/gateways/webhook/forwarder.ts';
import type { AlertReceiver, OutgoingAlert, ReceiverAnswer } from '../../src/gateways/webhook/receiver.ts';
import { FakeTime, settled } from '../ml/fakes.ts';

/** One attempt at the receiver, which the test answers. */
export interface FakePost {
  atMs: number;
  alert: OutgoingAlert;
  answer: (status: number, retryAfterMs?: number) => Promise<void>;
  fail: (code?: string) => Promise<void>;
  isOpen: boolean;
}

class FakeReceiver implements AlertReceiver {
  readonly address = 'http://keeper/alerts';
  readonly posts: FakePost[] = [];
  isClosed = false;
  readonly #time: FakeTime;

  constructor(time: FakeTime) {
    this.#time = time;
  }

  post(alert: OutgoingAlert): Promise<ReceiverAnswer> {
    return new Promise((resolve, reject) => {
      const post: FakePost = {
        atMs: this.#time.monotonicMs(),
        alert,
        isOpen: true,
        answer: (status, retryAfterMs = 0) => {
          post.isOpen = false;
          resolve({ status, retryAfterMs });
          return settled();
        },
        fail: (code = 'ECONNREFUSED') => {
          post.isOpen = false;
          reject(Object.assign(new Error('down'), { code }));
          return settled();
        },
      };
      this.posts.push(post);
    });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all(this.open.map((post) => post.fail('UND_ERR_DESTROYED')));
  }

  get open(): FakePost[] {
    return this.posts.filter(({ isOpen }) => isOpen);
  }

  /** Ids in the order they were posted, repeats included. */
  get ids(): string[] {
    return this.posts.map(({ alert }) => alert.id);
  }
}

/** A forwarder with the numbers of a router as it comes and the longest back-offs, and everything around it in the test's hands. */
export class ForwarderWorld {
  readonly time = new FakeTime();
  readonly receiver = new FakeReceiver(this.time);
  readonly forwarder: AlertForwarder;
  readonly logLines: { facts: Record<string, unknown>; message: string }[] = [];
  taken = 0;

  constructor(parts: Partial<Omit<AlertForwarderParts, 'receiver' | 'clock' | 'after'>> = {}) {
    this.forwarder = new AlertForwarder({
      receiver: this.receiver,
      clock: this.time,
      after: this.time.after,
      log: (_level, facts, message) => this.logLines.push({ facts, message }),
      random: () => 1,
      maxAlerts: 1_000,
      maxBytes: 16 * 1024 * 1024,
      maxInFlight: 8,
      ...parts,
    });
  }

  get stats() {
    return this.forwarder.stats;
  }

  /** The newest attempt. */
  get lastPost(): FakePost {
    const post = this.receiver.posts.at(-1);
    if (post === undefined) throw new Error('nothing was posted');
    return post;
  }

  /** Alerts with these ids; the stream is what stands before the number: `door1` is the first of `door`. */
  take(...ids: string[]): void {
    for (const id of ids) this.takeAlert(alertOf(id));
  }

  takeAlert(alert: DeliveredAlert): void {
    this.taken += 1;
    this.forwarder.take(alert);
  }

  /** Answers whatever is posted with 200, until nothing more is. Answers the ids that arrived. */
  async deliverAll(): Promise<string[]> {
    const arrived: string[] = [];
    for (let [post] = this.receiver.open; post !== undefined; [post] = this.receiver.open) {
      arrived.push(post.alert.id);
      await post.answer(200);
    }
    return arrived;
  }
}

export function alertOf(id: string, message = 'Person'): DeliveredAlert {
  const streamId = id.replace(/\d+$/, '');
  return { type: 'alert', id, streamId, severity: 'high', message, metadata: { score: 0.9 }, timestamp: 1729943200123 };
}

/** `count` ids of a stream: `door1`, `door2`, … */
export function idsOf(streamId: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${streamId}${index + 1}`);
}
