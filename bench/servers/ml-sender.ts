import { readWalk } from '../../src/demo/walk.ts';
import { MlFeed } from '../../src/ml/feed.ts';
import { createHttpTransport } from '../../src/ml/http-transport.ts';
import type { MlTransport } from '../../src/ml/transport.ts';
import type { Clock, StreamTap } from '../../src/router/ports.ts';

/**
 * The sending side of the ML path and nothing else, so that the CPU of this process is what sending costs. It waits for
 * a `SendingTurn` from its parent, sends as fast as the service takes it, lets everything come back, and answers with a
 * `SendingReport`; then the next turn. `ML_SENDER_MODE`: `batch-<n>`, the router's own feed and transport with batches
 * of n; or `fetch`, what the original contract shows, one frame as base64 in JSON. `ML_SENDER_URL`: the service.
 * `ML_SENDER_FRAME_BYTES`: size of the frames; unset, the real ones.
 */

/** From the parent: send for this long. */
export interface SendingTurn {
  ms: number;
}

/** To the parent: what one turn took, from its first frame until the last one was answered. */
export interface SendingReport {
  /** Frames whose request was answered. */
  frames: number;
  requests: number;
  /** Of the whole process, its collector threads included. */
  cpuSeconds: number;
  elapsedSeconds: number;
  /** Frames that cost something and were not delivered, by cause. Anything but 0 makes the figures unfair. */
  lost: { replaced: number; stale: number; failed: number };
  meanFrameBytes: number;
}

/** Counted since the start. */
type Totals = Pick<SendingReport, 'frames' | 'requests' | 'lost'>;

interface Sender {
  totals(): Totals;
  /** Resolves when everything that was sent has come back. */
  sendFor(ms: number): Promise<void>;
}

const MAX_IN_FLIGHT = 4;
/** Twice what four batches of 32 hold, so that a full batch waits whenever a request comes back. */
const STREAMS = 256;

const clock: Clock = { epochMs: () => Date.now(), monotonicMs: () => performance.now() };
const mode = process.env['ML_SENDER_MODE'] ?? '';
const url = process.env['ML_SENDER_URL'] ?? '';
const frameBytes = process.env['ML_SENDER_FRAME_BYTES'];
const pictures = frameBytes === undefined ? readWalk() : [syntheticJpeg(Number(frameBytes))];
const meanFrameBytes = pictures.reduce((sum, picture) => sum + picture.length, 0) / pictures.length;
let nextPicture = 0;

const batchSize = /^batch-(\d+)$/.exec(mode)?.[1];
if (batchSize === undefined && mode !== 'fetch') throw new Error(`ML_SENDER_MODE: batch-<n> or fetch, not '${mode}'`);
const sender = batchSize === undefined ? fetchSender() : feedSender(Number(batchSize));

process.on('disconnect', () => process.exit(0));
process.on('message', async (turn: SendingTurn) => {
  const before = { ...sender.totals(), cpu: process.cpuUsage(), ms: clock.monotonicMs() };
  await sender.sendFor(turn.ms);
  const cpu = process.cpuUsage(before.cpu);
  const after = sender.totals();
  const report: SendingReport = {
    frames: after.frames - before.frames,
    requests: after.requests - before.requests,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    elapsedSeconds: (clock.monotonicMs() - before.ms) / 1000,
    lost: {
      replaced: after.lost.replaced - before.lost.replaced,
      stale: after.lost.stale - before.lost.stale,
      failed: after.lost.failed - before.lost.failed,
    },
    meanFrameBytes,
  };
  process.send?.(report);
});

