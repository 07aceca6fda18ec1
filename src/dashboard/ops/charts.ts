import type { Stats } from './answers.ts';
import { quantile } from './exposition.ts';
import { number } from './numbers.ts';
import { perSecond, type Sample, type Span, sum } from './samples.ts';

/** One line of a chart. */
interface ChartLine {
  label: string;
  /** Null where nothing can be said. */
  read: (span: Span) => number | null;
}

/** What one chart shows, and in which unit. */
export interface ChartPlan {
  id: string;
  title: string;
  unit: string;
  lines: readonly ChartLine[];
  /** For people, without the unit. */
  format: (value: number) => string;
  /** Left out where the router has nothing of the kind. */
  isShown?: (stats: Stats) => boolean;
}

const MIB = 1024 * 1024;
const hasMl = ({ ml }: Stats) => ml !== null;
const hasWebhook = ({ webhook }: Stats) => webhook !== null;

function growth(label: string, read: (sample: Sample) => number): ChartLine {
  return { label, read: (span) => perSecond(span, read) };
}

function level(label: string, read: (sample: Sample) => number): ChartLine {
  return { label, read: ({ now }) => read(now) };
}

/** Of a histogram: what so many of a hundred took at most, ms. */
function percentile(share: number, name: string, label = `p${share * 100}`): ChartLine {
  const of = ({ metrics }: Sample) => metrics.histograms.get(name);
  return {
    label,
    read: ({ before, now }) => {
      const seconds = quantile(of(before), of(now), share);
      return seconds === null ? null : seconds * 1000;
    },
  };
}

const value = (name: string) => (sample: Sample) => sample.metrics.values.get(name) ?? 0;
const percentOfACore = (label: string, read: (sample: Sample) => number) =>
  growth(label, (sample) => 100 * read(sample));

/** All charts, in their order. */
export const CHARTS: readonly ChartPlan[] = [
  {
    id: 'frames',
    title: 'Frames in and out',
    unit: 'a second',
    format: number,
    lines: [
      growth('from cameras', ({ stats }) => stats.frames.received),
      growth('to viewers', ({ stats }) => stats.frames.delivered),
    ],
  },
  {
    id: 'skipped',
    title: 'Frames that were not sent',
    unit: 'a second',
    format: number,
    lines: [
      growth('viewer is slow', ({ stats }) => stats.frames.dropped.slow),
      growth('viewer wants fewer', ({ stats }) => stats.frames.dropped.fps),
      growth('viewer left', ({ stats }) => stats.frames.dropped.closed),
      growth('camera refused', ({ stats }) => sum(stats.frames.rejected)),
    ],
  },
  {
    id: 'age',
    title: 'Age of the newest frames when they come',
    unit: 'ms, by the cameras’ clocks',
    format: number,
    lines: [
      level('middle stream', ({ stats }) => stats.frameAgeMs.median),
      level('worst stream', ({ stats }) => stats.frameAgeMs.worst),
    ],
  },
  {
    id: 'routing',
    title: 'Time a frame takes through the router',
    unit: 'ms',
    format: fine,
    lines: [percentile(0.5, 'watchout_frame_handling_seconds'), percentile(0.95, 'watchout_frame_handling_seconds')],
  },
  {
    id: 'connections',
    title: 'Connections',
    unit: 'now',
    format: number,
    lines: [
      level('connections', ({ stats }) => stats.totalConnections),
      level('streams', ({ stats }) => stats.activeStreams.length),
      level('viewers', ({ stats }) => stats.totalVideoConsumers),
    ],
  },
  {
    id: 'ml-frames',
    title: 'Frames to the ML service',
    unit: 'a second',
    format: number,
    isShown: hasMl,
    lines: [
      growth('sent', ({ stats }) => stats.ml?.sent ?? 0),
      growth('not sent', ({ stats }) => sum(stats.ml?.dropped ?? {})),
    ],
  },
  {
    id: 'ml-queue',
    title: 'Waiting for the ML service',
    unit: 'now',
    format: number,
    isShown: hasMl,
    lines: [
      level('streams in the queue', ({ stats }) => stats.ml?.waiting ?? 0),
      level('requests in flight', ({ stats }) => stats.ml?.inFlight ?? 0),
    ],
  },
  {
    id: 'ml-time',
    title: 'Time the ML service takes',
    unit: 'ms',
    format: fine,
    isShown: hasMl,
    lines: [
      percentile(0.5, 'watchout_ml_request_duration_seconds'),
      percentile(0.95, 'watchout_ml_request_duration_seconds'),
    ],
  },
  {
    id: 'alerts',
    title: 'Alerts',
    unit: 'a second',
    format: number,
    lines: [
      growth('accepted', ({ stats }) => stats.alerts.accepted),
      growth('delivered', ({ stats }) => stats.alerts.delivered),
      growth('viewer is too far behind', ({ stats }) => stats.alerts.undelivered),
    ],
  },
  {
    id: 'webhook',
    title: 'Alerts to the service that keeps them',
    unit: 'now',
    format: number,
    isShown: hasWebhook,
    lines: [
      level('waiting', ({ stats }) => stats.webhook?.queued ?? 0),
      level('in flight', ({ stats }) => stats.webhook?.inFlight ?? 0),
    ],
  },
  {
    id: 'busy',
    title: 'Time in use',
    unit: '% of a core',
    format: number,
    lines: [
      percentOfACore('event loop', value('watchout_event_loop_active_seconds_total')),
      percentOfACore('processor', ({ stats }) => stats.process.cpuSeconds),
    ],
  },
  {
    id: 'delay',
    title: 'Longest wait for the event loop',
    unit: 'ms',
    format: fine,
    lines: [percentile(1, 'watchout_event_loop_delay_seconds', 'at most')],
  },
  {
    id: 'memory',
    title: 'Memory',
    unit: 'MiB',
    format: number,
    lines: [
      level('all of it', ({ stats }) => stats.process.residentBytes / MIB),
      level('JavaScript’s heap', (sample) => value('nodejs_heap_size_used_bytes')(sample) / MIB),
    ],
  },
];

/** Times may be hundredths of a ms. */
function fine(ms: number): string {
  return ms > 0 && ms < 1 ? ms.toPrecision(2) : number(ms);
}
