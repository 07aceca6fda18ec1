import { cpus } from 'node:os';
import { readCapacityCommand } from './capacity/options.ts';
import { type Found, type Step, searchCapacity } from './capacity/search.ts';
import { PLAIN_WORK } from './compare/measure.ts';
import { LoadError } from './load/load-error.ts';
import type { LoadPlan, LoadTarget } from './load/plan.ts';
import type { LoadReport } from './load/report.ts';
import { runLoad } from './load/run.ts';
import { openBenchWorld } from './support/own-router.ts';
import { markdownTable, recordResults } from './support/results.ts';

/**
 * How many viewers, or streams, does this machine carry before frames come late or not at all? The answer is one sentence on stdout.
 * `npm run bench:capacity -- --help`.
 */

const command = readCapacityCommand(process.argv.slice(2));
const progress = (line: string) => void process.stderr.write(`${line}\n`);
const target = command.target ?? (await startOwn());
const reports = new Map<number, LoadReport>();
const steps: string[][] = [];

const found = await searchCapacity(command.start, command.max, async (size) => {
  const step = await tryOut(size);
  const report = reports.get(size);
  const p99 = report === undefined ? '–' : report.latency.fromSchedule.p99.toFixed(1);
  steps.push([String(size), p99, step.why ?? 'carried']);
  progress(`${size} ${command.raise}: p99 ${p99} ms, ${step.why ?? 'carried'}`);
  return step;
});
const answer = sentence(found);
process.stdout.write(`${answer}\n`);
if (command.target === undefined && process.argv.length === 2) {
  const table = markdownTable([[command.raise, 'p99 ms', 'verdict'], ...steps]);
  recordResults('capacity', {
    title: 'What this machine carries',
    command: 'npm run bench:capacity',
    budgets: [],
    body: `${answer}\n\n${table}`,
  });
}
process.exit(found.carried > 0 ? 0 : 1);

async function startOwn(): Promise<LoadTarget> {
  const world = await openBenchWorld();
  const server = await world.startRouter();
  return { url: `ws://127.0.0.1:${server.port}`, dialect: 'watchout', token: world.token };
}

async function tryOut(size: number): Promise<Step> {
  const plan: LoadPlan = {
    ...PLAIN_WORK,
    target,
    streams: command.raise === 'streams' ? size : 1,
    viewersPerStream: command.raise === 'streams' ? 1 : size,
    pictures: { kind: 'size', bytes: Math.round(command.kb * 1000) },
    pace: { kind: 'fps', fps: command.fps },
    warmUpSeconds: 1,
    seconds: command.seconds,
    workers: command.workers,
  };
  try {
    const report = await runLoad(plan);
    reports.set(size, report);
    return { size, why: whyNot(report) };
  } catch (error) {
    if (error instanceof LoadError) return { size, why: error.message };
    throw error;
  }
}

function whyNot({ connections, frames, latency, tool }: LoadReport): string | undefined {
  const failed = Object.entries(connections.failed)[0];
  if (failed !== undefined) return `${failed[1]} connections failed: ${failed[0]}`;
  const closed = Object.entries(connections.closed)[0];
  if (closed !== undefined) return `${closed[1]} connections were closed with ${closed[0]}`;
  if (frames.sent === 0) return 'no frame was sent';
  const lost = frames.expected - frames.delivered;
  if (lost > 0) return `${lost} of ${frames.expected} frames did not arrive`;
  if (frames.skipped > 0) return `${frames.skipped} frames were not taken from the encoders in time`;
  const { p99 } = latency.fromSchedule;
  if (p99 <= command.limitMs) return undefined;
  const limit = tool.warnings[0] === undefined ? '' : ` (${tool.warnings[0].split(':')[0]?.toLowerCase()})`;
  return `p99 was ${Math.round(p99)} ms${limit}`;
}

function sentence({ carried, failed }: Found): string {
  const cores = cpus();
  const machine = `This machine (${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}, load tool and router on the same cores)`;
  const each = `${command.kb} KB at ${command.fps} fps`;
  const of = (size: number) =>
    command.raise === 'viewers' ? `1 stream to ${size} viewers` : `${size} streams to 1 viewer each`;
  const report = reports.get(carried);
  if (report === undefined) return `${machine} does not carry ${of(command.start)}, ${each}: ${failed?.why}.`;
  const { deliveredPerSecond, deliveredBytesPerSecond } = report.frames;
  const rate = `${Math.round(deliveredPerSecond)} frames/s, ${Math.round(deliveredBytesPerSecond / 1e6)} MB/s`;
  const then = failed === undefined ? 'more was not tried' : `with ${failed.size} ${command.raise} ${failed.why}`;
  return `${machine} carries ${of(carried)}, ${each}: ${rate}, p99 ${report.latency.fromSchedule.p99.toFixed(1)} ms; ${then}.`;
}
