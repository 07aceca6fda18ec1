import type { Encoding } from '../../proto/codec.ts';
import type { PictureSource } from './pictures.ts';
import { forEachKind, type ViewerKind } from './report.ts';

/** Whom the load is for, and in which manner of speaking. */
export interface LoadTarget {
  /** `ws://host:port` or `wss://host:port`. */
  url: string;
  /** `watchout`: the router's protocol. `bare`: `/pub/<stream>` and `/sub/<stream>`, without a word. `socket.io`: binary events named `frame`. */
  dialect: 'watchout' | 'bare' | 'socket.io';
  token: string | undefined;
}

/** When encoders send: by the clock whatever happens, or as fast as possible with so many frames on their way. */
export type Pace = { kind: 'fps'; fps: number } | { kind: 'window'; frames: number };

export type EncodingChoice = Encoding | 'mixed';

/** One run of the load tool, whole. Plain data: it travels to the worker threads as it is. */
export interface LoadPlan {
  target: LoadTarget;
  streams: number;
  viewersPerStream: number;
  pictures: PictureSource;
  pace: Pace;
  encoderEncoding: EncodingChoice;
  viewerEncoding: EncodingChoice;
  /** Shares of all viewers, 0 to 1; the rest is plain. */
  shares: Record<Exclude<ViewerKind, 'plain'>, number>;
  /** Frames in flight that a windowed viewer asks for. */
  window: number;
  /** What a slow viewer reads. */
  slowBytesPerSecond: number;
  /** What each viewer computes on a frame, in CPU time of its thread, beside reading it. */
  viewerMicros: number;
  /** All encoders together. */
  alertsPerSecond: number;
  /** Connections are opened evenly over this time. */
  rampSeconds: number;
  /** Frames flow this long before measuring begins. */
  warmUpSeconds: number;
  seconds: number;
  workers: number;
}

/** One connection of the load. `stream` is an index from 0. */
export type Connection =
  | { role: 'encoder'; stream: number; encoding: Encoding }
  | { role: 'viewer'; stream: number; encoding: Encoding; kind: ViewerKind; window: number };

/**
 * Every connection of a plan, for each worker: streams stay together with their viewers, so that an encoder learns without
 * a detour that its frames have arrived; one with fewer streams than workers is spread.
 */
export function distribute(plan: LoadPlan): Connection[][] {
  const workers: Connection[][] = Array.from({ length: plan.workers }, () => []);
  const assigned = forEachKind(() => 0);
  let viewer = 0;
  for (let stream = 0; stream < plan.streams; stream += 1) {
    const home = stream % plan.workers;
    workers[home]?.push({ role: 'encoder', stream, encoding: pick(plan.encoderEncoding, stream) });
    for (let i = 0; i < plan.viewersPerStream; i += 1) {
      const kind = nextKind(plan, assigned, viewer);
      assigned[kind] += 1;
      const worker = plan.streams >= plan.workers ? home : viewer % plan.workers;
      workers[worker]?.push({
        role: 'viewer',
        stream,
        encoding: pick(plan.viewerEncoding, viewer),
        kind,
        window: plan.window,
      });
      viewer += 1;
    }
  }
  return workers;
}

/** Viewers of a kind that reads as fast as it can. */
export function isFast(kind: ViewerKind): boolean {
  return kind === 'plain' || kind === 'windowed';
}

export function acknowledges(kind: ViewerKind): boolean {
  return kind === 'windowed' || kind === 'slow-windowed';
}

export function isSlow(kind: ViewerKind): boolean {
  return kind === 'slow' || kind === 'slow-windowed';
}

/** The kind that lacks most of its share so far: exact shares, spread evenly over streams. */
function nextKind(plan: LoadPlan, assigned: Record<ViewerKind, number>, viewer: number): ViewerKind {
  let chosen: ViewerKind = 'plain';
  let most = 0.5;
  for (const kind of ['stalled', 'slow-windowed', 'slow', 'windowed'] as const) {
    const lacking = plan.shares[kind] * (viewer + 1) - assigned[kind];
    if (lacking > most) [chosen, most] = [kind, lacking];
  }
  return chosen;
}

function pick(choice: EncodingChoice, index: number): Encoding {
  if (choice !== 'mixed') return choice;
  return index % 2 === 0 ? 'msgpack' : 'json';
}

/** The load in words, as reports show it. */
export function describePlan(plan: LoadPlan): string {
  const { streams, viewersPerStream, pictures, pace, shares } = plan;
  const size = pictures.kind === 'size' ? `frames of ${pictures.bytes / 1000} KB` : `frames from ${pictures.path}`;
  const speed = pace.kind === 'fps' ? `${pace.fps} fps` : `as fast as possible, ${pace.frames} in flight`;
  const encodings =
    plan.encoderEncoding === plan.viewerEncoding
      ? plan.encoderEncoding
      : `${plan.encoderEncoding} in, ${plan.viewerEncoding} out`;
  const special = (['windowed', 'slow', 'slow-windowed', 'stalled'] as const)
    .filter((kind) => shares[kind] > 0)
    .map((kind) => `${Math.round(shares[kind] * 100)} % ${kind}`);
  const alerts = plan.alertsPerSecond > 0 ? [`${plan.alertsPerSecond} alerts/s`] : [];
  const people = `${streams} ${streams === 1 ? 'stream' : 'streams'} × ${viewersPerStream} ${viewersPerStream === 1 ? 'viewer' : 'viewers'}`;
  return [people, size, speed, encodings, ...special, ...alerts].join(', ');
}
