import type { BreakerState } from './breaker.ts';
import type { MlTransport } from './transport.ts';

/** What the ML path did since the start; `/stats` shows it under `ml`. */
export interface MlStats {
  sampled: number;
  /** Counted when it is known that they went out: with the answer, or its failure. */
  sent: number;
  requests: number;
  failedRequests: number;
  /** `replaced`: a newer frame of the stream came first. `stale`: too old to be worth sending. `failed`: the request failed. */
  dropped: { replaced: number; stale: number; failed: number };
  alerts: { accepted: number; refused: number };
  inFlight: number;
  /** Also closed when a connection that is kept stands again, and nobody has asked yet: while no camera is live there is no frame that could prove it. */
  readonly breaker: BreakerState;
  /** The connection to the service stands; always true where none is kept. */
  readonly connected: boolean;
}

/** Of a feed that has done nothing yet. */
export function emptyStats(transport: MlTransport, breaker: () => BreakerState): MlStats {
  return {
    sampled: 0,
    sent: 0,
    requests: 0,
    failedRequests: 0,
    dropped: { replaced: 0, stale: 0, failed: 0 },
    alerts: { accepted: 0, refused: 0 },
    inFlight: 0,
    get breaker() {
      return breaker();
    },
    get connected() {
      return transport.isConnected;
    },
  };
}
