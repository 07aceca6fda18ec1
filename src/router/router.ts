import type { StreamAccess } from './access.ts';
import { Alerts } from './alerts.ts';
import { Counters } from './counters.ts';
import { FramePath } from './frame-path.ts';
import type { IngestLimits } from './ingest-limit.ts';
import type { Clock, Defer, FrameTap, Log, Publisher } from './ports.ts';
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
  newStreamId: () => string;
  newAlertId: () => string;
}

/** The whole domain, wired: streams, their viewers, the way of frames and the way of alerts. */
export interface Router {
  readonly streams: Streams;
  readonly viewers: Viewers;
  readonly framePath: FramePath;
  readonly alerts: Alerts;
  readonly counters: Counters;
}

export function createRouter(parts: RouterParts): Router {
  const counters = new Counters();
  const streams = new Streams({
    ...parts,
    counters,
    onLive: (stream) => viewers.bindPending(stream),
    onEnded: (stream) => {
      viewers.streamEnded(stream);
      stream.tap.close();
    },
  });
  const viewers: Viewers = new Viewers(streams, { ...parts, counters });
  const alerts = new Alerts(streams, { ...parts, counters });
  const framePath = new FramePath(streams, parts.clock, counters);
  return { streams, viewers, framePath, alerts, counters };
}
