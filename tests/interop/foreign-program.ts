import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** What a program written in another language reports: one JSON object a line on its stdout. */
export interface ForeignEvent {
  event: string;
  [detail: string]: unknown;
}

/** A frame or control message as a foreign client got it; `data` of a frame is replaced by the SHA-256 of its JPEG. */
export interface ForeignMessage {
  type: string;
  [field: string]: unknown;
}

const DEADLINE_MS = 20_000;

/**
 * A program in another language, driven line by line: commands in, events out. It ends with the test that started it,
 * also when that fails; a wait that comes to nothing fails with what the program did say.
 */
export class ForeignProgram {
  readonly events: ForeignEvent[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #stderr = '';
  #taken = 0;
  #ended = false;
  #wake: (() => void)[] = [];

  /** To be called inside a test. */
  constructor(command: string, args: readonly string[]) {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.events.push(JSON.parse(line) as ForeignEvent);
      this.#notify();
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#stderr += error.message;
        resolve(null);
      });
      // Unlike `exit`, after everything it wrote was read.
      child.once('close', resolve);
    });
    void this.#exited.then(() => {
      this.#ended = true;
      this.#notify();
    });
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await this.#exited;
    });
  }

  /** One line on the program's stdin. */
  command(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next event, after those taken before, of this name. Those in between are skipped. */
  next(name: string): Promise<ForeignEvent> {
    return this.#next(name, ({ event }) => event === name);
  }

  /** The next message of this type that the program received over its WebSocket. Those in between are skipped. */
  async message(type: string): Promise<ForeignMessage> {
    const fits = ({ event, message }: ForeignEvent) => event === 'message' && (message as ForeignMessage).type === type;
    return (await this.#next(type, fits))['message'] as ForeignMessage;
  }

  /** Closes its stdin, on which it closes its connection, and waits for its end. */
  async end(): Promise<number | null> {
    this.#child.stdin?.end();
    const code = await withDeadline(this.#exited, () => this.#failure('it did not end'));
    if (code !== 0) throw this.#failure(`it ended with ${code}`);
    return code;
  }

  async #next(wanted: string, fits: (event: ForeignEvent) => boolean): Promise<ForeignEvent> {
    const deadlineMs = performance.now() + DEADLINE_MS;
    for (;;) {
      while (this.#taken < this.events.length) {
        const event = this.events[this.#taken] as ForeignEvent;
        this.#taken += 1;
        if (fits(event)) return event;
      }
      if (this.#ended) throw this.#failure(`it ended while ${wanted} was awaited`);
      const woken = new Promise<void>((resolve) => this.#wake.push(resolve));
      await withDeadline(woken, () => this.#failure(`no ${wanted} came`), deadlineMs - performance.now());
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #failure(what: string): Error {
    const events = this.events.slice(-8).map((event) => JSON.stringify(event));
    return new Error(`${what}; its last events: ${events.join(' ') || 'none'}; its stderr: ${this.#stderr || 'empty'}`);
  }
}

async function withDeadline<T>(work: Promise<T>, failure: () => Error, deadlineMs = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(failure()), Math.max(0, deadlineMs));
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
