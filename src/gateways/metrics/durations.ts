import { Histogram } from 'prom-client';
import type { DurationSink, Verification } from '../../router/ports.ts';

/** Where the parts of the router report how long things took. */
interface DurationSinks {
  /** One frame in some, through the router. */
  frameHandling: DurationSink;
  mlRequest: DurationSink<'answered' | 'failed'>;
  /** From a frame's arrival until an alert that speaks of it goes out. */
  alertDelay: DurationSink;
  sessionLookUp: DurationSink<Verification['kind']>;
}

/** What the parts report, and the histograms it becomes. */
export interface Durations {
  readonly sinks: DurationSinks;
  readonly histograms: readonly Histogram<string>[];
}

const ML_OUTCOMES = ['answered', 'failed'] as const;
const LOOK_UP_OUTCOMES: readonly Verification['kind'][] = ['session', 'refused', 'unavailable'];

/** Made before the parts that report to it. Bounds are in seconds, around what is promised and what was measured. */
export function createDurations(): Durations {
  const frames = new Histogram({
    name: 'watchout_frame_handling_seconds',
    help: 'One frame in 64 of each stream: from its admission until it was handed to all of its viewers’ sockets, kept, and sampled for ML',
    buckets: [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
    registers: [],
  });
  const mlRequests = new Histogram({
    name: 'watchout_ml_request_duration_seconds',
    help: 'Requests to the ML service, from dispatch to answer; over a WebSocket or Redis, which do not answer, until the frames were taken',
    labelNames: ['outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [],
  });
  const alerts = new Histogram({
    name: 'watchout_alert_delay_seconds',
    help: 'Alerts that speak of a known frame: from the arrival of the frame until the alert went out',
    buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [],
  });
  const lookUps = new Histogram({
    name: 'watchout_session_lookup_duration_seconds',
    help: 'Look-ups of sessions in the database, by what they found',
    labelNames: ['outcome'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [],
  });
  // There from the start, so that the first one counts as an increase.
  for (const outcome of ML_OUTCOMES) mlRequests.zero({ outcome });
  for (const outcome of LOOK_UP_OUTCOMES) lookUps.zero({ outcome });
  return {
    sinks: {
      frameHandling: (tookMs) => frames.observe(tookMs / 1000),
      mlRequest: (tookMs, outcome) => mlRequests.observe({ outcome }, tookMs / 1000),
      alertDelay: (tookMs) => alerts.observe(tookMs / 1000),
      sessionLookUp: (tookMs, outcome) => lookUps.observe({ outcome }, tookMs / 1000),
    },
    histograms: [frames, mlRequests, alerts, lookUps],
  };
}
