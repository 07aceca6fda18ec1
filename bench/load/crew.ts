import { Worker } from 'node:worker_threads';
import { LoadError } from './load-error.ts';
import { count, Meter } from './meter.ts';
import { type Connection, distribute, type LoadPlan } from './plan.ts';
import { forEachKind } from './report.ts';
import type { FromWorker, ToWorker, WorkerData } from './worker-messages.ts';

interface Member {
  worker: Worker;
  /** Who waits for its next message of a kind. */
  waiting: Map<FromWorker['kind'], (message: FromWorker) => void>;
}

/** All workers of one run, spoken to as one. */
export class Crew {
  readonly failed: Record<string, number> = {};
  readonly opened: Record<Connection['role'], number> = { encoder: 0, viewer: 0 };
  readonly openedViewers = forEachKind(() => 0);
  readonly #members: Member[];
  #onLost: (error: Error) => void = () => undefined;
  /** Rejects when a worker dies. */
  readonly lost = new Promise<never>((_resolve, reject) => {
    this.#onLost = reject;
  });

  constructor(plan: LoadPlan) {
    // Nobody may be waiting for it yet when it happens.
    this.lost.catch(() => undefined);
    const runId = Math.random().toString(36).slice(2, 10);
    const progress = new SharedArrayBuffer(plan.streams * 8);
    this.#members = distribute(plan).map((connections) => {
      const workerData: WorkerData = { plan, connections, runId, progress };
      const member: Member = {
        worker: new Worker(new URL('./worker.js', import.meta.url), { workerData }),
        waiting: new Map(),
      };
      member.worker.on('message', (message: FromWorker) => this.#heard(member, message));
      member.worker.on('error', (error) =>
        this.#onLost(new LoadError(`a thread of the tool failed: ${error.message}`)),
      );
      member.worker.on('exit', () => this.#onLost(new LoadError('a thread of the tool ended before its time')));
      return member;
    });
  }

  /** Opens all connections of a role, evenly over `seconds`. Failures are counted, not thrown. */
  async connect(role: Connection['role'], seconds: number): Promise<void> {
    await this.#all({ kind: 'connect', role, seconds }, 'connected');
  }

  go(): void {
    this.#tell({ kind: 'go' });
  }

  /** Resolves when the time is over, with the share of it that each thread was busy. */
  async measure(fromMicros: number, toMicros: number): Promise<number[]> {
    const answers = await this.#all({ kind: 'measure', fromMicros, toMicros }, 'measured');
    return answers.map((answer) => (answer.kind === 'measured' ? answer.busy : 0));
  }

  /** What all of them counted since the last time. */
  async meter(last = false): Promise<Meter> {
    const sum = new Meter();
    for (const answer of await this.#all({ kind: 'report', last }, 'meter')) {
      if (answer.kind === 'meter') sum.add(answer.meter);
    }
    return sum;
  }

  async stop(): Promise<void> {
    this.#tell({ kind: 'stop' });
    await Promise.all(this.#members.map(({ worker }) => worker.terminate()));
  }

  #tell(message: ToWorker): void {
    for (const { worker } of this.#members) worker.postMessage(message);
  }

  async #all(message: ToWorker, answer: FromWorker['kind']): Promise<FromWorker[]> {
    const answers = this.#members.map(
      ({ waiting }) => new Promise<FromWorker>((resolve) => waiting.set(answer, resolve)),
    );
    this.#tell(message);
    return Promise.race([Promise.all(answers), this.lost]);
  }

  #heard({ waiting }: Member, message: FromWorker): void {
    if (message.kind === 'opened') {
      this.opened[message.role] += 1;
      if (message.viewer !== undefined) this.openedViewers[message.viewer] += 1;
    } else if (message.kind === 'failed') count(this.failed, message.reason);
    else {
      const resolve = waiting.get(message.kind);
      waiting.delete(message.kind);
      resolve?.(message);
    }
  }
}
