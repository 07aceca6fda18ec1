import { setTimeout as pause } from 'node:timers/promises';
import { dialectOf } from '../load/dialect.ts';
import { LoadPeer, type PeerHandler } from '../load/peer.ts';
import type { Connection } from '../load/plan.ts';
import type { Contender } from './contenders.ts';

/** What viewers that watch a stream without frames cost. */
export interface IdleCost {
  viewers: number;
  bytesPerViewer: number;
}

const CONNECTING_AT_A_TIME = 64;
/** Viewers before the first look: what a process loads and compiles for its first ones is no cost of the thousands after them. */
const FIRST_VIEWERS = 500;
/** Memory is read when it has not changed by more than this for so many looks in a row. */
const STEADY_BYTES = 512 * 1024;
const STEADY_LOOKS = 4;
const LOOK_MS = 500;
const MAX_LOOKS = 30;

const silent: PeerHandler = { said: () => undefined, closed: () => undefined };

/** Memory per idle viewer: the growth of the server's resident set over `viewers` more of them. */
export async function measureIdle({ server, target }: Contender, viewers: number): Promise<IdleCost> {
  const url = new URL(target.url);
  const viewer: Connection = { role: 'viewer', stream: 0, encoding: 'msgpack', kind: 'plain', window: 1 };
  const peers: LoadPeer[] = [];
  async function add(wanted: number): Promise<void> {
    await Promise.all(
      Array.from({ length: CONNECTING_AT_A_TIME }, async (_, lane) => {
        for (let i = lane; i < wanted; i += CONNECTING_AT_A_TIME) {
          peers.push(await LoadPeer.connect(url, dialectOf(target, viewer, 'idle'), silent));
        }
      }),
    );
  }
  await add(FIRST_VIEWERS);
  const before = await steadyBytes(server.residentBytes);
  await add(viewers);
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
