import type { MeterData } from './meter.ts';
import type { Connection, LoadPlan } from './plan.ts';
import type { ViewerKind } from './report.ts';

export interface WorkerData {
  plan: LoadPlan;
  /** This worker's share. */
  connections: Connection[];
  /** Part of the stream ids, so that no two runs meet. */
  runId: string;
  /** Two 32-bit numbers per stream, shared by all workers: frames that arrived at fast viewers, summed; and how many of those there are. */
  progress: SharedArrayBuffer;
}

export type ToWorker =
  | { kind: 'connect'; role: Connection['role']; seconds: number }
  /** Everybody is connected. */
  | { kind: 'go' }
  | { kind: 'measure'; fromMicros: number; toMicros: number }
  | { kind: 'report'; last: boolean }
  | { kind: 'stop' };

export type FromWorker =
  /** `viewer`: its kind, of a viewer. */
  | { kind: 'opened'; role: Connection['role']; viewer: ViewerKind | undefined }
  | { kind: 'failed'; role: Connection['role']; reason: string }
  | { kind: 'connected'; role: Connection['role'] }
  /** The measured time is over; `busy`: share of it that this thread was busy. */
  | { kind: 'measured'; busy: number }
  | { kind: 'meter'; meter: MeterData; last: boolean };
