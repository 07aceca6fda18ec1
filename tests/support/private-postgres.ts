import { execFile } from 'node:child_process';
import { accessSync, chownSync, constants, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const run = promisify(execFile);

/** A Postgres server of a test's own, that can be stopped and started. */
export interface PrivatePostgres {
  url: string;
  start(): Promise<void>;
  /** As a crash does it: connections are cut. */
  stop(): Promise<void>;
  remove(): Promise<void>;
}

/** Makes and starts one on a free port of loopback. Undefined where its programs are not installed, which is said; in CI they must be. */
export async function startPrivatePostgres(): Promise<PrivatePostgres | undefined> {
  const programs = findPrograms();
  if (programs === undefined) {
    if (process.env['CI']) throw new Error('CI needs the programs of Postgres: initdb and pg_ctl');
    process.stderr.write('\nNo initdb and pg_ctl here: the test that stops a Postgres is SKIPPED.\n\n');
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'watchout-postgres-'));
  // Postgres refuses to run as root.
  const identity = process.getuid?.() === 0 ? await identityOf('postgres') : undefined;
  if (identity !== undefined) chownSync(folder, identity.uid, identity.gid);
  const port = await freePort();
  const data = join(folder, 'data');
  const options = { cwd: folder, ...identity };
  await run(join(programs, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], options);
  const server = `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c fsync=off`;
  const start = async () => {
    const log = join(folder, 'log');
    await run(join(programs, 'pg_ctl'), ['-D', data, '-w', '-l', log, '-o', server, 'start'], options);
  };
  const stop = async () => {
    await run(join(programs, 'pg_ctl'), ['-D', data, '-w', '-m', 'immediate', 'stop'], options);
  };
  await start();
  return {
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    start,
    stop,
    async remove() {
      await stop().catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findPrograms(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, 'bin')) : [];
  return [...versions, ...(process.env['PATH'] ?? '').split(':')].find((folder) =>
    ['initdb', 'pg_ctl'].every((name) => isProgram(join(folder, name))),
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function identityOf(user: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => (await run('id', [flag, user])).stdout));
  return { uid: Number(uid), gid: Number(gid) };
}
