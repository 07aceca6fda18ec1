import type { Contender } from '../compare/contenders.ts';
import { measurePaced } from '../compare/paced.ts';
import type { BenchWorld } from '../support/own-router.ts';
import { startServer } from '../support/server-process.ts';
import { median, type Ratio, type Round, ratioOf } from '../support/statistics.ts';

/** How the ML service is while viewers watch. `dead`: nobody listens at its address. */
const ML_CONDITIONS = ['healthy', 'slow', 'hanging', 'dead'] as const;
type MlCondition = (typeof ML_CONDITIONS)[number];

export interface FanOutBeside {
  condition: MlCondition;
  /** p99 latency of viewers, against ML off. */
  p99: Ratio;
  p99Ms: number;
  p50Ms: number;
}

export interface FanOutOptions {
  rounds: number;
  seconds: number;
}

/**
 * What does the state of the ML service do to viewers? 1 stream → 100 viewers at 30 fps, a router of its own for each condition, and
 * one without ML as the base, measured before and after each. Latency is from the send: what the tool itself is late by is left out.
 */
export async function measureFanOutBesideMl(
  world: BenchWorld,
  { rounds, seconds }: FanOutOptions,
): Promise<{ offP99Ms: number; beside: FanOutBeside[] }> {
  const off = await contender('ML off', world, {});
  const conditions = await Promise.all(
    ML_CONDITIONS.map(async (condition) => ({
      condition,
      contender: await contender(condition, world, { ML_SERVICE_URL: await serviceUrl(condition) }),
    })),
  );
  const look = async (one: Contender) => (await measurePaced(one, seconds)).report.latency.fromSend;
  const rows = new Map<MlCondition, { rounds: Round[]; p50Ms: number[] }>(
    ML_CONDITIONS.map((condition) => [condition, { rounds: [], p50Ms: [] }]),
  );
  for (let round = 0; round < rounds; round += 1) {
    let before = await look(off);
    for (const { condition, contender: one } of conditions) {
      const measured = await look(one);
      const after = await look(off);
      rows.get(condition)?.rounds.push({ before: before.p99, measured: measured.p99, after: after.p99 });
      rows.get(condition)?.p50Ms.push(measured.p50);
      before = after;
    }
  }
  for (const { server } of [off, ...conditions.map((one) => one.contender)]) server.stop();
  const everyRound = [...rows.values()].flatMap((row) => row.rounds);
  return {
    offP99Ms: median(everyRound.flatMap(({ before, after }) => [before, after])),
    beside: [...rows].map(([condition, row]) => ({
      condition,
      p99: ratioOf(row.rounds),
      p99Ms: median(row.rounds.map(({ measured }) => measured)),
      p50Ms: median(row.p50Ms),
    })),
  };
}

async function contender(title: string, world: BenchWorld, env: Record<string, string>): Promise<Contender> {
  const server = await world.startRouter(env);
  const target = { url: `ws://127.0.0.1:${server.port}`, dialect: 'watchout', token: world.token } as const;
  return { name: 'router', title, server, target, onlyEncoding: undefined };
}

async function serviceUrl(condition: MlCondition): Promise<string> {
  // Port 1 is reserved, and nobody's.
  if (condition === 'dead') return 'http://127.0.0.1:1';
  const stub = await startServer(new URL('../servers/ml-stub.js', import.meta.url), { ML_STUB_MODE: condition });
  return `http://127.0.0.1:${stub.port}`;
}
