import type { LoadPlan } from '../load/plan.ts';
import { runLoad } from '../load/run.ts';
import type { BenchWorld } from '../support/own-router.ts';
import type { ServerProcess } from '../support/server-process.ts';
import type { MlCondition, ServiceReport } from './conditions.ts';
import { startService } from './services.ts';

export interface SoakOptions {
  streams: number;
  viewersPerStream: number;
  fps: number;
  frameBytes: number;
  seconds: number;
}

/** What one router did beside its ML service. */
export interface SoakRow {
  condition: MlCondition;
  p50Ms: number;
  p99Ms: number;
  /** Frames that reached no viewer. */
  missing: number;
  delivered: number;
  cpuMicrosPerFrame: number;
  /** Resident memory: the mean of the second tenth of the time, of the last tenth, and the most of all. */
  memory: { earlyBytes: number; lateBytes: number; maxBytes: number };
  /** Undefined where nobody listens. */
  service: ServiceReport | undefined;
  ml: { sent: number; failedRequests: number; dropped: Record<string, number>; breaker: string } | null;
}

const WARM_UP_SECONDS = 10;
const MEMORY_EVERY_MS = 1_000;

/**
 * A router and a service for each condition, all at the same time and each under the same load, so that whatever else the machine does happens to all
 * of them alike.
 */
export async function soak(
  world: BenchWorld,
  conditions: readonly MlCondition[],
  options: SoakOptions,
  onProgress: (line: string) => void,
): Promise<SoakRow[]> {
  const places: Place[] = [];
  for (const condition of conditions) places.push(await openPlace(world, condition));
  onProgress(`${places.length} routers, ${options.seconds} s`);
  const rows = await Promise.all(places.map((place) => watch(place, world.token, options)));
  for (const { router, service } of places) {
    router.stop();
    service?.stop();
  }
  return rows;
}

interface Place {
  condition: MlCondition;
  router: ServerProcess;
  service: ServerProcess | undefined;
}

async function openPlace(world: BenchWorld, condition: MlCondition): Promise<Place> {
  if (condition === 'off') return { condition, router: await world.startRouter(), service: undefined };
  const { url, server: service } = await startService(condition);
  return { condition, router: await world.startRouter({ ML_SERVICE_URL: url, ML_PROTOCOL: 'batch' }), service };
}

async function watch({ condition, router, service }: Place, token: string, options: SoakOptions): Promise<SoakRow> {
  const plan: LoadPlan = {
    target: { url: `ws://127.0.0.1:${router.port}`, dialect: 'watchout', token },
    streams: options.streams,
    viewersPerStream: options.viewersPerStream,
    pictures: { kind: 'size', bytes: options.frameBytes },
    pace: { kind: 'fps', fps: options.fps },
    encoderEncoding: 'msgpack',
    viewerEncoding: 'msgpack',
    shares: { windowed: 0, slow: 0, 'slow-windowed': 0, stalled: 0 },
    window: 2,
    slowBytesPerSecond: 125_000,
    viewerMicros: 0,
    alertsPerSecond: 0,
    rampSeconds: 2,
    warmUpSeconds: WARM_UP_SECONDS,
    seconds: options.seconds,
    workers: 1,
  };
  const resident: number[] = [];
  const cpu = { before: 0, after: 0 };
  let sampling: NodeJS.Timeout | undefined;
  const report = await runLoad(plan, {
    onStart: () => {
      // Of the ramp, in which a thousand clients come at once, ages say nothing.
      if (service !== undefined) void askService(service, '/begin', condition);
      cpu.before = router.cpuSeconds();
      sampling = setInterval(() => resident.push(router.residentBytes()), MEMORY_EVERY_MS);
    },
    onEnd: () => {
      cpu.after = router.cpuSeconds();
    },
  }).finally(() => clearInterval(sampling));
  const { ml } = (await (await fetch(`http://127.0.0.1:${router.port}/stats`)).json()) as { ml: SoakRow['ml'] };
  const tenth = Math.max(1, Math.floor(resident.length / 10));
  return {
    condition,
    p50Ms: report.latency.fromSend.p50,
    p99Ms: report.latency.fromSend.p99,
    missing: report.frames.expected - report.frames.delivered,
    delivered: report.frames.delivered,
    cpuMicrosPerFrame: ((cpu.after - cpu.before) * 1e6) / report.frames.delivered,
    memory: {
      earlyBytes: mean(resident.slice(tenth, 2 * tenth)),
      lateBytes: mean(resident.slice(-tenth)),
      maxBytes: Math.max(...resident),
    },
    service: service === undefined ? undefined : await askService(service, '/report', condition),
    ml,
  };
}

/** One that dies is asked until it lives. */
async function askService(
  service: ServerProcess,
  path: '/begin' | '/report',
  condition: MlCondition,
): Promise<ServiceReport> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return (await (await fetch(`http://127.0.0.1:${service.port}${path}`)).json()) as ServiceReport;
    } catch (error) {
      if (condition !== 'dying' || attempt > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
