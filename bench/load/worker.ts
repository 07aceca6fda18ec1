import { parentPort, workerData } from 'node:worker_threads';
import { monotonicMicros } from './clock.ts';
import { dialectOf, tailOf } from './dialect.ts';
import { LoadEncoder } from './encoder.ts';
import { Meter } from './meter.ts';
import { loadPictures } from './pictures.ts';
import { type Connection, isFast, isSlow } from './plan.ts';
import type { ViewerKind } from './report.ts';
import { STAMP_BYTES } from './stamp.ts';
import { LoadViewer } from './viewer.ts';
import type { FromWorker, ToWorker, WorkerData } from './worker-messages.ts';

/** One thread of the load: its share of the encoders and viewers. Started by `run.ts`. */

const { plan, connections, runId, progress } = workerData as WorkerData;
const arrivedFrames = new Int32Array(progress);
const port = parentPort;
if (port === null) throw new Error('worker.ts runs as a worker of run.ts');

/** Connections being opened at a time. */
const CONNECTING_AT_A_TIME = 64;
/** How often slow readers may read on. */
const SLOW_TICK_MS = 20;
/** As fast as possible: how often streams are looked after whose viewers live in other threads, or have lost frames. */
const WINDOW_TICK_MS = 1;

let meter = new Meter();
let measuredFromMicros = Number.POSITIVE_INFINITY;
let measuredToMicros = Number.POSITIVE_INFINITY;
const isMeasured = (micros: number) => micros >= measuredFromMicros && micros < measuredToMicros;

const url = new URL(plan.target.url);
const pictures = loadPictures(plan.pictures);
const tails = { msgpack: pictures.map((picture) => tailOf(picture, 'msgpack')), json: [] as Buffer[] };
if (connections.some((connection) => connection.encoding === 'json')) {
  tails.json = pictures.map((picture) => tailOf(picture, 'json'));
}
const encoders: LoadEncoder[] = [];
const encoderOf = new Map<number, LoadEncoder>();
const viewers: LoadViewer[] = [];
const slowViewers: LoadViewer[] = [];
const nextDueMicros: number[] = [];
const fastViewersOf = new Int32Array(progress, plan.streams * 4, plan.streams);
let going = false;

function say(message: FromWorker): void {
  port?.postMessage(message);
}

function advanced(stream: number, frames: number): void {
  Atomics.add(arrivedFrames, stream, frames);
  if (plan.pace.kind === 'window' && going) fillWindow(stream);
}

function left(stream: number, frames: number): void {
  Atomics.sub(arrivedFrames, stream, frames);
  Atomics.sub(fastViewersOf, stream, 1);
}

function fillWindow(stream: number): void {
  const encoder = encoderOf.get(stream);
  if (encoder === undefined || plan.pace.kind !== 'window' || monotonicMicros() >= measuredToMicros) return;
  const fast = Atomics.load(fastViewersOf, stream);
  if (fast > 0) encoder.sendWindow(plan.pace.frames, Atomics.load(arrivedFrames, stream) / fast);
}

async function open(connection: Connection): Promise<void> {
  const dialect = dialectOf(plan.target, connection, `load-${runId}-${connection.stream}`);
  if (connection.role === 'encoder') {
    const encoder = new LoadEncoder(connection.stream, {
      meter: () => meter,
      isMeasured,
      fastViewers: () => Atomics.load(fastViewersOf, connection.stream),
      tails: tails[plan.target.dialect === 'socket.io' ? 'msgpack' : connection.encoding],
    });
    await encoder.connect(url, dialect);
    encoders.push(encoder);
    encoderOf.set(connection.stream, encoder);
    if (plan.pace.kind !== 'fps') return;
    // Cameras are not in step: the first frames are spread over one interval.
    const phase = (connection.stream / plan.streams) * intervalMicros();
    nextDueMicros.push((Math.floor(monotonicMicros() / intervalMicros()) + 1) * intervalMicros() + phase);
    if (encoders.length === 1) pace();
    return;
  }
  const viewer = new LoadViewer(connection.stream, connection.kind, {
    meter: () => meter,
    isMeasured,
    advanced,
    left,
    frameMicros: plan.viewerMicros,
    pictureBytes: (seq) => (pictures[seq % pictures.length]?.length ?? 0) - 2 + STAMP_BYTES,
  });
  await viewer.connect(url, dialect, plan.slowBytesPerSecond);
  viewers.push(viewer);
  if (isSlow(connection.kind)) slowViewers.push(viewer);
  if (isFast(connection.kind)) Atomics.add(fastViewersOf, connection.stream, 1);
}

