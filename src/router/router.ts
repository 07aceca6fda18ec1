import type { StreamAccess } from './access.ts';
import { AlertHistory } from './alert-history.ts';
import { AlertListeners } from './alert-listeners.ts';
import { Alerts } from './alerts.ts';
import { Counters } from './counters.ts';
import { FramePath } from './frame-path.ts';
import type { IngestLimits } from './ingest-limit.ts';
import type {
  AlertSink,
  Clock,
  Defer,
  DurationSink,
  EvidenceRoom,
  FrameTap,
  Log,
  Publisher,
  StreamOwners,
} from './ports.ts';
import { PublishLog } from './publish-log.ts';
import { Reservations } from './reservations.ts';
import { Streams } from './streams.ts';
import { Viewers } from './viewers.ts';

export interface RouterParts {
  publisher: Publisher;
  tap: FrameTap;
  clock: Clock;
  defer: Defer;
  log: Log;
  limits: IngestLimits;
  graceMs: number;
  access: StreamAccess;
  /** Who owns streams that are not live, where somebody knows. */
  owners: StreamOwners | undefined;
  maxStreamsPerUser: number;
  maxViewersPerStream: number;
  newStreamId: () => string;
  newAlertId: () => string;
  newResumeToken: () => string;
  alertCooldownMs: number;
  alertSink: AlertSink | undefined;
  evidence: EvidenceRoom;
  /** How long one frame in some took to be routed. */
  frameHandling?: DurationSink;
  /** How old the frame of an alert was when the alert went out. */
  alertDelay?: DurationSink;
}

/** The whole domain, wired: streams, their viewers, the way of frames and the way of alerts. */
export interface Router {
  readonly streams: Streams;
  readonly reservations: Reservations;
  readonly viewers: Viewers;
  readonly framePath: FramePath;
  readonly alerts: Alerts;
  readonly listeners: AlertListeners;
  readonly history: AlertHistory;
  readonly counters: Counters;
}

export function createRouter(parts: RouterParts): Router {
  const counters = new Counters();
  const publishLog = new PublishLog();
  const history = new AlertHistory(parts.newAlertId());
  const reservations = new Reservations(parts.clock, counters);
  const streams = new Streams({
    ...parts,
    reservations,
    counters,
    publishLog,
    onLive: (stream) => viewers.bind(stream),
    onEnded: (stream) => {
      viewers.streamEnded(stream);
      stream.tap.close();
    },
  });
  const viewers: Viewers = new Viewers(streams, { ...parts, reservations, counters, publishLog, history });
  const listeners = new AlertListeners({ history, evidence: parts.evidence, counters });
  const alerts = new Alerts(streams, { ...parts, counters, history, listeners, sink: parts.alertSink });
  const framePath = new FramePath(streams, parts.clock, counters, parts.frameHandling);
  return { streams, reservations, viewers, framePath, alerts, listeners, history, counters };
}
