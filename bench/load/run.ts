import { cpus } from 'node:os';
import { monotonicMicros } from './clock.ts';
import { Crew } from './crew.ts';
import { LoadError } from './load-error.ts';
import { Meter, percentilesOf } from './meter.ts';
import { describePlan, type LoadPlan } from './plan.ts';
import { forEachKind, type LoadReport, type RouterUse, type Sample } from './report.ts';
import { droppedBetween, type RouterState, readRouterState } from './router-watch.ts';
import { type ToolUse, warningsOf } from './warnings.ts';

/** How long before it begins the workers are told of the measured time. */
const LEAD_MICROS = 50_000;
/** How long frames that are still on their way at the end are waited for. */
const SETTLE_MS = 3_000;
const SETTLE_STEP_MS = 50;
/** Steps without anything new after which nothing more is expected. */
const SETTLE_QUIET_STEPS = 10;

export interface LoadHooks {
  /** What goes on before measuring: one line now and then. */
  onProgress?: (line: string) => void;
  /** Measuring begins, measuring ends: to read what only the caller can read. */
  onStart?: () => void;
  onEnd?: () => void;
  onSample?: (sample: Sample) => void;
}

/**
 * Runs a load and says what it found. Ends by itself.
 * @throws LoadError when no encoder, or no viewer, got in.
 */
export async function runLoad(plan: LoadPlan, hooks: LoadHooks = {}): Promise<LoadReport> {
  const crew = new Crew(plan);
  try {
    return await measure(plan, crew, hooks);
  } finally {
    await crew.stop();
  }
}

async function measure(plan: LoadPlan, crew: Crew, hooks: LoadHooks): Promise<LoadReport> {
  await connectAll(plan, crew, hooks);
  crew.go();
  await pause(plan.warmUpSeconds * 1000);
  const total = new Meter();
  total.addTrouble(await crew.meter());

  const first = await readRouterState(plan.target);
  // A server without `/stats` is asked only once: one that does not answer at all would hold up every second of the run.
  const readState = async () => (first === undefined ? undefined : readRouterState(plan.target));
  const startedAt = new Date().toISOString();
  // A little ahead, so that every thread knows before it begins.
  const fromMicros = monotonicMicros() + LEAD_MICROS;
  const over = crew.measure(fromMicros, fromMicros + plan.seconds * 1e6);
  // Awaited at the end; a worker that dies before is said by the loop.
  over.catch(() => undefined);
  await pause(LEAD_MICROS / 1000);
  const cpuBefore = process.cpuUsage();
  const machineBefore = machineTimes();
  hooks.onStart?.();

  const timeline: Sample[] = [];
  let state = first;
  for (let second = 1; second <= plan.seconds; second += 1) {
    await Promise.race([pause((fromMicros + second * 1e6 - monotonicMicros()) / 1000), crew.lost]);
    if (second === plan.seconds) hooks.onEnd?.();
    const [meter, next] = await Promise.all([crew.meter(), readState()]);
    const sample = sampleOf(second, meter, state, next);
    total.add(meter);
    state = next;
    timeline.push(sample);
    hooks.onSample?.(sample);
  }
  const busyThreads = await over;
  const cpu = process.cpuUsage(cpuBefore);
  const machineBusy = busyBetween(machineBefore, machineTimes());
  await settle(crew, total);
  const last = await readState();

  const toolUse: ToolUse = {
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    busiest: Math.max(...busyThreads),
    lateness: percentilesOf(total.lateness),
    machineBusy,
  };
  return {
    url: plan.target.url,
    startedAt,
    load: describePlan(plan),
    seconds: plan.seconds,
    connections: {
      encoders: crew.opened.encoder,
      viewers: crew.opened.viewer,
      failed: crew.failed,
      closed: total.closed,
    },
    frames: {
      sent: total.sent,
      skipped: total.skipped,
      delivered: total.delivered,
      expected: total.expected,
      deliveredPerSecond: total.delivered / plan.seconds,
      deliveredBytesPerSecond: total.deliveredBytes / plan.seconds,
    },
    latency: { fromSchedule: percentilesOf(total.fromSchedule), fromSend: percentilesOf(total.fromSend) },
    viewers: viewersOf(crew, total),
    alerts: {
      sent: total.alertsSent,
      delivered: total.alertsDelivered,
      expected: total.alertsExpected,
      latency: percentilesOf(total.alertLatency),
    },
    errors: total.errors,
    router: routerUse(first, state, last, timeline, total),
    tool: {
      cpuSeconds: toolUse.cpuSeconds,
      busiest: toolUse.busiest,
      lateness: toolUse.lateness,
      warnings: warningsOf(plan, toolUse, total),
    },
    timeline,
  };
}

