import type { LoadPlan } from '../load/plan.ts';
import type { LoadReport } from '../load/report.ts';
import { runLoad } from '../load/run.ts';
import type { Contender } from './contenders.ts';

/** The load of one measurement, without whom it is for. */
export type Work = Omit<LoadPlan, 'target'>;

export interface Measured {
  /** CPU of the server's process. */
  cpuMicrosPerFrame: number;
  /** Of delivered pictures. */
  cpuSecondsPerGb: number;
  framesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  residentBytes: number;
  report: LoadReport;
}

/** What every measurement of this tool has in common. */
export const PLAIN_WORK: Work = {
  streams: 1,
  viewersPerStream: 100,
  pictures: { kind: 'size', bytes: 34_000 },
  pace: { kind: 'window', frames: 4 },
  encoderEncoding: 'msgpack',
  viewerEncoding: 'msgpack',
  shares: { windowed: 0, slow: 0, 'slow-windowed': 0, stalled: 0 },
  window: 2,
  slowBytesPerSecond: 125_000,
  viewerMicros: 0,
  alertsPerSecond: 0,
  rampSeconds: 0,
  warmUpSeconds: 0.5,
  seconds: 2,
  workers: 1,
};

/** Runs one load against one server, and reads the server's CPU and memory from the system, whatever the server itself says. */
export async function measure(contender: Contender, work: Work): Promise<Measured> {
  const { server, target, onlyEncoding } = contender;
  const spoken = onlyEncoding === undefined ? {} : { encoderEncoding: onlyEncoding, viewerEncoding: onlyEncoding };
  let cpuBefore = 0;
  let cpuSeconds = 0;
  let residentBytes = 0;
  const report = await runLoad(
    { ...work, ...spoken, target },
    {
      onStart: () => {
        cpuBefore = server.cpuSeconds();
      },
      onEnd: () => {
        cpuSeconds = server.cpuSeconds() - cpuBefore;
        residentBytes = server.residentBytes();
      },
    },
  );
  const { delivered, deliveredPerSecond, deliveredBytesPerSecond } = report.frames;
  return {
    cpuMicrosPerFrame: (cpuSeconds * 1e6) / delivered,
    cpuSecondsPerGb: (cpuSeconds * 1e9) / (deliveredBytesPerSecond * report.seconds),
    framesPerSecond: deliveredPerSecond,
    p50Ms: report.latency.fromSchedule.p50,
    p99Ms: report.latency.fromSchedule.p99,
    residentBytes,
    report,
  };
}
