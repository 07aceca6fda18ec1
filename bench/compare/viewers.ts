import { dialectOf } from '../load/dialect.ts';
import { LoadPeer, type PeerHandler } from '../load/peer.ts';
import type { Connection, LoadTarget } from '../load/plan.ts';

const CONNECTING_AT_A_TIME = 64;

const silent: PeerHandler = { said: () => undefined, closed: () => undefined };

/** Opens viewers of one stream that has no frames. `tokenOf`: whose session the n-th has. */
export async function openViewers(
  target: LoadTarget,
  viewers: number,
  tokenOf: (viewer: number) => string | undefined = () => target.token,
  atATime = CONNECTING_AT_A_TIME,
): Promise<LoadPeer[]> {
  const url = new URL(target.url);
  const connection: Connection = { role: 'viewer', stream: 0, encoding: 'msgpack', kind: 'plain', window: 1 };
  const peers: LoadPeer[] = [];
  await Promise.all(
    Array.from({ length: Math.min(atATime, viewers) }, async (_, lane) => {
      for (let viewer = lane; viewer < viewers; viewer += atATime) {
        const dialect = dialectOf({ ...target, token: tokenOf(viewer) }, connection, 'idle');
        peers.push(await LoadPeer.connect(url, dialect, silent));
      }
    }),
  );
  return peers;
}
