import { Registry } from 'prom-client';
import type { Durations } from './durations.ts';
import { addProcess, watchEventLoop, watchGarbage } from './process-metrics.ts';
import { ReadMetrics } from './read-metrics.ts';
import { addAlerts, addConnections, addFrames, addMl, addStreams, addWebhook } from './router-metrics.ts';
import type { Stats } from './stats.ts';

export interface MetricsParts {
  /** What `/stats` says; read once for each scrape. */
  stats: () => Stats;
  durations: Durations;
  version: string;
  /** Most connections it takes. */
  maxConnections: number;
  isReady: () => boolean;
  /** What may be degraded, and what is. */
  parts: readonly string[];
  degraded: () => readonly string[];
}

/** What Prometheus scrapes. */
export interface Metrics {
  readonly contentType: string;
  /** All of them as they are now, in the text format. */
  text(): Promise<string>;
  /** Ends what watches the process. */
  close(): void;
}

/** A scrape takes 0.6 ms with 1,000 streams and 10,000 viewers, half of it to count them (`npm run bench:micro -- --only scrape`). */
export function createMetrics(parts: MetricsParts): Metrics {
  const registry = new Registry();
  let stats = parts.stats();
  const metrics = new ReadMetrics(registry, () => stats);
  metrics.gaugeBy('version', 'watchout_build_info', 'Always 1: which version runs', () => ({ [parts.version]: 1 }));
  metrics.gauge('watchout_ready', '1 until the router drains', () => Number(parts.isReady()));
  metrics.gaugeBy('part', 'watchout_degraded', '1 while a part does not work, though the router does', () => {
    const degraded = parts.degraded();
    return Object.fromEntries(parts.parts.map((part) => [part, Number(degraded.includes(part))]));
  });
  metrics.gauge('watchout_connections_limit', 'Most WebSockets the router takes', () => parts.maxConnections);
  addConnections(metrics);
  addStreams(metrics);
  addFrames(metrics);
  addAlerts(metrics);
  // Whether there is one does not change while the router runs.
  const { ml, webhook } = stats;
  if (ml !== null) addMl(new ReadMetrics(registry, () => stats.ml ?? ml));
  if (webhook !== null) addWebhook(new ReadMetrics(registry, () => stats.webhook ?? webhook));
  for (const histogram of parts.durations.histograms) registry.registerMetric(histogram);
  addProcess(metrics, registry);
  const watches = [watchEventLoop(registry), watchGarbage(registry)];
  return {
    contentType: registry.contentType,
    text() {
      // All that is read from it is read in this turn, so the numbers of one scrape agree with each other.
      stats = parts.stats();
      return registry.metrics();
    },
    close() {
      for (const stop of watches) stop();
    },
  };
}
