import { type Comparison, compare } from './compare/compare.ts';
import { type Contender, type ContenderName, startContender } from './compare/contenders.ts';
import { measureIdle } from './compare/idle.ts';
import { type CompareCommand, readCompareCommand } from './compare/options.ts';
import { measureStalled, measureStalledMemory } from './compare/paced.ts';
import { measureReconnect } from './compare/reconnect.ts';
import { fanOut, fanOutWindowed, oneToOne, oneToOneJson, type Scenario } from './compare/scenarios.ts';
import { measureSlowLink } from './compare/slow-link.ts';
import {
  comparisonBudget,
  comparisonTable,
  idleBudget,
  reconnectBudget,
  slowLinkBudget,
  stalledLatencyBudget,
  stalledMemoryBudget,
} from './compare/tables.ts';
import { openBenchWorld } from './support/own-router.ts';
import { type Budget, budgetTable, circumstances, recordResults } from './support/results.ts';

/**
 * What does a delivered frame cost this router, against the least that its library can do, and against what else one could have
 * built it with? `npm run bench:compare -- --help`. It fails on nothing: a budget that is not met is a line that says so.
 */

const NAMES: readonly ContenderName[] = ['router', 'uws-publish', 'uws-send', 'ws', 'socket.io', 'bun'];
/** Without a window frames grow older until all buffers on the way are full. */
const SLOW_LINK_SECONDS = { short: 8, whole: 30 };
const IDLE_VIEWERS = 5_000;
const RECONNECTING_VIEWERS = 5_000;
const USERS = 50;
const STALLED_ROUNDS = 7;
const STALLED_SECONDS = 3;
/** Rounds in which the servers are measured that are no bases: they are for the whole picture, and cost the most time. */
const OTHER_ROUNDS = 1;
/** Until little of the router is compiled any more. */
const WARM_UP_SECONDS = { short: 1, whole: 4 };

const command = readCompareCommand(process.argv.slice(2));
const print = (line: string) => void process.stdout.write(`${line}\n`);
const warmUpSeconds = command.short ? WARM_UP_SECONDS.short : WARM_UP_SECONDS.whole;
const began = performance.now();
const world = await openBenchWorld();
const budgets: Budget[] = [];
const body: string[] = [];

const { commit, machine, node } = circumstances();
print(`commit ${commit}; ${machine}; Node ${node}`);

await withContenders(NAMES, async (contenders) => {
  for (const [index, scenario] of scenariosOf(command).entries()) {
    // In the short form once is enough.
    const otherRounds = command.short && index > 0 ? 0 : OTHER_ROUNDS;
    const comparison = await compare(scenario, contenders, { ...command, warmUpSeconds, otherRounds });
    if (comparison !== undefined) note(comparison);
  }
});
if (command.parts.has('stalled')) {
  await withContenders(['router'], async (contenders) => {
    const router = contenders.get('router');
    if (router === undefined) return;
    const stalled = await measureStalled(router, STALLED_ROUNDS, STALLED_SECONDS);
    noteBudgets([stalledLatencyBudget(stalled)]);
  });
  await withContenders(['router'], async (contenders) => {
    const router = contenders.get('router');
    if (router !== undefined) noteBudgets([stalledMemoryBudget(await measureStalledMemory(router))]);
  });
}
if (command.parts.has('slow-link')) {
  await withContenders(['router', 'uws-publish'], async (contenders) => {
    const [router, bare] = [contenders.get('router'), contenders.get('uws-publish')];
    if (router === undefined || bare === undefined) return;
    const seconds = command.short ? SLOW_LINK_SECONDS.short : SLOW_LINK_SECONDS.whole;
    noteBudgets([slowLinkBudget(await measureSlowLink(router, bare, seconds))]);
  });
}
if (command.parts.has('idle')) {
  await withContenders(['router', 'uws-publish'], async (contenders) => {
    const [router, bare] = [contenders.get('router'), contenders.get('uws-publish')];
    if (router === undefined || bare === undefined) return;
    noteBudgets([idleBudget(await measureIdle(router, IDLE_VIEWERS), await measureIdle(bare, IDLE_VIEWERS))]);
  });
}
if (command.parts.has('reconnect')) {
  await withContenders(['router'], async (contenders) => {
    const router = contenders.get('router');
    if (router === undefined) return;
    noteBudgets([reconnectBudget(await measureReconnect(router, await world.signUp(USERS), RECONNECTING_VIEWERS))]);
  });
}

print(`\n${budgetTable(budgets)}\n`);
print(`${Math.round((performance.now() - began) / 1000)} s`);
if (command.writes) {
  const title = 'Against other servers, with the same load';
  recordResults('compare', { title, command: 'npm run bench:compare', budgets, body: body.join('\n\n') });
  print('written: bench/RESULTS.md');
}
process.exit(0);

function scenariosOf({ parts, sizesKb }: CompareCommand): Scenario[] {
  return [
    ...(parts.has('fan-out') ? sizesKb.map(fanOut) : []),
    ...(parts.has('windowed') ? [fanOutWindowed] : []),
    ...(parts.has('one-to-one') ? [oneToOne] : []),
    ...(parts.has('json') ? [oneToOneJson] : []),
  ];
}

/** Fresh processes, so that no part is measured on what another left behind. */
async function withContenders(
  names: readonly ContenderName[],
  use: (contenders: ReadonlyMap<ContenderName, Contender>) => Promise<void>,
): Promise<void> {
  const contenders = new Map<ContenderName, Contender>();
  for (const name of names) {
    const contender = await startContender(name, world);
    if (contender === undefined) print(`${name}: not installed, skipped (npm install --include=optional)`);
    else contenders.set(name, contender);
  }
  await use(contenders);
  for (const { server } of contenders.values()) server.stop();
}

function note(comparison: Comparison): void {
  const text = `### ${comparison.scenario.title}\n\n${comparisonTable(comparison)}`;
  body.push(text);
  budgets.push(...comparisonBudget(comparison));
  print(`\n${text}`);
}

function noteBudgets(measured: readonly Budget[]): void {
  budgets.push(...measured);
  print(`\n${budgetTable(measured)}`);
}
