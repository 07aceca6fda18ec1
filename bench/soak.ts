import { Command } from 'commander';
import { whole } from './load/options.ts';
import { CONDITION_WORDS, ML_CONDITIONS, type MlCondition } from './soak/conditions.ts';
import { type SoakRow, soak } from './soak/run.ts';
import { openBenchWorld } from './support/own-router.ts';
import { type Budget, budgetTable, circumstances, markdownTable, recordResults } from './support/results.ts';

/**
 * Fifty cameras, an ML service that keeps up with two of them, or does whatever else it likes: what do viewers notice, and does memory stay as it is? Ten
 * minutes of it. `npm run bench:soak -- --help`.
 */

/** Above this a router has grown: garbage comes and goes, and a last tenth differs from a second one by some MB either way. */
const GROWTH_BYTES = 24 * 1024 * 1024;
/** `ML_MAX_AGE_MS`, and what a request takes on this machine's loopback while ten routers share two cores. */
const MAX_AGE_MS = 1_000 + 150;
const SHARE = 0.1;

const command = new Command('bench:soak')
  .description('Ten routers at once, each with an ML service in a state of its own. Writes bench/RESULTS.md.')
  .option('--seconds <n>', 'measured time; writes nothing', whole(10, 7200))
  .option('--streams <n>', 'cameras of each router; writes nothing', whole(1, 1000))
  .option('--only <conditions>', `of ${ML_CONDITIONS.join(', ')}; writes nothing`)
  .parse();
const given = command.opts<{ seconds?: number; streams?: number; only?: string }>();
const only = given.only?.split(',').map((name) => name.trim());
const conditions = ML_CONDITIONS.filter((name) => only === undefined || only.includes(name) || name === 'off');
const print = (line: string) => void process.stdout.write(`${line}\n`);
const { commit, machine, node } = circumstances();
print(`commit ${commit}; ${machine}; Node ${node}`);

const options = {
  streams: given.streams ?? 50,
  viewersPerStream: 1,
  fps: 10,
  frameBytes: 34_000,
  seconds: given.seconds ?? 600,
};
const rows = await soak(await openBenchWorld(), conditions, options, print);
const off = rows.find(({ condition }) => condition === 'off');
const offP99Ms = off?.p99Ms ?? Number.NaN;
const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0);

const table = markdownTable([
  [
    'ML service',
    'p50 ms',
    'p99 ms',
    'p99 against ML off',
    'missing frames',
    'CPU µs / frame',
    'MB early',
    'MB late',
    'MB most',
    'frames sent to it',
    'oldest, ms',
    'shares',
    'breaker',
  ],
  ...rows.map((row) => [
    CONDITION_WORDS[row.condition],
    row.p50Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    (row.p99Ms / offP99Ms).toFixed(2),
    String(row.missing),
    row.cpuMicrosPerFrame.toFixed(0),
    megabytes(row.memory.earlyBytes),
    megabytes(row.memory.lateBytes),
    megabytes(row.memory.maxBytes),
    row.ml === null ? '–' : String(row.ml.sent),
    row.service === undefined || row.service.frames === 0 ? '–' : row.service.maxAgeMs.toFixed(0),
    sharesText(row),
    row.ml?.breaker ?? '–',
  ]),
]);
const body =
  `${options.streams} streams × ${options.fps} fps × ${options.frameBytes / 1000} KB, a viewer each, for ${options.seconds} s, ` +
  `all routers at the same time on one machine.\n\n${table}`;
print(`\n${body}`);

const beside = rows.filter(({ condition }) => condition !== 'off');
const budgets: Budget[] = [
  budget(
    'ten minutes beside an ML service in any state: growth of memory from the second tenth of the time to the last',
    `≤ ${megabytes(GROWTH_BYTES)} MB`,
    rows,
    ({ memory }) => memory.lateBytes - memory.earlyBytes,
    GROWTH_BYTES,
    (value) => `${megabytes(value)} MB`,
  ),
  budget(
    'the same: age of the oldest frame that a service was sent, at its arrival there',
    `≤ ${MAX_AGE_MS} ms`,
    beside.filter(({ service }) => (service?.frames ?? 0) > 0),
    ({ service }) => service?.maxAgeMs ?? 0,
    MAX_AGE_MS,
    (value) => `${value.toFixed(0)} ms`,
  ),
  budget(
    'service that does 20 fps: how far a stream’s share is from the mean',
    `≤ ${SHARE * 100} %`,
    beside.filter(({ condition }) => condition === 'busy'),
    unevenness,
    SHARE,
    (value) => `${(value * 100).toFixed(1)} %`,
  ),
];
print(`\n${budgetTable(budgets)}`);
if (Object.keys(command.opts()).length === 0) {
  recordResults('soak', {
    title: 'Ten minutes beside an ML service that does what it likes',
    command: 'npm run bench:soak',
    budgets,
    body,
  });
  print('\nwritten: bench/RESULTS.md');
}
process.exit(0);

/** The worst row decides. */
function budget(
  work: string,
  limit: string,
  among: readonly SoakRow[],
  figureOf: (row: SoakRow) => number,
  max: number,
  textOf: (value: number) => string,
): Budget {
  const worst = among.reduce<{ value: number; condition: MlCondition | undefined }>(
    (found, row) => (figureOf(row) > found.value ? { value: figureOf(row), condition: row.condition } : found),
    { value: Number.NEGATIVE_INFINITY, condition: undefined },
  );
  const { value, condition } = worst;
  const measured = condition === undefined ? 'not measured' : `${textOf(value)} (${CONDITION_WORDS[condition]})`;
  return { work, limit, measured, isMet: condition !== undefined && value <= max };
}

/** Largest distance of a stream's frames from the mean, as a part of it. */
function unevenness({ service }: SoakRow): number {
  const counts = Object.values(service?.ofStream ?? {});
  const mean = (service?.frames ?? 0) / options.streams;
  if (counts.length < options.streams) return 1;
  return Math.max(...counts.map((count) => Math.abs(count - mean) / mean));
}

function sharesText(row: SoakRow): string {
  if (row.condition !== 'busy' && row.condition !== 'dying') return '–';
  const counts = Object.values(row.service?.ofStream ?? {});
  return `${Math.min(...counts)}–${Math.max(...counts)}`;
}
