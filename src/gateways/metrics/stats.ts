import type { FrameAges } from '../../router/frame-ages.ts';
import type { ConnectionStats, trafficStats } from '../../router/snapshot.ts';

type Causes = Readonly<Record<string, number>>;

/** What `/stats` says, as far as metrics are made of it. */
export interface Stats extends ConnectionStats, ReturnType<typeof trafficStats> {
  frameAgeMs: FrameAges;
  /** Null: the router has no ML service. */
  ml: MlStats | null;
  /** Null: alerts are forwarded to nobody. */
  webhook: WebhookStats | null;
  sessions: { lookUps: number; ended: number };
  connections: { refused: Causes };
  process: ProcessUse;
}

export interface MlStats {
  sampled: number;
  sent: number;
  waiting: number;
  requests: number;
  failedRequests: number;
  inFlight: number;
  dropped: Causes;
  alerts: { accepted: number; refused: number };
  breaker: 'closed' | 'open' | 'half-open';
  connected: boolean;
}

export interface WebhookStats {
  queued: number;
  inFlight: number;
  delivered: number;
  retries: number;
  dropped: Causes;
}

/** What the process itself uses. */
interface ProcessUse {
  uptimeSeconds: number;
  /** Of all its threads, user and system. */
  cpuSeconds: number;
  residentBytes: number;
}
