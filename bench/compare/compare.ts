import { median, type Ratio, ratioOf } from '../support/statistics.ts';
import type { Contender, ContenderName } from './contenders.ts';
import { type Measured, measure } from './measure.ts';
import type { Scenario } from './scenarios.ts';

/** What all servers did with one scenario. */
export interface Comparison {
  scenario: Scenario;
  /** In the order of the table: the router, the bases, the others. Medians of all its measurements. */
  rows: readonly { contender: Contender; measured: Omit<Measured, 'report'>; ratio: number; lostFrames: number }[];
  /** The base that took less CPU per frame. */
  base: Contender;
  /** The router's CPU per delivered frame against that base. */
  ratio: Ratio;
}

export interface CompareOptions {
  rounds: number;
  seconds: number;
  /** How long the router runs before it is measured. */
  warmUpSeconds: number;
  /** Rounds in which the others are measured too. */
  otherRounds: number;
}

/**
 * Router and bases take turns: each base is measured before and after the router in every round, so that the machine's moods fall on both,
 * and base against base shows how large they are.
 */
export async function compare(
  scenario: Scenario,
  contenders: ReadonlyMap<ContenderName, Contender>,
  options: CompareOptions,
): Promise<Comparison | undefined> {
  const router = contenders.get('router');
  const bases = present(scenario.bases, contenders);
  const others = present(scenario.others, contenders);
  if (router === undefined || bases.length === 0) return undefined;
  const work = { ...scenario.work, seconds: options.seconds };
  const results = new Map<Contender, Measured[]>();
  const run = async (contender: Contender) => {
    const measured = await measure(contender, work);
    results.set(contender, [...(results.get(contender) ?? []), measured]);
  };
  // Not counted: a router that has just started is still being compiled, on other threads whose CPU is its own as well.
  await measure(router, { ...work, seconds: options.warmUpSeconds });
  for (let round = 0; round < options.rounds; round += 1) {
    for (const base of bases) await run(base);
    await run(router);
    for (const base of [...bases].reverse()) await run(base);
    if (round < options.otherRounds) for (const other of others) await run(other);
  }

  const cpuOf = (contender: Contender) => (results.get(contender) ?? []).map((one) => one.cpuMicrosPerFrame);
  const base = bases.reduce((best, one) => (median(cpuOf(one)) < median(cpuOf(best)) ? one : best));
  const baseCpu = cpuOf(base);
  const ratio = ratioOf(
    cpuOf(router).map((measured, round) => ({
      before: baseCpu[2 * round] ?? Number.NaN,
      measured,
      after: baseCpu[2 * round + 1] ?? Number.NaN,
    })),
  );
  const measuredOnes = [router, ...bases, ...others].filter((contender) => results.has(contender));
  const rows = measuredOnes.map((contender) => {
    const all = results.get(contender) ?? [];
    const measured = middleOf(all);
    const value = contender === router ? ratio.value : measured.cpuMicrosPerFrame / median(baseCpu);
    const lost = all.map(({ report }) => report.frames.expected - report.frames.delivered);
    return { contender, measured, ratio: value, lostFrames: Math.max(...lost) };
  });
  return { scenario, rows, base, ratio };
}

function present(names: readonly ContenderName[], contenders: ReadonlyMap<ContenderName, Contender>): Contender[] {
  return names.flatMap((name) => contenders.get(name) ?? []);
}

function middleOf(all: readonly Measured[]): Omit<Measured, 'report'> {
  const of = (field: (one: Measured) => number) => median(all.map(field));
  return {
    cpuMicrosPerFrame: of((one) => one.cpuMicrosPerFrame),
    cpuSecondsPerGb: of((one) => one.cpuSecondsPerGb),
    framesPerSecond: of((one) => one.framesPerSecond),
    p50Ms: of((one) => one.p50Ms),
    p99Ms: of((one) => one.p99Ms),
    residentBytes: of((one) => one.residentBytes),
  };
}
