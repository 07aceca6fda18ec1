import type { Contender } from './contenders.ts';
import { openViewers } from './viewers.ts';

export interface Reconnect {
  viewers: number;
  users: number;
  /** Times the router asked the session database. */
  lookUps: number;
  /** Until the last one was subscribed. */
  seconds: number;
}

/** How often is the database asked when a router comes back and all of its viewers with it? As many connections at once as the kernel queues. */
export async function measureReconnect(
  router: Contender,
  tokens: readonly string[],
  viewers: number,
): Promise<Reconnect> {
  const before = await lookUpsOf(router);
  const began = performance.now();
  const peers = await openViewers(router.target, viewers, (viewer) => tokens[viewer % tokens.length], 1_000);
  const seconds = (performance.now() - began) / 1000;
  const lookUps = (await lookUpsOf(router)) - before;
  for (const peer of peers) peer.socket.destroy();
  return { viewers: peers.length, users: tokens.length, lookUps, seconds };
}

async function lookUpsOf({ server }: Contender): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.port}/stats`);
  const stats = (await response.json()) as { sessions: { lookUps: number } };
  return stats.sessions.lookUps;
}