/** The router's own way, in a closed loop: a stream brings its next frame when the one before has gone out. */
function feedSender(size: number): Sender {
  const http = createHttpTransport({
    url,
    token: undefined,
    protocol: 'batch',
    batchSize: size,
    maxInFlight: MAX_IN_FLIGHT,
    timeoutMs: 5000,
    clock,
  });
  const taps = new Map<string, StreamTap>();
  let seq = 0;
  let frames = 0;
  let underWay = 0;
  let samplerMs = clock.monotonicMs();
  let endsAtMs = 0;
  let allBack = () => {};

  const transport: MlTransport = {
    reconnects: false,
    isConnected: true,
    isBusy: false,
    batchSize: http.batchSize,
    async analyze(batch, mayGo) {
      const answer = http.analyze(batch, mayGo);
      // These streams' slots are free now, and each is filled once: the feed is always full, and replaces nothing.
      if (clock.monotonicMs() < endsAtMs) for (const { streamId } of batch) offer(streamId);
      try {
        const alerts = await answer;
        frames += batch.length;
        return alerts;
      } finally {
        underWay -= batch.length;
        if (underWay === 0) allBack();
      }
    },
    close: http.close,
  };
  const feed = new MlFeed({
    transport,
    clock,
    log: (_level, fields, text) => void process.stderr.write(`${text} ${JSON.stringify(fields)}\n`),
    after: (delayMs, action) => {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
    onAlert: () => undefined,
    // The sampler is asked, as on the frame path, and never says no.
    fps: 1e9,
    batchWaitMs: 25,
    maxInFlight: MAX_IN_FLIGHT,
    // Age is looked at and never reached: a stream whose frame is dropped would be out of the loop.
    maxAgeMs: 3_600_000,
    timeoutMs: 5_000,
  });

  function offer(streamId: string): void {
    const nowMs = clock.monotonicMs();
    const tap = taps.get(streamId) ?? feed.open({ id: streamId, metadata: {} }, nowMs);
    taps.set(streamId, tap);
    // A bucket fills with whole milliseconds, and a service that answers at once has a stream's next frame in the same one.
    samplerMs = Math.max(samplerMs + 1, nowMs);
    if (!tap.wants(samplerMs)) throw new Error('the sampler refused a frame');
    seq += 1;
    underWay += 1;
    tap.take(picture(), clock.epochMs(), seq, nowMs);
  }

  return {
    totals: () => ({ frames, requests: feed.stats.requests, lost: { ...feed.stats.dropped } }),
    async sendFor(ms) {
      endsAtMs = clock.monotonicMs() + ms;
      const ended = new Promise<void>((resolve) => {
        allBack = resolve;
      });
      for (let stream = 0; stream < STREAMS; stream += 1) offer(`stream-${stream}`);
      await ended;
      // The feed books the last batch after the transport has answered.
      while (feed.stats.inFlight > 0) await new Promise(setImmediate);
    },
  };
}

/** What the original contract shows: `fetch`, base64 in JSON, one frame each. As many requests at once as the feed. */
function fetchSender(): Sender {
  const totals: Totals = { frames: 0, requests: 0, lost: { replaced: 0, stale: 0, failed: 0 } };

  async function sendOne(streamId: string): Promise<void> {
    totals.requests += 1;
    try {
      const response = await fetch(`${url}/analyze`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ streamId, frame: picture().toString('base64'), timestamp: clock.epochMs() }),
      });
      if (!response.ok) throw new Error(`/analyze answered ${response.status}`);
      await response.json();
      totals.frames += 1;
    } catch (error) {
      totals.lost.failed += 1;
      process.stderr.write(`${String(error)}\n`);
    }
  }

  return {
    totals: () => ({ ...totals, lost: { ...totals.lost } }),
    async sendFor(ms) {
      const endsAtMs = clock.monotonicMs() + ms;
      const lanes = Array.from({ length: MAX_IN_FLIGHT }, async (_, lane) => {
        while (clock.monotonicMs() < endsAtMs) await sendOne(`stream-${lane}`);
      });
      await Promise.all(lanes);
    },
  };
}

function picture(): Buffer {
  nextPicture = (nextPicture + 1) % pictures.length;
  return pictures[nextPicture] as Buffer;
}

function syntheticJpeg(bytes: number): Buffer {
  const jpeg = Buffer.alloc(bytes, 0x5a);
  jpeg.set([0xff, 0xd8, 0xff, 0xe0]);
  return jpeg;
}