async function connectAll(plan: LoadPlan, crew: Crew, hooks: LoadHooks): Promise<void> {
  const viewers = plan.streams * plan.viewersPerStream;
  const line = () => {
    const failed = Object.values(crew.failed).reduce((sum, times) => sum + times, 0);
    const { encoder, viewer } = crew.opened;
    hooks.onProgress?.(
      `connected: ${encoder}/${plan.streams} encoders, ${viewer}/${viewers} viewers, ${failed} failed`,
    );
  };
  const timer = setInterval(line, 1000);
  try {
    // Encoders first: a viewer of a stream that is there is answered at once.
    const encoderShare = plan.streams / (plan.streams + viewers);
    await crew.connect('encoder', plan.rampSeconds * encoderShare);
    await crew.connect('viewer', plan.rampSeconds * (1 - encoderShare));
  } finally {
    clearInterval(timer);
  }
  line();
  const reasons = Object.entries(crew.failed).map(([reason, times]) => `${reason} (${times} times)`);
  if (crew.opened.encoder === 0) throw new LoadError(`no encoder could connect: ${reasons.join(', ')}`);
  if (viewers > 0 && crew.opened.viewer === 0) throw new LoadError(`no viewer could connect: ${reasons.join(', ')}`);
}

/** Frames that were sent in time may arrive a little later. Adds them, until all are there or nothing comes any more. */
async function settle(crew: Crew, total: Meter): Promise<void> {
  const untilMicros = monotonicMicros() + SETTLE_MS * 1000;
  for (let quietSteps = 0; quietSteps < SETTLE_QUIET_STEPS && monotonicMicros() < untilMicros; ) {
    const before = total.delivered + total.alertsDelivered;
    await pause(SETTLE_STEP_MS);
    total.add(await crew.meter());
    const complete = total.delivered >= total.expected && total.alertsDelivered >= total.alertsExpected;
    if (complete) return;
    quietSteps = total.delivered + total.alertsDelivered === before ? quietSteps + 1 : 0;
  }
}

function sampleOf(
  second: number,
  meter: Meter,
  before: RouterState | undefined,
  after: RouterState | undefined,
): Sample {
  const known = before !== undefined && after !== undefined;
  return {
    second,
    sent: meter.sent,
    delivered: meter.delivered,
    deliveredBytes: meter.deliveredBytes,
    alertsDelivered: meter.alertsDelivered,
    latency: percentilesOf(meter.fromSchedule),
    routerCpu: difference(before?.cpuSeconds, after?.cpuSeconds),
    routerResidentBytes: after?.residentBytes,
    dropped: known ? droppedBetween(before, after) : {},
  };
}

function routerUse(
  first: RouterState | undefined,
  /** When measuring ended, and when the last frames had arrived. */
  end: RouterState | undefined,
  last: RouterState | undefined,
  timeline: readonly Sample[],
  total: Meter,
): RouterUse | undefined {
  if (first === undefined || last === undefined) return undefined;
  const cpuSeconds = difference(first.cpuSeconds, end?.cpuSeconds);
  const deliveries = Object.values(total.deliveredBy).reduce((sum, frames) => sum + frames, 0);
  const resident = timeline.flatMap(({ routerResidentBytes }) => routerResidentBytes ?? []);
  return {
    cpuSeconds,
    cpuMicrosPerFrame: cpuSeconds === undefined || deliveries === 0 ? undefined : (cpuSeconds * 1e6) / deliveries,
    maxResidentBytes: resident.length === 0 ? undefined : Math.max(...resident),
    dropped: droppedBetween(first, last),
  };
}

function viewersOf({ openedViewers }: Crew, total: Meter): LoadReport['viewers'] {
  return forEachKind((kind) => ({
    count: openedViewers[kind],
    delivered: total.deliveredBy[kind],
    latency: percentilesOf(total.latencyBy[kind]),
  }));
}

interface MachineTimes {
  idle: number;
  all: number;
}

function machineTimes(): MachineTimes {
  const times = { idle: 0, all: 0 };
  for (const core of cpus()) {
    times.idle += core.times.idle;
    times.all += Object.values(core.times).reduce((sum, ms) => sum + ms, 0);
  }
  return times;
}

/** Share of the machine's cores that was in use, 0 to 1. */
function busyBetween(before: MachineTimes, after: MachineTimes): number {
  const all = after.all - before.all;
  return all === 0 ? 0 : 1 - (after.idle - before.idle) / all;
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
