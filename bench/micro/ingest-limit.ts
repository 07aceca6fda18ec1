import { IngestLimit } from '../../src/router/ingest-limit.ts';
import { TokenBucket } from '../../src/router/token-bucket.ts';
import { SteppingClock } from './stepping-clock.ts';
import { type MicroTask, mustBe, nothing } from './suite.ts';

/**
 * What does every frame pay for the limit on what its stream may bring in, and does a frame over the limit pay more?
 * Time is a stepping clock's: by the real one a bucket would run dry in the loop. So reading the real clock is not in
 * the figures.
 */
export const question = 'What does a frame pay for its stream’s rate limit, under the limit and over it?';

const MIB = 1024 * 1024;
const LIMITS = { maxFps: 60, maxBytesPerSecond: 64 * MIB, maxMessageBytes: 16 * MIB };

interface Load {
  /** 0: time stands still. */
  frameIntervalMs: number;
  frameBytes: number;
  /** Of the frames, once the burst is used up, 0 to 1. */
  admittedShare: number;
}

export function tasks(): MicroTask[] {
  return [
    nothing(),
    steppingAlone(),
    bucket('token bucket with tokens', 20),
    bucket('token bucket, empty', 0),
    limit('limit, 50 fps of 60', { frameIntervalMs: 20, frameBytes: 34_000, admittedShare: 1 }),
    limit('limit, 240 fps of 60', { frameIntervalMs: 1000 / 240, frameBytes: 34_000, admittedShare: 1 / 4 }),
    limit('limit, frames without end', { frameIntervalMs: 0, frameBytes: 34_000, admittedShare: 0 }),
    limit('limit, 800 MiB/s of 64', { frameIntervalMs: 20, frameBytes: 16 * MIB, admittedShare: 64 / 800 }),
  ];
}

/** What the clock takes in all the tasks that follow. */
function steppingAlone(): MicroTask {
  const clock = new SteppingClock();
  return { name: 'nothing but the stepping clock', operation: () => void clock.advance(20) };
}

function bucket(name: string, stepMs: number): MicroTask {
  const clock = new SteppingClock();
  const tokens = new TokenBucket(LIMITS.maxFps, LIMITS.maxFps, clock.monotonicMs());
  const isEmpty = stepMs === 0;
  if (isEmpty) tokens.take(LIMITS.maxFps);
  let calls = 0;
  let taken = 0;
  return {
    name,
    operation: () => {
      calls += 1;
      const nowMs = clock.advance(stepMs);
      if (!tokens.has(1, nowMs)) return;
      tokens.take(1);
      taken += 1;
    },
    check: () => mustBe('tokens taken', taken, isEmpty ? 0 : calls),
  };
}

function limit(name: string, { frameIntervalMs, frameBytes, admittedShare }: Load): MicroTask {
  const clock = new SteppingClock();
  const ingest = new IngestLimit(LIMITS, clock.monotonicMs());
  let calls = 0;
  let admitted = 0;
  return {
    name,
    operation: () => {
      calls += 1;
      if (ingest.admits(frameBytes, clock.advance(frameIntervalMs))) admitted += 1;
    },
    check: () => {
      // The burst comes on top of the share, and fractions of tokens add up inexactly.
      const excess = admitted - calls * admittedShare;
      const isRight = excess >= -1 - calls / 1e6 && excess <= LIMITS.maxFps + 1 + calls / 1e6;
      mustBe(`${admitted} of ${calls} frames admitted, as they should be`, Number(isRight), 1);
    },
  };
}
