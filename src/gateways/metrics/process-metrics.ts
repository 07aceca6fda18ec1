import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import {
  constants,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks';
import { Gauge, Histogram, type Registry } from 'prom-client';
import type { ReadMetrics } from './read-metrics.ts';
import type { Stats } from './stats.ts';

/** How often the loop is looked at: 50 looks a second take 0.2 % of an idle core. */
const LOOK_MS = 20;
const WINDOW_MS = 1_000;

/**
 * What the process uses, under the names that all exporters have. Not by the library's `collectDefaultMetrics`: with 10,000 connections its list
 * of open files alone holds everybody up for 4 ms, and its event loop delay begins anew with each scrape, so that two who scrape take it from each
 * other.
 */
export function addProcess(metrics: ReadMetrics<Stats>, registry: Registry): void {
  const startedAtSeconds = Math.round(performance.timeOrigin / 1000);
  metrics.gauge('process_start_time_seconds', 'When the process began, since the epoch', () => startedAtSeconds);
  metrics.counter(
    'process_cpu_seconds_total',
    'User and system time of all threads',
    (stats) => stats.process.cpuSeconds,
  );
  metrics.gauge('process_resident_memory_bytes', 'Resident memory', (stats) => stats.process.residentBytes);
  metrics.gauge('nodejs_heap_size_used_bytes', 'JavaScript’s heap in use', () => process.memoryUsage().heapUsed);
  metrics.gauge('nodejs_heap_size_total_bytes', 'JavaScript’s heap', () => process.memoryUsage().heapTotal);
  metrics.gauge(
    'nodejs_external_memory_bytes',
    'Memory beside the heap that JavaScript objects hold: frames lie there',
    () => process.memoryUsage().external,
  );
  metrics.counter(
    'watchout_event_loop_active_seconds_total',
    'Time the one thread that does everything was busy: 1 per second is all it has',
    () => performance.eventLoopUtilization().active / 1000,
  );
  addOpenFiles(registry);
}

/**
 * The longest delay of each second. A mean hides the one stall that everybody felt. Not with `monitorEventLoopDelay`: its `reset` forgets the last look as
 * well, so that it never sees a stall that begins right after. Returns what ends the watch.
 */
export function watchEventLoop(registry: Registry): () => void {
  const histogram = new Histogram({
    name: 'watchout_event_loop_delay_seconds',
    help: 'The longest delay of the event loop in each second: what everybody had to wait for',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  let lookedAtMs = performance.now();
  let windowBeganMs = lookedAtMs;
  let longestMs = 0;
  const looks = setInterval(() => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lookedAtMs - LOOK_MS);
    lookedAtMs = nowMs;
    if (nowMs - windowBeganMs < WINDOW_MS) return;
    histogram.observe(longestMs / 1000);
    longestMs = 0;
    windowBeganMs = nowMs;
  }, LOOK_MS).unref();
  return () => clearInterval(looks);
}

/** What the library's types leave out. */
interface Collection extends PerformanceEntry {
  readonly detail: NodeGCPerformanceDetail;
}

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/**
 * To be told costs some 60 µs for each collection, and a router has few: less than one a second while it delivers 6,000 frames of 34 KB
 * (`npm run bench:load -- --streams 20 --viewers 20 --fps 15`). Returns what ends the watch.
 */
export function watchGarbage(registry: Registry): () => void {
  const histogram = new Histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'Garbage collections, by kind',
    labelNames: ['kind'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [registry],
  });
  for (const kind of Object.values(GC_KINDS)) histogram.zero({ kind });
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries() as Collection[]) {
      const kind = GC_KINDS[detail.kind];
      if (kind !== undefined) histogram.observe({ kind }, duration / 1000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}

function addOpenFiles(registry: Registry): void {
  const most = mostOpenFiles();
  // Elsewhere than on Linux.
  if (most === undefined) return;
  new Gauge({
    name: 'process_max_fds',
    help: 'Most files and sockets the process may have open',
    registers: [registry],
    collect() {
      this.set(most);
    },
  });
  new Gauge({
    name: 'process_open_fds',
    help: 'Files and sockets the process has open',
    registers: [registry],
    async collect() {
      this.set(await openFiles());
    },
  });
}

function mostOpenFiles(): number | undefined {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** From Linux 6.2 on the folder's size is their number; before, it is 0. */
async function openFiles(): Promise<number> {
  const { size } = await stat('/proc/self/fd');
  return size > 0 ? size : (await readdir('/proc/self/fd')).length;
}