/** Opens all connections of one role, spread evenly over `seconds`, and says how many there are. */
async function connect(role: Connection['role'], seconds: number): Promise<void> {
  const wanted = connections.filter((connection) => connection.role === role);
  const beganMicros = monotonicMicros();
  let next = 0;
  async function openSome(): Promise<void> {
    while (next < wanted.length) {
      const index = next;
      next += 1;
      const dueMicros = beganMicros + (index / wanted.length) * seconds * 1e6;
      const waitMs = (dueMicros - monotonicMicros()) / 1000;
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await open(wanted[index] as Connection).then(
        () => say({ kind: 'opened', role, viewer: viewerKind(wanted[index] as Connection) }),
        (error: unknown) =>
          say({ kind: 'failed', role, reason: error instanceof Error ? error.message : String(error) }),
      );
    }
  }
  await Promise.all(Array.from({ length: CONNECTING_AT_A_TIME }, openSome));
  say({ kind: 'connected', role });
}

function viewerKind(connection: Connection): ViewerKind | undefined {
  return connection.role === 'viewer' ? connection.kind : undefined;
}

function intervalMicros(): number {
  return plan.pace.kind === 'fps' ? 1e6 / plan.pace.fps : Number.POSITIVE_INFINITY;
}

/** By the clock: each encoder whose frame is due sends it, then all sleep until the next one is. */
function pace(): void {
  let soonest = Number.POSITIVE_INFINITY;
  // Looked at before sending: what was due until the end still goes out, however late this thread is.
  const isOver = monotonicMicros() >= measuredToMicros;
  for (let index = 0; index < encoders.length; index += 1) {
    const due = encoders[index]?.sendDue(nextDueMicros[index] as number, intervalMicros()) ?? soonest;
    nextDueMicros[index] = due;
    soonest = Math.min(soonest, due);
  }
  if (!isOver) setTimeout(pace, Math.max(0, (soonest - monotonicMicros()) / 1000));
}

function startAlerts(): void {
  const share = (plan.alertsPerSecond * encoders.length) / plan.streams;
  if (share === 0) return;
  let next = 0;
  let dueMicros = monotonicMicros();
  const timer = setInterval(() => {
    // What was due until the end still goes out, however late this thread is.
    const nowMicros = Math.min(monotonicMicros(), measuredToMicros);
    for (; dueMicros < nowMicros; dueMicros += 1e6 / share) {
      encoders[next % encoders.length]?.sendAlert();
      next += 1;
    }
    if (nowMicros >= measuredToMicros) clearInterval(timer);
  }, 1);
}

function go(): void {
  going = true;
  startAlerts();
  if (plan.pace.kind !== 'window') return;
  const timer = setInterval(() => {
    if (monotonicMicros() >= measuredToMicros) clearInterval(timer);
    for (const encoder of encoders) fillWindow(encoder.stream);
  }, WINDOW_TICK_MS);
}

function measure(fromMicros: number, toMicros: number): void {
  measuredFromMicros = fromMicros;
  measuredToMicros = toMicros;
  const before = performance.eventLoopUtilization();
  setTimeout(
    () => {
      const busy = performance.eventLoopUtilization(before).utilization;
      say({ kind: 'measured', busy });
    },
    (toMicros - monotonicMicros()) / 1000,
  );
}

/** Hands over what was counted since the last time. */
function report(last: boolean): void {
  const counted = meter;
  meter = new Meter();
  say({ kind: 'meter', meter: { ...counted }, last });
}

port.on('message', (message: ToWorker) => {
  if (message.kind === 'connect') void connect(message.role, message.seconds);
  else if (message.kind === 'go') go();
  else if (message.kind === 'measure') measure(message.fromMicros, message.toMicros);
  else if (message.kind === 'report') report(message.last);
  else {
    for (const peer of [...encoders, ...viewers]) peer.destroy();
    port.close();
  }
});
if (connections.some((connection) => connection.role === 'viewer' && isSlow(connection.kind))) {
  let lastMicros = monotonicMicros();
  setInterval(() => {
    const nowMicros = monotonicMicros();
    for (const viewer of slowViewers) viewer.allow((nowMicros - lastMicros) / 1000);
    lastMicros = nowMicros;
  }, SLOW_TICK_MS).unref();
}
