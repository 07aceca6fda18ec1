import type { Contender } from '../compare/contenders.ts';
import { measure, PLAIN_WORK, type Work } from '../compare/measure.ts';
import { CONDITION_WORDS, type MlCondition } from '../soak/conditions.ts';
import { startService } from '../soak/services.ts';
import type { BenchWorld } from '../support/own-router.ts';
import { median, medianRatioOf, type Ratio, type Round } from '../support/statistics.ts';

/** What the service does while viewers watch, in words. */
export interface FanOutBeside {
  condition: string;
  /** p99 latency of viewers, against ML off. */
  p99: Ratio;
  p99Ms: number;
  p50Ms: number;
}

export interface FanOutOptions {
  rounds: number;
  seconds: number;
}

/** Fifty cameras, far from what the machine can carry, and more than any of the services keeps up with. */
export const CAMERAS: Work = {
  ...PLAIN_WORK,
  streams: 50,
  viewersPerStream: 2,
  pace: { kind: 'fps', fps: 10 },
  warmUpSeconds: 1.5,
};

/**
 * What does the state of the ML service do to viewers? A router of its own for each condition, and one without ML as the base, measured before and
 * after each pair. Latency is from the send: what the tool itself is late by is left out.
 */
export async function measureFanOutBesideMl(
  world: BenchWorld,
  conditions: readonly Exclude<MlCondition, 'off'>[],
  { rounds, seconds }: FanOutOptions,
): Promise<{ offP99Ms: number; beside: FanOutBeside[] }> {
  const off = await contender('ML off', world, {});
  const contenders: { words: string; one: Contender }[] = [];
  for (const condition of conditions) {
    const { url } = await startService(condition);
    const words = CONDITION_WORDS[condition];
    contenders.push({ words, one: await contender(words, world, { ML_SERVICE_URL: url, ML_PROTOCOL: 'batch' }) });
  }
  const look = async (one: Contender) => (await measure(one, { ...CAMERAS, seconds })).report.latency.fromSend;
  const rows = new Map<string, { rounds: Round[]; p50Ms: number[] }>(
    contenders.map(({ words }) => [words, { rounds: [], p50Ms: [] }]),
  );
  for (let round = 0; round < rounds; round += 1) {
    let before = await look(off);
    for (const pair of pairsOf(contenders)) {
      const measured = [];
      for (const { words, one } of pair) measured.push({ words, ...(await look(one)) });
      const after = await look(off);
      for (const { words, p99, p50 } of measured) {
        rows.get(words)?.rounds.push({ before: before.p99, measured: p99, after: after.p99 });
        rows.get(words)?.p50Ms.push(p50);
      }
      before = after;
    }
  }
  for (const { server } of [off, ...contenders.map(({ one }) => one)]) server.stop();
  const everyRound = [...rows.values()].flatMap((row) => row.rounds);
  return {
    offP99Ms: median(everyRound.flatMap(({ before, after }) => [before, after])),
    beside: [...rows].map(([condition, row]) => ({
      condition,
      p99: medianRatioOf(row.rounds),
      p99Ms: median(row.rounds.map(({ measured }) => measured)),
      p50Ms: median(row.p50Ms),
    })),
  };
}

/** Two at a time between two looks at the base: one look for each would make it a third longer. */
function pairsOf<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / 2) }, (_, pair) => items.slice(2 * pair, 2 * pair + 2));
}

async function contender(title: string, world: BenchWorld, env: Record<string, string>): Promise<Contender> {
  const server = await world.startRouter(env);
  const target = { url: `ws://127.0.0.1:${server.port}`, dialect: 'watchout', token: world.token } as const;
  return { name: 'router', title, server, target, onlyEncoding: undefined };
}
