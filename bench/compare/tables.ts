import { type Budget, markdownTable } from '../support/results.ts';
import { ratioText } from '../support/statistics.ts';
import type { Comparison } from './compare.ts';
import type { IdleCost } from './idle.ts';
import type { StalledLatency, StalledMemory } from './paced.ts';
import type { Reconnect } from './reconnect.ts';
import type { SlowLink } from './slow-link.ts';

const MIB = 2 ** 20;

export function comparisonTable({ rows, base, ratio }: Comparison): string {
  const table = markdownTable([
    ['server', 'CPU µs / frame', 'ratio', 'CPU s / GB', 'frames/s', 'p50 ms', 'p99 ms', 'MiB'],
    ...rows.map(({ contender, measured, ratio: against, lostFrames }) => [
      contender.title + (lostFrames > 0 ? ` (lost ${lostFrames})` : ''),
      measured.cpuMicrosPerFrame.toFixed(2),
      against.toFixed(2),
      measured.cpuSecondsPerGb.toFixed(3),
      String(Math.round(measured.framesPerSecond)),
      measured.p50Ms.toFixed(2),
      measured.p99Ms.toFixed(2),
      String(Math.round(measured.residentBytes / MIB)),
    ]),
  ]);
  return `${table}\n\nRouter / ${base.title}: ${ratioText(ratio)}, rounds ${ratio.rounds.map((one) => one.toFixed(2)).join(', ')}.`;
}

export function comparisonBudget({ scenario: { budget }, ratio, base }: Comparison): Budget[] {
  if (budget === undefined) return [];
  return [
    {
      work: budget.work,
      limit: `≤ ${budget.ratio.toFixed(2)} ×`,
      measured: `${ratioText(ratio)} × ${base.title}`,
      isMet: ratio.value <= budget.ratio,
    },
  ];
}

const IDLE_LIMIT_BYTES = 3 * 1024;

export function idleBudget(router: IdleCost, bare: IdleCost): Budget {
  const kib = ({ bytesPerViewer }: IdleCost) => `${(bytesPerViewer / 1024).toFixed(1)} KB`;
  return {
    work: 'idle viewer: resident memory over an idle process',
    limit: '≤ 3 KB',
    measured: `${kib(router)} (mean of ${router.viewers}; bare uWS ${kib(bare)})`,
    isMet: router.bytesPerViewer <= IDLE_LIMIT_BYTES,
  };
}

const STALLED_RATIO = 1.3;

export function stalledLatencyBudget({ p99, p99Ms }: StalledLatency): Budget {
  return {
    work: '20 % of viewers stalled: p99 latency of the others',
    limit: `≤ ${STALLED_RATIO} × without`,
    measured: `${ratioText(p99)} ×; ${p99Ms.with.toFixed(1)} ms, without ${p99Ms.without.toFixed(1)} ms`,
    isMet: p99.value <= STALLED_RATIO,
  };
}

export function stalledMemoryBudget({ bytesPerStalledViewer, allowedBytes }: StalledMemory): Budget {
  return {
    work: 'stalled viewer: memory of the router for each of 99',
    limit: '≤ limit + one frame',
    measured: `${(bytesPerStalledViewer / MIB).toFixed(2)} of ${(allowedBytes / MIB).toFixed(2)} MiB`,
    isMet: bytesPerStalledViewer <= allowedBytes,
  };
}

export function slowLinkBudget({ window, windowedMs, plainMs, publishMs, limitMs }: SlowLink): Budget {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  return {
    work: `viewer that reads 1 Mbit/s, 10 fps × 100 KB, window ${window}: p95 age of frames`,
    limit: `≤ ${seconds(limitMs)}`,
    measured: `${seconds(windowedMs)}; without a window ${seconds(plainMs)}, bare uWS \`publish\` ${seconds(publishMs)}`,
    isMet: windowedMs <= limitMs,
  };
}

export function reconnectBudget({ viewers, users, lookUps, seconds }: Reconnect): Budget {
  return {
    work: `${viewers} viewers of ${users} users reconnecting at once: session look-ups`,
    limit: `≤ ${users}`,
    measured: `${lookUps}; all in after ${seconds.toFixed(1)} s`,
    isMet: lookUps <= users,
  };
}
