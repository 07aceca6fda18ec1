/** What one run of the load tool found. `--json` prints it, `--html` draws it; the other benchmarks read it. */
export interface LoadReport {
  /** The router's address, without any token. */
  url: string;
  /** ISO 8601. */
  startedAt: string;
  /** What was asked for, one line, in words: "4 streams × 25 viewers, 34 KB at 10 fps, MessagePack". */
  load: string;
  /** Measured time, the ramp left out. */
  seconds: number;
  connections: {
    encoders: number;
    viewers: number;
    /** Connections that could not be opened or were refused, by reason. */
    failed: Record<string, number>;
    /** Closed by the router or the network, by close code; those before the measured time included. */
    closed: Record<string, number>;
  };
  frames: {
    sent: number;
    /** Due by the schedule, and left out because the encoder's own socket was still full. */
    skipped: number;
    /** Received by viewers that read as fast as they can, windowed ones among them. */
    delivered: number;
    /** Sent × those viewers. */
    expected: number;
    deliveredPerSecond: number;
    /** Of the JPEGs. */
    deliveredBytesPerSecond: number;
  };
  /** From the encoder's clock to the viewer, of viewers that read as fast as they can. */
  latency: {
    /** From the moment a frame was due, so that a stall counts for every frame it held up. */
    fromSchedule: Percentiles;
    /** From the moment it was handed to the socket. */
    fromSend: Percentiles;
  };
  viewers: Record<ViewerKind, { count: number; delivered: number; latency: Percentiles }>;
  alerts: { sent: number; delivered: number; expected: number; latency: Percentiles };
  /** `error` messages of the router, by code; those before the measured time included. */
  errors: Record<string, number>;
  /** What the router said of itself in `/stats`; undefined when it has none. */
  router: RouterUse | undefined;
  tool: {
    cpuSeconds: number;
    /** Share of the time that the busiest thread of the tool was busy, 0 to 1. */
    busiest: number;
    /** How late frames were sent. */
    lateness: Percentiles;
    /** Why the figures may say more about the tool, or the machine, than about the router. */
    warnings: string[];
  };
  timeline: Sample[];
}

/** `windowed` acknowledges frames, `slow` reads a little at a time, `slow-windowed` does both, `stalled` reads nothing. */
export const VIEWER_KINDS = ['plain', 'windowed', 'slow', 'slow-windowed', 'stalled'] as const;
export type ViewerKind = (typeof VIEWER_KINDS)[number];

/** One value for each kind. */
export function forEachKind<T>(make: (kind: ViewerKind) => T): Record<ViewerKind, T> {
  return Object.fromEntries(VIEWER_KINDS.map((kind) => [kind, make(kind)])) as Record<ViewerKind, T>;
}

/** Milliseconds. All 0 when nothing was measured. */
export interface Percentiles {
  count: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  max: number;
}

export interface RouterUse {
  /** Undefined when its `/stats` does not tell. */
  cpuSeconds: number | undefined;
  cpuMicrosPerFrame: number | undefined;
  maxResidentBytes: number | undefined;
  /** Frames that did not reach a viewer or were not let in, by cause: `slow`, `rate` … */
  dropped: Record<string, number>;
}

/** One second of the run. */
export interface Sample {
  /** Seconds since measuring began. */
  second: number;
  sent: number;
  delivered: number;
  deliveredBytes: number;
  alertsDelivered: number;
  /** From the schedule, of the frames that arrived in this second. */
  latency: Percentiles;
  /** Of the router's process, 1 is one core. */
  routerCpu: number | undefined;
  routerResidentBytes: number | undefined;
  /** In this second, by cause. */
  dropped: Record<string, number>;
}
