import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import * as access from './micro/access.ts';
import * as codec from './micro/codec.ts';
import * as framePath from './micro/frame-path.ts';
import * as ingestLimit from './micro/ingest-limit.ts';
import { acquaint, type Budget, type Figures, measure } from './micro/measure.ts';
import * as mlBatcher from './micro/ml-batcher.ts';
import * as scrape from './micro/scrape.ts';
import type { Suite } from './micro/suite.ts';

/**
 * What do the router's parts cost, each by itself, without a network? One question per suite, see the files of
 * `micro/`. `npm run bench:micro -- --help`.
 */

const SUITES: ReadonlyMap<string, Suite> = new Map<string, Suite>([
  ['codec', codec],
  ['frame-path', framePath],
  ['ingest-limit', ingestLimit],
  ['ml-batcher', mlBatcher],
  ['access', access],
  ['scrape', scrape],
]);
const SUITE_NAMES = [...SUITES.keys()];

const FULL: Budget = { warmupMs: 100, measureMs: 400 };
/** Too short for figures to rely on: shows that everything runs. */
const QUICK: Budget = { warmupMs: 5, measureMs: 10 };

const HELP = `npm run bench:micro -- [--only <suite>]... [--quick] [--json]

  --only <suite>  ${SUITE_NAMES.join(', ')}; may be given more than once
  --quick         all tasks, but too short for figures to rely on
  --json          one JSON document at the end, times in ns
  --help, -h      this text

p50 and p99 are of samples; what is faster than 50 µs is measured many at a time, and a sample is their mean.
ops/s comes from the mean, garbage collection and noise included; ± is its 95 % confidence interval.
`;

interface Options {
  suites: ReadonlyMap<string, Suite>;
  isQuick: boolean;
  isJson: boolean;
  isHelp: boolean;
}

interface SuiteReport {
  suite: string;
  question: string;
  tasks: Figures[];
}

/** The command line was wrong; the message says how. */
class UsageError extends Error {}

async function main(): Promise<void> {
  const { suites, isQuick, isJson, isHelp } = readOptions();
  const print = (text: string) => void process.stdout.write(text);
  if (isHelp) return print(HELP);

  const environment = environmentOfRun();
  const { commit, node, cpu, cpuCount, loadAverage } = environment;
  const printTable = isJson ? () => undefined : print;
  printTable(`commit ${commit}, Node ${node}, ${cpuCount} × ${cpu}, load average before the run ${loadAverage}\n`);
  if (isQuick) printTable('--quick: figures not to rely on\n');
  const reports: SuiteReport[] = [];
  for (const [name, suite] of suites) {
    reports.push(await runSuite(name, suite, isQuick ? QUICK : FULL, printTable));
  }
  if (isJson) print(`${JSON.stringify({ ...environment, isQuick, suites: reports }, undefined, 2)}\n`);
}

/** @throws UsageError */
function readOptions(): Options {
  const { only, quick, json, help } = parsed();
  const unknown = only.find((name) => !SUITES.has(name));
  if (unknown !== undefined) {
    throw new UsageError(`--only: no suite "${unknown}"; there are ${SUITE_NAMES.join(', ')}`);
  }
  const suites = new Map([...SUITES].filter(([name]) => only.length === 0 || only.includes(name)));
  return { suites, isQuick: quick, isJson: json, isHelp: help };
}

function parsed() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    // parseArgs names the option, then says at length how to write an argument that only looks like one.
    throw new UsageError((error as Error).message.split('. ')[0]);
  }
}

async function runSuite(
  name: string,
  { question, tasks: makeTasks }: Suite,
  budget: Budget,
  print: (text: string) => void,
): Promise<SuiteReport> {
  const tasks = makeTasks();
  const width = Math.max(...tasks.map((task) => task.name.length));
  print(`\n${name}: ${question}\n`);
  print(row(width, 'task', 'p50', 'p99', 'ops/s', '±'));
  await acquaint(tasks);
  const figures: Figures[] = [];
  for (const task of tasks) {
    const measured = await measure(task, budget);
    figures.push(measured);
    const { p50Ns, p99Ns, operationsPerSecond, marginPercent } = measured;
    print(row(width, task.name, time(p50Ns), time(p99Ns), rate(operationsPerSecond), `${marginPercent.toFixed(1)} %`));
  }
  return { suite: name, question, tasks: figures };
}

function row(width: number, task: string, ...cells: readonly string[]): string {
  return `  ${task.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join('')}\n`;
}

function time(ns: number): string {
  return ns < 1000 ? `${ns.toPrecision(3)} ns` : `${(ns / 1000).toFixed(2)} µs`;
}

function rate(perSecond: number): string {
  return Math.round(perSecond).toLocaleString('en');
}

/** Where and of what the figures are. */
function environmentOfRun() {
  const processors = cpus();
  return {
    commit: commitOfSources(),
    node: process.version,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cpuCount: processors.length,
    /** Over the last minute: anything above some tenths is somebody else, whose noise is in the figures. */
    loadAverage: Number(loadavg()[0]?.toFixed(2)),
  };
}

function commitOfSources(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty', '--exclude=*'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench:micro: ${error.message}\nnpm run bench:micro -- --help\n`);
  process.exitCode = 2;
}
