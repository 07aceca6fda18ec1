import { type ChildProcess, spawn } from 'node:child_process';
import { expect, onTestFinished } from 'vitest';
import { notePrinted, noteSecret } from '../support/evidence.ts';
import { until } from '../support/until.ts';

/** A program of `examples/` as somebody starts it in a shell; it ends with its test. Nothing that it prints may hold a secret. */
export class ExampleProgram {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  /** What it printed, on stdout. */
  output = '';
  /** On stderr. */
  errors = '';

  /** `token`: of a session, as the programs want it. */
  constructor(command: string, args: readonly string[], token: string, folder?: string) {
    noteSecret(token);
    const env = { ...process.env, TOKEN: token, PYTHONDONTWRITEBYTECODE: '1' };
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: folder });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.errors += error.message;
        resolve(null);
      });
      child.once('close', resolve);
    });
    onTestFinished(async ({ task }) => {
      child.kill('SIGKILL');
      await this.#ended;
      notePrinted(this.output + this.errors);
      if (task.result?.state === 'fail') process.stderr.write(`${args[0]} wrote:\n${this.output}${this.errors}\n`);
    });
  }

  /** Waits until it has printed this. */
  until(pattern: RegExp): Promise<void> {
    return until(`it prints ${pattern}`, () => pattern.test(this.output));
  }

  /** How often it has printed this. */
  count(pattern: RegExp): number {
    return this.output.match(new RegExp(pattern, `${pattern.flags}g`))?.length ?? 0;
  }

  /** Waits for its end, and answers with its exit code. */
  async end(): Promise<number | null> {
    let code: number | null | undefined;
    void this.#ended.then((ended) => {
      code = ended;
    });
    await until('it ends', () => code !== undefined);
    return code ?? null;
  }

  /** What Ctrl-C does. It must end well. */
  async interrupt(): Promise<void> {
    this.#child.kill('SIGINT');
    expect(await this.end(), `${this.output}${this.errors}`).toBe(0);
  }
}
