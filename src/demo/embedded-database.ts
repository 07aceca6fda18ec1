import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { PROJECT_FOLDER } from '../project.ts';

export interface EmbeddedDatabase {
  /** For an ordinary Postgres client. */
  url: string;
  stop(): Promise<void>;
}

/** An empty cluster, as this version of the package makes it: to unpack it takes a second, to make it anew takes six. */
const CLUSTER = new URL(`dist/embedded-cluster-${packageVersion()}.tar.gz`, PROJECT_FOLDER);

/** A whole Postgres in this process's memory, behind a socket on loopback: the router talks to it as to any other. */
export async function startEmbeddedDatabase(): Promise<EmbeddedDatabase> {
  const db = existsSync(CLUSTER)
    ? await PGlite.create({ loadDataDir: new Blob([readFileSync(CLUSTER)], { type: 'application/x-gzip' }) })
    : await PGlite.create();
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 50 });
  await server.start();
  return {
    url: `postgresql://postgres@${server.getServerConn()}/postgres`,
    async stop() {
      await server.stop();
      await db.close();
    },
  };
}

/**
 * Makes the cluster that embedded databases begin with, where it is missing.
 * @public The build calls it.
 */
export async function prepareEmbeddedCluster(): Promise<void> {
  if (existsSync(CLUSTER)) return;
  const db = await PGlite.create();
  const archive = await db.dumpDataDir('gzip');
  await db.close();
  const half = new URL(`${CLUSTER.href}.half`);
  mkdirSync(new URL('.', CLUSTER), { recursive: true });
  writeFileSync(half, new Uint8Array(await archive.arrayBuffer()));
  // Whole or not at all: somebody may start a demo just now.
  renameSync(half, CLUSTER);
}

function packageVersion(): string {
  const main = pathToFileURL(createRequire(import.meta.url).resolve('@electric-sql/pglite'));
  return JSON.parse(readFileSync(new URL('../package.json', main), 'utf8')).version;
}
