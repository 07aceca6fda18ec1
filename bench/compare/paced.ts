import { median, type Ratio, type Round, ratioOf } from '../support/statistics.ts';
import type { Contender } from './contenders.ts';
import { measure, PLAIN_WORK, type Work } from './measure.ts';

/** 1 stream → 100 viewers by the clock, far from what the machine can carry: what latency is when nobody is in a hurry. */
const PACED: Work = { ...PLAIN_WORK, pace: { kind: 'fps', fps: 30 }, warmUpSeconds: 1, seconds: 3 };

export interface StalledLatency {
  /** p99 of the viewers that read, with 20 % that do not, against without. */
  p99: Ratio;
  /** Medians. */
  p99Ms: { without: number; with: number };
}

export interface StalledMemory {
  /** What a stalled one costs the router: mean of 99. */
  bytesPerStalledViewer: number;
  /** What each may cost: the backpressure limit and one frame. */
  allowedBytes: number;
}

const STALLED_SHARE = 0.2;
const CROWD_SHARE = 0.99;
const BACKPRESSURE_BYTES = 1024 * 1024;
/** Large, so that the kernel's buffers of a stalled viewer (about 5 MB) are full before measuring begins. */
const STALLED_WORK: Work = { ...PACED, pictures: { kind: 'size', bytes: 100_000 }, warmUpSeconds: 4 };

/**
 * What do 20 % of viewers that read nothing do to the others? A p99 is one of the worst fan-outs of a run, whoever else was on the machine then: hence many
 * runs, in turns with the base.
 */
export async function measureStalled(router: Contender, rounds: number, seconds: number): Promise<StalledLatency> {
  const plain: Work = { ...STALLED_WORK, seconds };
  const stalled: Work = { ...plain, shares: { ...plain.shares, stalled: STALLED_SHARE } };
  // As many that read as there are beside the stalled ones: fewer viewers are served sooner.
  const without: Work = {
    ...plain,
    viewersPerStream: plain.viewersPerStream * (1 - STALLED_SHARE),
    warmUpSeconds: PACED.warmUpSeconds,
  };
  const p99Of = async (work: Work) => (await measure(router, work)).report.latency.fromSend.p99;
  const results: Round[] = [];
  let before = await p99Of(without);
  for (let round = 0; round < rounds; round += 1) {
    const measured = await p99Of(stalled);
    const after = await p99Of(without);
    results.push({ before, measured, after });
    before = after;
  }
  return {
    p99: ratioOf(results),
    p99Ms: {
      without: median(results.map(({ after }) => after)),
      with: median(results.map(({ measured }) => measured)),
    },
  };
}

/**
 * What does a stalled viewer cost in memory? Many of them against none: twenty would drown in what a process grows by anyway. For a router
 * that has not had any yet, and keeps no memory of theirs.
 */
export async function measureStalledMemory(router: Contender): Promise<StalledMemory> {
  const { viewersPerStream, shares } = STALLED_WORK;
  // Twice: what a process takes for its first viewers is not the base.
  await measure(router, STALLED_WORK);
  const reading = await measure(router, STALLED_WORK);
  const crowd = await measure(router, { ...STALLED_WORK, shares: { ...shares, stalled: CROWD_SHARE } });
  return {
    bytesPerStalledViewer: (crowd.residentBytes - reading.residentBytes) / (viewersPerStream * CROWD_SHARE),
    allowedBytes: BACKPRESSURE_BYTES + 100_000,
  };
}
