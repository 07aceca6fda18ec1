import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

/** A Redis server of a test's own, that can be stopped and started on the same port. */
export interface PrivateRedis {
  port: number;
  /** Without a password. */
  url: string;
  start(): Promise<void>;
  /** As a crash does it: connections are cut. */
  stop(): Promise<void>;
  /** It keeps its connections and answers nothing, until `thaw`. */
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

/** False where redis-server is not installed, which is said; in CI it must be. */
export function hasRedisServer(): boolean {
  if (findProgram() !== undefined) return true;
  if (process.env['CI']) throw new Error('CI needs the program of Redis: redis-server');
  process.stderr.write('\nNo redis-server here: the tests with a Redis of their own are SKIPPED.\n\n');
  return false;
}

/** Makes one for a free port of loopback, and does not start it yet. `options`: further words of its command line. */
export async function makePrivateRedis(...options: string[]): Promise<PrivateRedis> {
  const program = findProgram();
  if (program === undefined) throw new Error('redis-server is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'watchout-redis-'));
  const port = await freePort();
  const words = ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1', ...options];
  let server: ChildProcess | undefined;
  const kill = () => server?.kill('SIGKILL');
  process.on('exit', kill);
  const stop = async () => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    kill();
    await once(server, 'exit');
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    async start() {
      server = await startServer(program, words, folder);
    },
    stop,
    freeze: () => server?.kill('SIGSTOP'),
    thaw: () => server?.kill('SIGCONT'),
    async remove() {
      await stop();
      process.off('exit', kill);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startServer(program: string, words: string[], folder: string): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const server = spawn(program, words, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`redis-server ended: ${said}`)));
    server.stdout.on('data', (chunk: Buffer) => {
      if (said.includes('Ready to accept connections')) return;
      said += chunk.toString();
      if (said.includes('Ready to accept connections')) resolve(server);
    });
  });
}

function findProgram(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => join(folder, 'redis-server'))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
