import type { LoadReport, Sample } from '../report.ts';
import {
  byCount,
  formatNumber,
  formatPercent,
  inWords,
  MEBIBYTE,
  MEGABYTE,
  percentile,
  sum,
  withUnit,
} from './numbers.ts';

/** What draw.js draws. Without lines there is nothing to draw, and the summary says why. */
export interface Chart {
  id: string;
  heading: string;
  /** What the picture shows, for those who do not see it, or not yet. */
  summary: string;
  /** Lines, or bars on top of each other. */
  kind: 'lines' | 'stack';
  /** One or two: the first on the left, the second on the right. */
  axes: Axis[];
  lines: Line[];
}

interface Axis {
  label: string;
  /** Where a logarithmic axis begins; what is below is drawn there. */
  logFrom?: number;
  /** Free space above the highest value, as a share of it. */
  headroom: number;
}

interface Line {
  label: string;
  unit: string;
  axis: 0 | 1;
  /** A custom property of page.css: there are other colors in the dark. */
  color: string;
  style: 'solid' | 'dashed' | 'filled';
  /** One for each second; null where nothing was measured. */
  values: (number | null)[];
}

const LOG_FROM_MS = 0.1;
/** From this ratio of the highest to the lowest median on, a linear axis would show the highest only. */
const LOG_RATIO = 50;
const CAUSE_COLORS = ['--orange', '--blue', '--purple', '--green', '--yellow', '--grey'];

export function chartsOf(report: LoadReport): Chart[] {
  const charts = [throughput(report), latency(report), drops(report), routerUse(report)];
  if (report.timeline.length > 0) return charts;
  return charts.map((chart) => ({ ...chart, lines: [], summary: 'No second of this run was recorded.' }));
}

function throughput({ timeline, frames }: LoadReport): Chart {
  const { lowest, highest } = extremes(timeline, (sample) => sample.delivered);
  const fanOut = frames.sent > 0 ? frames.expected / frames.sent : 0;
  return {
    id: 'throughput',
    heading: 'Throughput',
    summary:
      `${withUnit(frames.deliveredPerSecond, 'frames/s')} delivered on average, ` +
      `from ${formatNumber(lowest.value)} (second ${lowest.second}) ` +
      `to ${formatNumber(highest.value)} (second ${highest.second}).`,
    kind: 'lines',
    // So that the two lines, which have the same shape, do not cover each other.
    axes: [
      { label: 'frames/s', headroom: 0.1 },
      { label: 'MB/s', headroom: 0.5 },
    ],
    lines: [
      line('delivered', 'frames/s', '--blue', 'filled', timeline, (sample) => sample.delivered),
      // Where every frame goes to one viewer it would only cover the line of the frames sent.
      ...(fanOut > 1
        ? [line('expected', 'frames/s', '--grey', 'dashed', timeline, (sample) => sample.sent * fanOut)]
        : []),
      line('sent', 'frames/s', '--orange', 'solid', timeline, (sample) => sample.sent),
      {
        ...line('JPEG', 'MB/s', '--green', 'dashed', timeline, (sample) => sample.deliveredBytes / MEGABYTE),
        axis: 1,
      },
    ],
  };
}

function latency({ timeline, latency: { fromSchedule } }: LoadReport): Chart {
  const medians = timeline.flatMap((sample) => percentile(sample.latency, 'p50') ?? []);
  const worst = extremes(timeline, (sample) => percentile(sample.latency, 'max') ?? 0).highest;
  const logarithmic = worst.value / Math.max(LOG_FROM_MS, Math.min(...medians)) >= LOG_RATIO;
  const measured = fromSchedule.count > 0 && medians.length > 0;
  const silent = timeline.length - medians.length;
  const seconds = `${formatNumber(silent)} of ${formatNumber(timeline.length)} seconds`;
  const gaps = silent > 0 ? ` In ${seconds} no frame arrived: there the lines have gaps.` : '';
  return {
    id: 'latency',
    heading: 'Latency',
    summary: measured
      ? `From the moment a frame was due to its viewer: p50 ${withUnit(fromSchedule.p50, 'ms')}, ` +
        `p99 ${withUnit(fromSchedule.p99, 'ms')}; ` +
        `the longest ${withUnit(worst.value, 'ms')} (second ${worst.second}).${gaps}`
      : 'No frame arrived, so no latency was measured.',
    kind: 'lines',
    axes: [
      {
        label: logarithmic ? 'ms, logarithmic' : 'ms',
        headroom: 0.1,
        ...(logarithmic ? { logFrom: LOG_FROM_MS } : {}),
      },
    ],
    lines: measured
      ? [
          line('p50', 'ms', '--blue', 'solid', timeline, ({ latency }) => percentile(latency, 'p50')),
          line('p90', 'ms', '--green', 'solid', timeline, ({ latency }) => percentile(latency, 'p90')),
          line('p99', 'ms', '--orange', 'solid', timeline, ({ latency }) => percentile(latency, 'p99')),
          line('max', 'ms', '--grey', 'dashed', timeline, ({ latency }) => percentile(latency, 'max')),
        ]
      : [],
  };
}

