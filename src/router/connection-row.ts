import type { Encoding } from '../../proto/codec.ts';
import type { StreamStatus } from '../../proto/messages.ts';
import type { OpenConnection } from './open-connection.ts';

/** The stream that an encoder feeds. Counts are of this connection. */
export interface FedStream {
  streamId: string;
  status: StreamStatus;
  /** All that came, rejected ones among them. */
  receivedFrames: number;
  rejected: { notYours: number; rate: number; invalid: number };
  /** Frames a second that the router lets in at most. */
  limitFps: number;
  /** What it was asked for with `throttle`; null: never asked. */
  askedFps: number | null;
  viewers: number;
  /** Null: there was none yet. */
  lastFrameAgeMs: number | null;
  /** From the newest frame's `timestamp` until it came in: the way it took, and what the two clocks differ by. */
  arrivedAfterMs: number | null;
}

/** One subscription. `offered` is always `delivered`, all that were `dropped`, and `inFlight` together. */
export interface WatchedStream {
  streamId: string;
  /** False: it waits for a stream of that id. */
  isLive: boolean;
  /** Null: as many as come. */
  maxFps: number | null;
  /** Null: a plain viewer. */
  window: number | null;
  offered: number;
  delivered: number;
  dropped: { slow: number; fps: number; closed: number };
  inFlight: number;
  /** How long nothing was acknowledged though frames are on their way; null: none are, or it has no window. */
  unackedForMs: number | null;
  lastDeliveredAgeMs: number | null;
}

/** One row of the table of connections. Counts are of the connection's life. */
export interface ConnectionRow {
  id: string;
  role: 'encoder' | 'viewer' | 'ml' | 'alerts' | 'unnamed';
  /** Null: the ML service, which is no user. */
  userId: string | null;
  transport: OpenConnection['transport'];
  path: string;
  /** Null: it speaks neither, see `transport`. */
  encoding: Encoding | null;
  /** Ms since the epoch. */
  connectedAtMs: number;
  /** Only for who runs the router. */
  address?: string;
  waitingBytes: number;
  rttMs: number | null;
  /** Of an encoder; null before it has registered one. */
  stream?: FedStream | null;
  /** Of a viewer: the slowest ones, and how many there are in all. */
  subscriptions?: WatchedStream[];
  subscriptionCount?: number;
}
