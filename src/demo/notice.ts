import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';

/** What a running demo leaves for other programs of the same user on this machine, in a file that nobody else may read. */
export interface DemoNotice {
  /** As a client of this machine reaches it, http. */
  url: string;
  port: number;
  /** The demo user's. */
  token: string;
  /** The demo camera's stream. */
  streamId: string;
  databaseUrl: string;
  pid: number;
}

const notice = z.object({
  url: z.string(),
  port: z.number(),
  token: z.string(),
  streamId: z.string(),
  databaseUrl: z.string(),
  pid: z.number().int().positive(),
});
const FILE_NAME = /^demo-\d+\.json$/;
const MAX_NOTICES = 100;

/** Leaves the notice, and takes it away when the process exits. False: there is no folder that is this user's alone. */
export function postNotice(demo: DemoNotice): boolean {
  const folder = folders().find(isPrivate);
  if (folder === undefined) return false;
  const path = join(folder, `demo-${demo.port}.json`);
  try {
    // One that a killed demo left; what is made anew has these rights, what is there keeps its own.
    rmSync(path, { force: true });
    writeFileSync(path, JSON.stringify(demo), { mode: 0o600, flag: 'wx' });
  } catch {
    return false;
  }
  process.on('exit', () => {
    // The port is free before the process ends: this may be the notice of the next demo.
    if (readNotice(path)?.pid === process.pid) rmSync(path, { force: true });
  });
  return true;
}

/** The demos of this user that run on this machine. Takes away notices of those that were killed. */
export function findNotices(): DemoNotice[] {
  const found: DemoNotice[] = [];
  for (const folder of folders().filter(isPrivate)) {
    const names = readdirSync(folder).filter((name) => FILE_NAME.test(name));
    for (const name of names.slice(0, MAX_NOTICES)) {
      const demo = readNotice(join(folder, name));
      if (demo !== undefined && isAlive(demo.pid)) found.push(demo);
      else rmSync(join(folder, name), { force: true });
    }
  }
  return found;
}

/** Where to look, the best place first. A session may have a folder for such files, another one of the same user none. */
function folders(): string[] {
  const ofSession = process.env['XDG_RUNTIME_DIR'];
  const ofUser = join(tmpdir(), `watchout-router-${process.getuid?.() ?? 'user'}`);
  return ofSession === undefined || ofSession === '' ? [ofUser] : [join(ofSession, 'watchout-router'), ofUser];
}

/** Makes the folder where it is missing. In a folder for all, somebody else may have made it: that one is not used. */
function isPrivate(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return false;
  }
  const stat = lstatSync(folder);
  if (!stat.isDirectory()) return false;
  // Windows has neither; there the folder for temporary files is the user's own.
  return process.getuid === undefined || (stat.uid === process.getuid() && (stat.mode & 0o077) === 0);
}

function readNotice(path: string): DemoNotice | undefined {
  try {
    return notice.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
