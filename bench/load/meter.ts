import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { forEachKind, type Percentiles, VIEWER_KINDS } from './report.ts';

/** Longest time that is told apart, µs: ten minutes. */
const MAX_MICROS = 600_000_000;

/** A histogram of times in µs, three significant figures (HdrHistogram, Node's own). It travels between threads. */
function timeHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: MAX_MICROS, figures: 3 });
}

export function recordMicros(histogram: RecordableHistogram, micros: number): void {
  histogram.record(Math.min(MAX_MICROS, Math.max(1, Math.round(micros))));
}

export function percentilesOf(histogram: RecordableHistogram): Percentiles {
  const count = histogram.count;
  if (count === 0) return { count, p50: 0, p90: 0, p95: 0, p99: 0, max: 0 };
  const at = (percent: number) => Math.round(histogram.percentile(percent)) / 1000;
  return { count, p50: at(50), p90: at(90), p95: at(95), p99: at(99), max: histogram.max / 1000 };
}

/** What one worker counts between two looks at it: a second of the run. */
export class Meter {
  sent = 0;
  /** Deliveries that what was sent should lead to. */
  expected = 0;
  skipped = 0;
  delivered = 0;
  deliveredBytes = 0;
  alertsSent = 0;
  alertsExpected = 0;
  alertsDelivered = 0;
  readonly deliveredBy = forEachKind(() => 0);
  readonly errors: Record<string, number> = {};
  readonly closed: Record<string, number> = {};
  readonly fromSchedule = timeHistogram();
  readonly fromSend = timeHistogram();
  readonly lateness = timeHistogram();
  readonly alertLatency = timeHistogram();
  readonly latencyBy = forEachKind(timeHistogram);

  /** Adds what another one counted. `other` may have crossed from a thread, so it has fields and no methods. */
  add(other: MeterData): void {
    this.sent += other.sent;
    this.expected += other.expected;
    this.skipped += other.skipped;
    this.delivered += other.delivered;
    this.deliveredBytes += other.deliveredBytes;
    this.alertsSent += other.alertsSent;
    this.alertsExpected += other.alertsExpected;
    this.alertsDelivered += other.alertsDelivered;
    this.addTrouble(other);
    this.fromSchedule.add(other.fromSchedule);
    this.fromSend.add(other.fromSend);
    this.lateness.add(other.lateness);
    this.alertLatency.add(other.alertLatency);
    for (const kind of VIEWER_KINDS) {
      this.deliveredBy[kind] += other.deliveredBy[kind];
      this.latencyBy[kind].add(other.latencyBy[kind]);
    }
  }

  /** Adds only errors and closes: what happened before the measured time. */
  addTrouble(other: MeterData): void {
    addCounts(this.errors, other.errors);
    addCounts(this.closed, other.closed);
  }
}

/** A meter as a message between threads. */
export type MeterData = Omit<Meter, 'add' | 'addTrouble'>;

export function count(counts: Record<string, number>, key: string | number, times = 1): void {
  counts[key] = (counts[key] ?? 0) + times;
}

function addCounts(into: Record<string, number>, from: Record<string, number>): void {
  for (const [key, times] of Object.entries(from)) count(into, key, times);
}
