/** What the router answers, as far as this page reads it. docs/API.md has all of it. */

type Counts = Readonly<Record<string, number>>;

/** `GET /stats`. Whatever is counted is counted since the router's start. */
export interface Stats {
  activeStreams: readonly string[];
  totalProducers: number;
  totalVideoConsumers: number;
  totalConnections: number;
  frames: {
    received: number;
    rejected: Counts;
    offered: number;
    delivered: number;
    dropped: { slow: number; fps: number; closed: number };
    inFlight: number;
  };
  /** Of the newest frame of each stream, when it came. */
  frameAgeMs: { median: number; worst: number };
  alerts: { accepted: number; delivered: number; undelivered: number };
  /** Null: the router has no ML service. */
  ml: {
    sampled: number;
    sent: number;
    waiting: number;
    failedRequests: number;
    inFlight: number;
    dropped: Counts;
    breaker: 'closed' | 'open' | 'half-open';
    connected: boolean;
  } | null;
  /** Null: alerts are forwarded to nobody. */
  webhook: { queued: number; inFlight: number; delivered: number; retries: number; dropped: Counts } | null;
  connections: { refused: Counts };
  process: { uptimeSeconds: number; cpuSeconds: number; residentBytes: number };
}

/** `GET /health/ready`, which also answers 503 while the router shuts down. */
export interface Ready {
  status: 'ready' | 'draining';
  degraded: readonly string[];
}

/** `GET /api/connections`. */
export interface ConnectionTable {
  connections: readonly ConnectionRow[];
  total: number;
  more: boolean;
  /** Ms since the epoch, by the router's clock. */
  at: number;
}

export interface ConnectionRow {
  id: string;
  role: 'encoder' | 'viewer' | 'ml' | 'alerts' | 'unnamed';
  userId: string | null;
  transport: 'websocket' | 'mjpeg' | 'http';
  path: string;
  encoding: 'json' | 'msgpack' | null;
  connectedAtMs: number;
  address?: string;
  waitingBytes: number;
  rttMs: number | null;
  stream?: FedStream | null;
  subscriptions?: readonly WatchedStream[];
  subscriptionCount?: number;
}

/** The stream that an encoder feeds. */
export interface FedStream {
  streamId: string;
  status: string;
  receivedFrames: number;
  rejected: { notYours: number; rate: number; invalid: number };
  limitFps: number;
  askedFps: number | null;
  viewers: number;
  lastFrameAgeMs: number | null;
  arrivedAfterMs: number | null;
}

/** One subscription of a viewer. */
export interface WatchedStream {
  streamId: string;
  isLive: boolean;
  maxFps: number | null;
  window: number | null;
  offered: number;
  delivered: number;
  dropped: { slow: number; fps: number; closed: number };
  inFlight: number;
  unackedForMs: number | null;
  lastDeliveredAgeMs: number | null;
}
