import { Bench } from 'tinybench';
import { type MicroTask, sink } from './suite.ts';

/** How long to look at one task, ms. */
export interface Budget {
  warmupMs: number;
  measureMs: number;
}

/** Of one operation. */
export interface Figures {
  name: string;
  p50Ns: number;
  p99Ns: number;
  meanNs: number;
  /** From the mean, so garbage collection is paid for in it, which the median does not see. */
  operationsPerSecond: number;
  /** Half the width of the mean's 95 % confidence interval, percent of the mean. */
  marginPercent: number;
  samples: number;
  /** A sample is the mean of this many operations: percentiles are of samples. */
  operationsPerSample: number;
}

/** Long enough that reading the clock, some 50 ns, does not show. Operations that take longer are timed one by one. */
const SAMPLE_MS = 0.05;

/**
 * Measures every task for a moment, for nothing. Without it the first one would be measured with code that V8 made for
 * this task alone (an empty operation then takes 0.7 ns instead of 5), the others with code for all of them, as in a
 * router at work: figures would depend on the order of the tasks.
 */
export async function acquaint(tasks: readonly MicroTask[]): Promise<void> {
  for (const task of tasks) await measure(task, { warmupMs: 0, measureMs: 0 });
}

/** @throws Error when an operation does, or when it did something else than its task says. */
export async function measure(task: MicroTask, { warmupMs, measureMs }: Budget): Promise<Figures> {
  const { name, operation } = task;
  const isPromise = isAsync(operation);
  const sample = isPromise
    ? (times: number) => repeatAsync(operation, times)
    : (times: number) => repeat(operation, times);
  const operationsPerSample = await warmUp(sample, warmupMs);

  const bench = new Bench({ time: measureMs, warmup: false, throws: true });
  bench.add(name, () => sample(operationsPerSample), { async: isPromise });
  await bench.run();
  task.check?.();

  const [result] = bench.results;
  if (result?.state !== 'completed') throw new Error(`${name}: ${result?.state}`);
  const { latency } = result;
  const nsPerOperation = 1e6 / operationsPerSample;
  return {
    name,
    p50Ns: latency.p50 * nsPerOperation,
    p99Ns: latency.p99 * nsPerOperation,
    meanNs: latency.mean * nsPerOperation,
    operationsPerSecond: 1e9 / (latency.mean * nsPerOperation),
    marginPercent: latency.rme,
    samples: latency.samplesCount,
    operationsPerSample,
  };
}

/** Runs until the time is up and V8 has optimised. Returns how many operations make a sample by then. */
async function warmUp(sample: (times: number) => void | Promise<void>, warmupMs: number): Promise<number> {
  const endMs = performance.now() + warmupMs;
  let times = 1;
  for (;;) {
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const startMs = performance.now();
      await sample(times);
      fastestMs = Math.min(fastestMs, performance.now() - startMs);
    }
    if (fastestMs < SAMPLE_MS) times *= 2;
    else if (performance.now() >= endMs) return times;
  }
}

function isAsync(operation: () => unknown): boolean {
  return operation.constructor.name === 'AsyncFunction';
}

function repeat(operation: () => unknown, times: number): void {
  for (let done = 0; done < times; done += 1) sink.result = operation();
}

async function repeatAsync(operation: () => unknown, times: number): Promise<void> {
  for (let done = 0; done < times; done += 1) sink.result = await operation();
}
