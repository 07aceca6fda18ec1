import type { ConnectionRow, FedStream, WatchedStream } from './answers.ts';

/** One look at one connection. `atMs`: of the router's clock. */
export interface Seen {
  atMs: number;
  row: ConnectionRow;
}

/** What goes through a connection, in frames a second. */
export interface Flow {
  /** What its camera sent, or what it was offered. */
  in: number;
  /** What was taken of a camera, or delivered to a viewer. */
  out: number;
  /** Not sent to it, since it is slow. */
  slow: number;
  /** Not sent to it, since it asked for fewer. */
  limited: number;
  /** Of a camera. */
  rejected: { rate: number; notYours: number; invalid: number };
}

const NONE: Flow = { in: 0, out: 0, slow: 0, limited: 0, rejected: { rate: 0, notYours: 0, invalid: 0 } };

/** Undefined where two looks tell nothing: there is only one, or they are of two connections. */
export function flowOf(before: Seen | undefined, now: Seen): Flow | undefined {
  if (before === undefined || before.row.id !== now.row.id || before.row.connectedAtMs > now.row.connectedAtMs + 1000)
    return undefined;
  const seconds = (now.atMs - before.atMs) / 1000;
  if (seconds <= 0) return undefined;
  const { stream, subscriptions } = now.row;
  if (stream) return before.row.stream ? flowOfCamera(before.row.stream, stream, seconds) : undefined;
  if (subscriptions === undefined) return NONE;
  return flowOfViewer(before.row.subscriptions ?? [], subscriptions, seconds);
}

function flowOfCamera(before: FedStream, now: FedStream, seconds: number): Flow {
  const rate = (read: (stream: FedStream) => number) => Math.max(0, (read(now) - read(before)) / seconds);
  const rejected = {
    rate: rate((stream) => stream.rejected.rate),
    notYours: rate((stream) => stream.rejected.notYours),
    invalid: rate((stream) => stream.rejected.invalid),
  };
  const received = rate(({ receivedFrames }) => receivedFrames);
  const out = Math.max(0, received - rejected.rate - rejected.notYours - rejected.invalid);
  return { in: received, out, slow: 0, limited: 0, rejected };
}

/** Of those subscriptions that both looks show: which they are changes with who is slow. */
function flowOfViewer(before: readonly WatchedStream[], now: readonly WatchedStream[], seconds: number): Flow {
  const earlier = new Map(before.map((one) => [one.streamId, one]));
  const pairs = now.flatMap((one) => {
    const other = earlier.get(one.streamId);
    // Subscribed anew, it counts from the beginning.
    return other === undefined || other.offered > one.offered ? [] : [{ one, other }];
  });
  const rate = (read: (watched: WatchedStream) => number) =>
    pairs.reduce((total, { one, other }) => total + Math.max(0, read(one) - read(other)) / seconds, 0);
  return {
    ...NONE,
    in: rate(({ offered }) => offered),
    out: rate(({ delivered }) => delivered),
    slow: rate(({ dropped }) => dropped.slow),
    limited: rate(({ dropped }) => dropped.fps),
  };
}
