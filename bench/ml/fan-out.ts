import type { Contender } from '../compare/contenders.ts';
import { measure, PLAIN_WORK, type Work } from '../compare/measure.ts';
import { CONDITION_WORDS, type MlCondition } from '../soak/conditions.ts';
import { startService } from '../soak/services.ts';
import type { BenchWorld } from '../support/own-router.ts';
import { median, type Ratio, type Round, ratioOf } from '../support/statistics.ts';

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
 * What does the state of the ML service do to viewers? A router of its own for each condition, measured in the same seconds as one without ML under the same load:
 * a p99 scatters by several times from one moment of a machine to the next, and so both have the same moments. What two without ML differ by is the noise.
 * Latency is from the send: what the tool itself is late by is left out.
 */
export async function measureFanOutBesideMl(
  world: BenchWorld,
  conditions: readonly Exclude<MlCondition, 'off'>[],
  { rounds, seconds }: FanOutOptions,
): Promise<{ offP99Ms: number; noise: Ratio; beside: FanOutBeside[] }> {
  const off = await contender('ML off', world, {});
  const control = { words: 'ML off', one: await contender('ML off, too', world, {}) };
  const contenders: { words: string; one: Contender }[] = [];
  for (const condition of conditions) {
    const { url } = await startService(condition);
    const words = CONDITION_WORDS[condition];
    contenders.push({ words, one: await contender(words, world, { ML_SERVICE_URL: url, ML_PROTOCOL: 'batch' }) });
  }
  const look = async (one: Contender) => (await measure(one, { ...CAMERAS, seconds })).report.latency.fromSend;
  const rows = new Map<string, { rounds: Round[]; p50Ms: number[] }>(
    [control, ...contenders].map(({ words }) => [words, { rounds: [], p50Ms: [] }]),
  );
  for (let round = 0; round < rounds; round += 1) {
    for (const { words, one } of [control, ...contenders]) {
      const [base, measured] = await Promise.all([look(off), look(one)]);
      rows.get(words)?.rounds.push({ before: base.p99, measured: measured.p99, after: base.p99 });
      rows.get(words)?.p50Ms.push(measured.p50);
    }
  }
  for (const { server } of [off, control.one, ...contenders.map(({ one }) => one)]) server.stop();
  const everyRound = [...rows.values()].flatMap((row) => row.rounds);
  const ratios = [...rows].map(([condition, row]) => ({
    condition,
    p99: ratioOf(row.rounds),
    p99Ms: median(row.rounds.map(({ measured }) => measured)),
    p50Ms: median(row.p50Ms),
  }));
  return {
    offP99Ms: median(everyRound.map(({ before }) => before)),
    noise: ratioOf(rows.get(control.words)?.rounds ?? []),
    beside: ratios.filter(({ condition }) => condition !== control.words),
  };
}

async function contender(title: string, world: BenchWorld, env: Record<string, string>): Promise<Contender> {
  const server = await world.startRouter(env);
  const target = { url: `ws://127.0.0.1:${server.port}`, dialect: 'watchout', token: world.token } as const;
  return { name: 'router', title, server, target, onlyEncoding: undefined };
}