function drops({ timeline, router }: LoadReport): Chart {
  const totals = new Map<string, number>();
  for (const { dropped } of timeline)
    for (const [cause, count] of byCount(dropped)) totals.set(cause, (totals.get(cause) ?? 0) + count);
  const counts = Object.fromEntries(totals);
  const most = extremes(timeline, (sample) => sum(Object.values(sample.dropped))).highest;
  const summary =
    `Frames that did not reach a viewer, or were not let in: ${inWords(counts)}. ` +
    `Most in one second: ${formatNumber(most.value)} (second ${most.second}).`;
  return {
    id: 'drops',
    heading: 'Dropped frames by cause',
    summary: totals.size > 0 ? summary : nothingDropped(router),
    kind: 'stack',
    axes: [{ label: 'frames/s', headroom: 0.1 }],
    lines: byCount(counts).map(([cause], index) =>
      line(cause, 'frames/s', CAUSE_COLORS[index % CAUSE_COLORS.length] ?? '--grey', 'filled', timeline, (sample) =>
        // A cause may have the name of something that every object has.
        Object.hasOwn(sample.dropped, cause) ? (sample.dropped[cause] ?? 0) : 0,
      ),
    ),
  };
}

function nothingDropped(router: LoadReport['router']): string {
  if (router === undefined) return 'The router does not tell, so nothing is known of dropped frames.';
  const outside = inWords(router.dropped);
  return outside === ''
    ? 'No frame was dropped.'
    : `No frame was dropped in these seconds; in the whole run: ${outside}.`;
}

function routerUse({ timeline }: LoadReport): Chart {
  const cpu = timeline.flatMap((sample) => sample.routerCpu ?? []);
  const memory = timeline.flatMap((sample) => sample.routerResidentBytes ?? []);
  const summary: string[] = [];
  const axes: Axis[] = [];
  const lines: Line[] = [];
  if (cpu.length > 0) {
    const { highest } = extremes(timeline, (sample) => sample.routerCpu ?? 0);
    const mean = sum(cpu) / cpu.length;
    summary.push(
      `CPU: ${formatPercent(mean)} of one core on average, ` +
        `at most ${formatPercent(highest.value)} (second ${highest.second}).`,
    );
    lines.push(
      line('CPU', '%', '--blue', 'solid', timeline, ({ routerCpu }) =>
        routerCpu === undefined ? null : routerCpu * 100,
      ),
    );
    axes.push({ label: '% of one core', headroom: 0.1 });
  }
  if (memory.length > 0) {
    summary.push(
      `Memory: ${formatNumber(Math.min(...memory) / MEBIBYTE)} to ${withUnit(Math.max(...memory) / MEBIBYTE, 'MiB')}.`,
    );
    lines.push({
      ...line('memory', 'MiB', '--orange', 'dashed', timeline, ({ routerResidentBytes }) =>
        routerResidentBytes === undefined ? null : routerResidentBytes / MEBIBYTE,
      ),
      axis: axes.length === 0 ? 0 : 1,
    });
    axes.push({ label: 'MiB', headroom: 0.5 });
  }
  const untold = [...(cpu.length > 0 ? [] : ['CPU time']), ...(memory.length > 0 ? [] : ['memory'])];
  if (untold.length > 0) summary.push(`The router does not tell its ${untold.join(' and its ')}.`);
  return {
    id: 'router',
    heading: 'CPU and memory of the router',
    summary: summary.join(' '),
    kind: 'lines',
    axes,
    lines,
  };
}

function line(
  label: string,
  unit: string,
  color: string,
  style: Line['style'],
  timeline: readonly Sample[],
  value: (sample: Sample) => number | null,
): Line {
  return { label, unit, axis: 0, color, style, values: timeline.map(value) };
}

interface Moment {
  second: number;
  value: number;
}

function extremes(timeline: readonly Sample[], value: (sample: Sample) => number): { lowest: Moment; highest: Moment } {
  const moments = timeline.map((sample) => ({ second: sample.second, value: value(sample) }));
  const sorted = moments.sort((one, other) => one.value - other.value);
  const none = { second: 0, value: 0 };
  return { lowest: sorted[0] ?? none, highest: sorted.at(-1) ?? none };
}
