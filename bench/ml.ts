import { Command } from 'commander';
import { whole } from './load/options.ts';
import { CAMERAS, measureFanOutBesideMl } from './ml/fan-out.ts';
import { measureMlThroughput } from './ml/throughput.ts';
import { ML_CONDITIONS } from './soak/conditions.ts';
import { openBenchWorld } from './support/own-router.ts';
import { type Budget, budgetTable, circumstances, markdownTable, recordResults } from './support/results.ts';
import type { Ratio } from './support/statistics.ts';

/**
 * What does a frame cost on its way to the ML service, and what does the state of that service do to viewers?
 * `npm run bench:ml -- --help`.
 */

const THROUGHPUT_RATIO = 8;
const LATENCY_RATIO = 1.1;
const THROUGHPUT_SECONDS = 2;

const command = new Command('bench:ml')
  .description(
    'Frames per CPU second to the ML service, and fan-out latency beside an ML service in any state. Writes bench/RESULTS.md.',
  )
  .option('--rounds <n>', 'rounds; writes nothing', whole(1, 100))
  .option('--seconds <n>', 'measured time of each turn; writes nothing', whole(1, 600))
  .parse();
const given = command.opts<{ rounds?: number; seconds?: number }>();
const { rounds = 5 } = given;
const FAN_OUT_SECONDS = 6;
const print = (line: string) => void process.stdout.write(`${line}\n`);
const { commit, machine, node } = circumstances();
print(`commit ${commit}; ${machine}; Node ${node}`);

const throughput = await measureMlThroughput({ rounds, seconds: given.seconds ?? THROUGHPUT_SECONDS });
const throughputTable = markdownTable([
  ['sender', 'frames / CPU second', 'CPU µs / frame', '× fetch', 'rounds'],
  ...throughput.costs.map(({ mode, framesPerCpuSecond, cpuMicrosPerFrame, timesFetch, timesFetchRange }) => [
    mode === 'fetch' ? '`fetch`, base64 in JSON, one by one' : `this router, batches of ${mode.replace('batch-', '')}`,
    String(Math.round(framesPerCpuSecond)),
    cpuMicrosPerFrame.toFixed(1),
    timesFetch.toFixed(2),
    `${timesFetchRange.min.toFixed(2)}–${timesFetchRange.max.toFixed(2)}`,
  ]),
]);
const throughputText =
  `### Frames of ${Math.round(throughput.meanFrameBytes / 1000)} KB to a service that answers at once\n\n${throughputTable}\n\n` +
  `\`fetch\` against itself, a round earlier: ${throughput.noise.min.toFixed(2)}–${throughput.noise.max.toFixed(2)}.`;
print(`\n${throughputText}`);

const world = await openBenchWorld();
const conditions = ML_CONDITIONS.filter((condition) => condition !== 'off');
const { offP99Ms, noise, beside } = await measureFanOutBesideMl(world, conditions, {
  rounds,
  seconds: given.seconds ?? FAN_OUT_SECONDS,
});
const besideTable = markdownTable([
  ['ML service', 'p50 ms', 'p99 ms', 'p99 against ML off', 'rounds'],
  ...beside.map(({ condition, p50Ms, p99Ms, p99 }) => [
    condition,
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
    p99.value.toFixed(2),
    roundsText(p99),
  ]),
]);
const besideText =
  `### Viewers beside an ML service in any state: ${CAMERAS.streams} streams × ${CAMERAS.viewersPerStream} viewers, 34 KB at 10 fps\n\n` +
  `${besideTable}\n\nEach was measured in the same seconds as a router without ML, whose p99 was ${offP99Ms.toFixed(2)} ms. ` +
  `Two routers without ML: ${noise.value.toFixed(2)} (rounds ${roundsText(noise)}).`;
print(`\n${besideText}`);

const batch16 = throughput.costs.find(({ mode }) => mode === 'batch-16');
const worst = beside.toSorted((one, other) => other.p99.value - one.p99.value)[0];
const budgets: Budget[] = [];
if (batch16 !== undefined) {
  budgets.push({
    work: 'ML: frames per CPU second with batches of 16, against `fetch` and base64 one by one',
    limit: `≥ ${THROUGHPUT_RATIO} ×`,
    measured: `${batch16.timesFetch.toFixed(1)} (rounds ${batch16.timesFetchRange.min.toFixed(1)}–${batch16.timesFetchRange.max.toFixed(1)})`,
    isMet: batch16.timesFetch >= THROUGHPUT_RATIO,
  });
}
if (worst !== undefined) {
  budgets.push({
    work: 'ML service in any state: p99 latency of the fan-out against ML off',
    limit: `≤ ${LATENCY_RATIO.toFixed(1)} ×`,
    measured: `${worst.p99.value.toFixed(2)} (rounds ${roundsText(worst.p99)}), ${worst.condition}; two without ML ${noise.value.toFixed(2)} (${roundsText(noise)})`,
    isMet: worst.p99.value <= LATENCY_RATIO,
  });
}
print(`\n${budgetTable(budgets)}`);
if (Object.keys(command.opts()).length === 0) {
  recordResults('ml', {
    title: 'The way to the ML service',
    command: 'npm run bench:ml',
    budgets,
    body: `${throughputText}\n\n${besideText}`,
  });
  print('\nwritten: bench/RESULTS.md');
}
process.exit(0);

/** `0.83–1.20` */
function roundsText({ rounds: ratios }: Ratio): string {
  return `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
}
