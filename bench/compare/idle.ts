import { setTimeout as pause } from 'node:timers/promises';
import type { Contender } from './contenders.ts';
import { openViewers } from './viewers.ts';

/** What viewers that watch a stream without frames cost. */
export interface IdleCost {
  viewers: number;
  bytesPerViewer: number;
}

/** Viewers before the first look: what a process loads and compiles for its first ones is no cost of the thousands after them. */
const FIRST_VIEWERS = 500;
/** Memory is read when it has not changed by more than this for so many looks in a row. */
const STEADY_BYTES = 512 * 1024;
const STEADY_LOOKS = 4;
const LOOK_MS = 500;
const MAX_LOOKS = 30;

/**
 * Memory per idle viewer: the growth of the server's resident set over `viewers` more of them, both times without garbage. What connecting leaves behind is
 * cleared away in the ordinary course of things, but not by a process that has nothing to do: with it, it was 2.1 to 4.4 KB for the same router.
 */
export async function measureIdle({ server, target }: Contender, viewers: number): Promise<IdleCost> {
  const peers = await openViewers(target, FIRST_VIEWERS);
  await server.collectGarbage();
  const before = await steadyBytes(server.residentBytes);
  peers.push(...(await openViewers(target, viewers)));
  await server.collectGarbage();
  const after = await steadyBytes(server.residentBytes);
  for (const peer of peers) peer.socket.destroy();
  return { viewers, bytesPerViewer: (after - before) / viewers };
}

async function steadyBytes(residentBytes: () => number): Promise<number> {
  let last = residentBytes();
  for (let looks = 0, steady = 0; looks < MAX_LOOKS && steady < STEADY_LOOKS; looks += 1) {
    await pause(LOOK_MS);
    const now = residentBytes();
    steady = Math.abs(now - last) < STEADY_BYTES ? steady + 1 : 0;
    last = now;
  }
  return last;
}
