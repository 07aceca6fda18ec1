import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { notePrinted } from '../support/evidence.ts';
import { until } from '../support/until.ts';

/** The built program. */
export const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** `watchout-router` as a process of its own. */
export interface Program {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Both. */
  output(): string;
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** Waits for words on either stream. */
  says(words: string | RegExp, timeoutMs?: number): Promise<void>;
}

export interface ProgramOptions {
  env?: Record<string, string>;
  cwd?: string;
}

/**
 * Starts it with nothing of this process's environment but the path, in an empty folder, where demos of other tests are not found. It ends with the test.
 * `printsToken`: its output may hold one, as that of `token` does.
 */
export function run(
  args: readonly string[],
  { printsToken = false, ...options }: ProgramOptions & { printsToken?: boolean } = {},
): Program {
  const cwd = options.cwd ?? tempFolder();
  const program = startProgram(args, { cwd, env: { XDG_RUNTIME_DIR: cwd, TMPDIR: cwd, ...options.env } });
  onTestFinished(async () => {
    program.kill('SIGKILL');
    await program.exited;
    if (!printsToken) notePrinted(program.output());
  });
  return program;
}

/** The same for the hooks of a test file, which end it themselves. */
export function startProgram(args: readonly string[], { env = {}, cwd = tmpdir() }: ProgramOptions = {}): Program {
  const child = spawn(process.execPath, [CLI, ...args], { cwd, env: { PATH: process.env['PATH'], ...env } });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
    });
  }
  const output = () => text.stdout + text.stderr;
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  return {
    pid: child.pid ?? 0,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    output,
    exited,
    kill: (signal) => void child.kill(signal),
    async says(words, timeoutMs = 30_000) {
      const isSaid = () => (typeof words === 'string' ? output().includes(words) : words.test(output()));
      await until(`it says ${words}`, () => isSaid() || child.exitCode !== null, timeoutMs).catch((error: Error) => {
        throw new Error(`${error.message}; it said: ${output().slice(-2_000)}`);
      });
      if (!isSaid()) throw new Error(`it ended with ${child.exitCode} and said: ${output()}`);
    },
  };
}

/** Removed with the test. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'watchout-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder of this name with these pictures in it, as `1.jpg`, `2.jpg` and so on. */
export function pictureFolder(name: string, pictures: readonly Buffer[]): string {
  const folder = join(tempFolder(), name);
  mkdirSync(folder);
  for (const [index, picture] of pictures.entries()) writeFileSync(join(folder, `${index + 1}.jpg`), picture);
  return folder;
}
