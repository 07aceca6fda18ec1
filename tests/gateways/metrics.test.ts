import { expect, onTestFinished, test } from 'vitest';
import { createDurations } from '../../src/gateways/metrics/durations.ts';
import { createMetrics, type MetricsParts } from '../../src/gateways/metrics/metrics.ts';
import type { Stats } from '../../src/gateways/metrics/stats.ts';
import { Counters } from '../../src/router/counters.ts';
import { parseExposition, seriesIn } from '../support/exposition.ts';
import { until } from '../support/until.ts';

const nothing = new Counters();

const STATS: Stats = {
  totalProducers: 0,
  totalVideoConsumers: 0,
  totalAlertConsumers: 0,
  totalConnections: 0,
  activeStreams: [],
  frames: {
    received: 0,
    rejected: nothing.framesRejected,
    offered: 100,
    delivered: 90,
    dropped: { slow: 10, fps: 0, closed: 0 },
    inFlight: 0,
  },
  frameAgeMs: { median: 0, worst: 0 },
  alerts: { accepted: 0, refused: 0, suppressed: 0, repeated: 0, delivered: 0, undelivered: 0, replayed: 0 },
  messages: { invalid: 0, unauthorized: 0 },
  streams: { refused: 0, reserved: 0 },
  viewers: { refused: 0 },
  ml: null,
  webhook: null,
  sessions: { lookUps: 0, ended: 0 },
  connections: { refused: { unauthorized: 0 } },
  process: { uptimeSeconds: 1, cpuSeconds: 1, residentBytes: 1 },
};

/** Metrics of a router that is whatever the test says. Answers what a scrape finds. */
function metricsOf(parts: Partial<MetricsParts>): () => Promise<Map<string, number>> {
  const metrics = createMetrics({
    stats: () => STATS,
    durations: createDurations(),
    version: '1.2.3',
    maxConnections: 10,
    isReady: () => true,
    parts: ['ml'],
    degraded: () => [],
    ...parts,
  });
  onTestFinished(() => metrics.close());
  return async () => seriesIn(parseExposition(await metrics.text()));
}

test('frames that turn out not to have been delivered make no counter go down: it would look like a restart', async () => {
  let delivered = 90;
  const scrape = metricsOf({ stats: () => ({ ...STATS, frames: { ...STATS.frames, delivered } }) });
  expect((await scrape()).get('watchout_frames_delivered_total')).toBe(90);
  delivered = 80;
  expect((await scrape()).get('watchout_frames_delivered_total')).toBe(90);
  delivered = 95;
  expect((await scrape()).get('watchout_frames_delivered_total')).toBe(95);
});

test('one scrape reads everything once, so that its numbers agree', async () => {
  let reads = 0;
  const scrape = metricsOf({
    stats: () => {
      reads += 1;
      return { ...STATS, totalConnections: reads, totalProducers: reads };
    },
  });
  const readsBefore = reads;
  const series = await scrape();
  expect(reads).toBe(readsBefore + 1);
  expect(series.get('watchout_connections')).toBe(reads);
  expect(series.get('watchout_encoders')).toBe(reads);
});

test('a router that drains is not ready, and a part that fails is degraded', async () => {
  const series = await metricsOf({ isReady: () => false, degraded: () => ['ml'] })();
  expect(series.get('watchout_ready')).toBe(0);
  expect(series.get('watchout_degraded{part="ml"}')).toBe(1);
});

test('a breaker is in one state at a time', async () => {
  const dropped = { replaced: 0, stale: 0, failed: 0 };
  const counts = { sampled: 0, sent: 0, waiting: 0, requests: 0, failedRequests: 0, inFlight: 0, dropped };
  const ml = { ...counts, alerts: { accepted: 0, refused: 0 }, breaker: 'half-open' as const, connected: false };
  const series = await metricsOf({ stats: () => ({ ...STATS, ml }) })();
  const states = ['closed', 'half-open', 'open'].map((state) =>
    series.get(`watchout_ml_breaker_state{state="${state}"}`),
  );
  expect(states).toEqual([0, 1, 0]);
  expect(series.get('watchout_ml_connected')).toBe(0);
});

test('durations are there from the start, and land in their bucket', async () => {
  const durations = createDurations();
  const scrape = metricsOf({ durations });
  const count = 'watchout_ml_request_duration_seconds_count{outcome="failed"}';
  expect((await scrape()).get(count)).toBe(0);
  durations.sinks.mlRequest(300, 'failed');
  const series = await scrape();
  expect(series.get(count)).toBe(1);
  expect(series.get('watchout_ml_request_duration_seconds_bucket{le="0.25",outcome="failed"}')).toBe(0);
  expect(series.get('watchout_ml_request_duration_seconds_bucket{le="0.5",outcome="failed"}')).toBe(1);
});

test('a stall of the event loop is seen, by whoever scrapes next and everybody after', async () => {
  const scrape = metricsOf({});
  const stalls = async () => {
    const series = await scrape();
    const all = series.get('watchout_event_loop_delay_seconds_count') ?? 0;
    return all - (series.get('watchout_event_loop_delay_seconds_bucket{le="0.25"}') ?? 0);
  };
  await until(
    'the loop is watched',
    async () => ((await scrape()).get('watchout_event_loop_delay_seconds_count') ?? 0) > 0,
  );
  const before = await stalls();
  const endMs = performance.now() + 400;
  while (performance.now() < endMs) Math.sqrt(endMs);
  await until('the stall is counted', async () => (await stalls()) > before);
  expect(await stalls()).toBeGreaterThan(before);
});

test('garbage collections are timed', async () => {
  const scrape = metricsOf({});
  const collections = async () => {
    const counts = [...(await scrape())].filter(([name]) => name.startsWith('nodejs_gc_duration_seconds_count'));
    return counts.reduce((sum, [, count]) => sum + count, 0);
  };
  await until('there was one', async () => {
    Array.from({ length: 100_000 }, (_, index) => ({ index }));
    return (await collections()) > 0;
  });
});
