import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

/** What the built benchmark said, as a process of its own: what `npm run bench:micro` runs. */
interface Outcome {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** The part of the JSON document that is looked at here. */
interface Report {
  suites: { suite: string; question: string; tasks: Record<string, string | number>[] }[];
}

const micro = fileURLToPath(new URL('../../dist/bench/micro.js', import.meta.url));

const SUITES = ['codec', 'frame-path', 'ingest-limit', 'ml-batcher', 'access', 'scrape'];
const FIGURES = ['p50Ns', 'p99Ns', 'meanNs', 'operationsPerSecond', 'marginPercent', 'samples', 'operationsPerSample'];

async function runMicro(...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [micro, ...args]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
    });
  }
  // Not `exit`: the last of the output may still be on its way then.
  const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { exitCode, ...output };
}

test('every suite says its question, and of every task finite, positive figures', async () => {
  const { exitCode, stdout, stderr } = await runMicro('--quick', '--json');
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  const { suites } = JSON.parse(stdout) as Report;
  expect(suites.map(({ suite }) => suite)).toEqual(SUITES);
  for (const { question, tasks } of suites) {
    expect(question).toMatch(/\?$/);
    expect(tasks.length).toBeGreaterThan(0);
    expect(new Set(tasks.map(({ name }) => name)).size).toBe(tasks.length);
    const bad = tasks.filter(
      (task) => !FIGURES.every((figure) => Number.isFinite(task[figure]) && Number(task[figure]) > 0),
    );
    expect(bad).toEqual([]);
  }
});

test('one suite can be asked for, and shows a row per task under its question', async () => {
  const { exitCode, stdout } = await runMicro('--quick', '--only', 'access');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^access: .+\?$/m);
  expect(stdout).toMatch(/^ +mayWatch, the owner +[\d.]+ ns .+ %$/m);
  expect(stdout).not.toContain('codec: ');
});

test.each([
  ['an unknown option', ['--bogus'], '--bogus'],
  ['an unknown suite', ['--only', 'bogus'], 'bogus'],
  ['an argument that is no option', ['bogus'], 'bogus'],
])('%s is named, with exit code 2 and no stack trace', async (_what, args, named) => {
  const { exitCode, stdout, stderr } = await runMicro(...args);
  expect(exitCode).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(named);
  expect(stderr).not.toMatch(/ at .*\.js/);
});
