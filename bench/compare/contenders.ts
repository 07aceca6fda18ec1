import { createRequire } from 'node:module';
import type { Encoding } from '../../proto/codec.ts';
import type { LoadTarget } from '../load/plan.ts';
import type { BenchWorld } from '../support/own-router.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

export type ContenderName = 'router' | 'uws-publish' | 'uws-send' | 'ws' | 'socket.io' | 'bun';

/** A server that is compared: running, in a process of its own. */
export interface Contender {
  name: ContenderName;
  /** For tables. */
  title: string;
  server: ServerProcess;
  target: LoadTarget;
  /** What it is spoken to in, when it knows no other. */
  onlyEncoding: Encoding | undefined;
}

interface Kind {
  title: string;
  dialect: LoadTarget['dialect'];
  start: (world: BenchWorld) => Promise<ServerProcess> | undefined;
  onlyEncoding?: Encoding;
}

const bare = (file: string) => () => startServer(new URL(`../servers/${file}.js`, import.meta.url));

const KINDS: Readonly<Record<ContenderName, Kind>> = {
  router: { title: '**this router**', dialect: 'watchout', start: startRouterWithMl },
  'uws-publish': { title: 'bare uWS `publish`', dialect: 'bare', start: bare('uws-publish') },
  'uws-send': { title: 'bare uWS `ws.send`', dialect: 'bare', start: bare('uws-send') },
  ws: { title: '`ws` broadcast', dialect: 'bare', start: bare('ws-broadcast') },
  'socket.io': { title: 'Socket.IO', dialect: 'socket.io', start: bare('socket-io') },
  bun: {
    title: 'Bun, as in the contract (JSON)',
    dialect: 'watchout',
    onlyEncoding: 'json',
    start: () => {
      const bun = findBun();
      return bun === undefined
        ? undefined
        : startServer(new URL('../servers/bun-contract.js', import.meta.url), {}, bun);
    },
  },
};

/** Starts a contender. Undefined when what it needs is not installed. */
export async function startContender(name: ContenderName, world: BenchWorld): Promise<Contender | undefined> {
  const { title, dialect, start, onlyEncoding } = KINDS[name];
  const server = await start(world);
  if (server === undefined) return undefined;
  const target: LoadTarget = { url: `ws://127.0.0.1:${server.port}`, dialect, token: world.token };
  return { name, title, server, target, onlyEncoding };
}

/** Everything on: sessions, limits, accounting, and sampling to an ML service that answers. */
async function startRouterWithMl(world: BenchWorld): Promise<ServerProcess> {
  const ml = await startServer(new URL('../servers/ml-stub.js', import.meta.url));
  const router = await world.startRouter({ ML_SERVICE_URL: `http://127.0.0.1:${ml.port}` });
  return {
    ...router,
    stop() {
      router.stop();
      ml.stop();
    },
  };
}

function findBun(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('bun/bin/bun.exe');
  } catch {
    return undefined;
  }
}
