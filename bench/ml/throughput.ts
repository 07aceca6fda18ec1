import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { SendingReport, SendingTurn } from '../servers/ml-sender.ts';
import { startServer } from '../support/server-process.ts';
import { median, ratioOf } from '../support/statistics.ts';

/**
 * How many frames does a second of CPU carry to the ML service, by the router's own feed with batches of 1, 4, 16 and
 * 32, against what the original contract shows: `fetch`, base64 in JSON, one frame each? Each sender is a process of
 * its own, and only its CPU counts; the service is a stub that reads and answers. Senders live through all rounds and
 * take turns.
 */

const BATCH_MODES = ['batch-1', 'batch-4', 'batch-16', 'batch-32'] as const;
type SenderMode = 'fetch' | (typeof BATCH_MODES)[number];

/** `fetch` costs 1341, 671, 518, 487, 506 … µs a frame in its first seconds: measured earlier it would look too dear. */
const WARM_UP_MS = 2500;
/** Before each turn: after 2 s of standing still, a frame costs up to half as much again at first. */
const LEAD_IN_MS = 500;

export interface MlThroughputOptions {
  /** Measured time of a sender's turn. Short turns and many rounds do more against noise than the reverse. */
  seconds: number;
  /** Turns of each sender. All of it takes about 14 s for warming up, and five turns with 0.5 s of lead-in a round. */
  rounds: number;
  /** Size of the frames in bytes. Undefined: the real frames of `assets/walk`, about 34 KB. */
  frameBytes?: number;
}

/** What one way of sending costs: medians over the rounds. */
interface SendingCost {
  mode: SenderMode;
  /** Frames answered, per second of the sender's CPU. */
  framesPerCpuSecond: number;
  cpuMicrosPerFrame: number;
  /** Frames per CPU second over those of `fetch`, the mean of its turns before and after. */
  timesFetch: number;
  /** Lowest and highest `timesFetch` of a round. */
  timesFetchRange: Range;
  /** Frames answered, per second of the clock. The stub may be what limits it. */
  framesPerSecond: number;
  framesPerRequest: number;
}

export interface MlThroughput {
  meanFrameBytes: number;
  /** `fetch` first, then by batch size. */
  costs: SendingCost[];
  /** Base against base: frames per CPU second of a turn of `fetch` over those of its turn a round earlier. */
  noise: Range;
}

interface Range {
  min: number;
  max: number;
}

/**
 * Measures all senders in turn, with `fetch` before and after each round.
 * @throws Error when a frame was lost on the way, or a sender delivered nothing.
 */
export async function measureMlThroughput(options: MlThroughputOptions): Promise<MlThroughput> {
  const stub = await startServer(new URL('../servers/ml-stub.js', import.meta.url));
  const url = `http://127.0.0.1:${stub.port}`;
  const base = startSender('fetch', url, options.frameBytes);
  const batches = BATCH_MODES.map((mode) => ({
    mode,
    sender: startSender(mode, url, options.frameBytes),
    turns: [] as SendingReport[],
  }));
  const senders = [base, ...batches.map(({ sender }) => sender)];

  async function turnOf(sender: SenderProcess): Promise<SendingReport> {
    await sender.send(LEAD_IN_MS);
    return sender.send(options.seconds * 1000);
  }

  try {
    for (const sender of senders) await sender.send(WARM_UP_MS);
    const first = await turnOf(base);
    // One more than there are rounds: the end of a round is the beginning of the next.
    const bases = [first];
    for (let round = 0; round < options.rounds; round += 1) {
      for (const { sender, turns } of batches) turns.push(await turnOf(sender));
      bases.push(await turnOf(base));
    }
    const rates = bases.map(framesPerCpuSecond);
    return {
      meanFrameBytes: first.meanFrameBytes,
      costs: [costOf('fetch', bases.slice(1), rates), ...batches.map(({ mode, turns }) => costOf(mode, turns, rates))],
      noise: rangeOf(rates.slice(1).map((rate, round) => rate / (rates[round] ?? Number.NaN))),
    };
  } finally {
    for (const process of [...senders, stub]) process.stop();
  }
}

interface SenderProcess {
  /** Has it send for this long, and tells what that took. */
  send(ms: number): Promise<SendingReport>;
  stop(): void;
}

function startSender(mode: SenderMode, url: string, frameBytes: number | undefined): SenderProcess {
  const child = fork(new URL('../servers/ml-sender.js', import.meta.url), {
    env: {
      PATH: process.env['PATH'],
      ML_SENDER_MODE: mode,
      ML_SENDER_URL: url,
      ...(frameBytes === undefined ? {} : { ML_SENDER_FRAME_BYTES: String(frameBytes) }),
    },
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the ${mode} sender ended with ${code}`);
  });
  // Between two turns nobody waits for it; the next turn does.
  ended.catch(() => undefined);
  return {
    async send(ms) {
      const answered = once(child, 'message') as Promise<[SendingReport]>;
      child.send({ ms } satisfies SendingTurn);
      const [report] = await Promise.race([answered, ended]);
      const { replaced, stale, failed } = report.lost;
      if (report.frames === 0 || replaced + stale + failed > 0) {
        throw new Error(`the ${mode} sender delivered ${report.frames} and lost ${JSON.stringify(report.lost)}`);
      }
      return report;
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

/** `rates`: frames per CPU second of `fetch`, before the first turn and after each. */
function costOf(mode: SenderMode, turns: readonly SendingReport[], rates: readonly number[]): SendingCost {
  const rate = median(turns.map(framesPerCpuSecond));
  const timesFetch = ratioOf(
    turns.map((turn, round) => ({
      before: rates[round] ?? Number.NaN,
      measured: framesPerCpuSecond(turn),
      after: rates[round + 1] ?? Number.NaN,
    })),
  );
  return {
    mode,
    framesPerCpuSecond: rate,
    cpuMicrosPerFrame: 1e6 / rate,
    timesFetch: timesFetch.value,
    timesFetchRange: rangeOf(timesFetch.rounds),
    framesPerSecond: median(turns.map(({ frames, elapsedSeconds }) => frames / elapsedSeconds)),
    framesPerRequest: median(turns.map(({ frames, requests }) => frames / requests)),
  };
}

function framesPerCpuSecond({ frames, cpuSeconds }: SendingReport): number {
  return frames / cpuSeconds;
}

function rangeOf(values: readonly number[]): Range {
  return { min: Math.min(...values), max: Math.max(...values) };
}
