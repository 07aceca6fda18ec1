import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { atMost } from '../../src/at-most.ts';

/** A server under test, in a process of its own, so that its CPU and memory are its own. Linux: read from /proc. */
export interface ServerProcess {
  port: number;
  /** CPU it used so far, user and system, in seconds. Resolution 10 ms. */
  cpuSeconds(): number;
  residentBytes(): number;
  /** Where the server can do that: see `servers/router.ts`. */
  collectGarbage(): Promise<void>;
  stop(): void;
}

const START_TIMEOUT_MS = 60_000;
/** Servers that cannot say nothing. */
const GARBAGE_TIMEOUT_MS = 1_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
// By default a signal ends the process without an `exit` event, and the servers would stay behind.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

/**
 * Starts a built module and waits for the line that says on which port it listens. It ends with this process at the latest.
 * `runtime`: the program that runs it, this Node by default. `onOutput`: is told what it prints.
 */
export async function startServer(
  module: URL,
  env: Record<string, string> = {},
  runtime = process.execPath,
  onOutput: (text: string) => void = () => undefined,
): Promise<ServerProcess> {
  const child: ChildProcess = spawn(
    runtime,
    [...(runtime === process.execPath ? ['--expose-gc'] : []), fileURLToPath(module)],
    {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  );
  child.stdout?.setEncoding('utf8').on('data', onOutput);
  running.add(child);
  child.once('exit', () => running.delete(child));
  const port = await saidPort(child, module);
  return {
    port,
    cpuSeconds() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    residentBytes() {
      const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
      return Number(kib) * 1024;
    },
    async collectGarbage() {
      const collected = new Promise((resolve) => child.once('message', resolve));
      child.send('collect garbage');
      await atMost(GARBAGE_TIMEOUT_MS, collected);
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

/** The port of the first line that names one. What the server says afterwards is read, so that it can go on, and forgotten. */
async function saidPort(child: ChildProcess, module: URL): Promise<number> {
  let text = '';
  let listen: (chunk: string) => void = () => undefined;
  const deadline = AbortSignal.timeout(START_TIMEOUT_MS);
  try {
    return await new Promise<number>((resolve, reject) => {
      listen = (chunk) => {
        text += chunk;
        const found = /"port":(\d+)/.exec(text)?.[1];
        if (found !== undefined) resolve(Number(found));
      };
      child.stdout?.on('data', listen);
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`${module.pathname} ended: ${text}`)));
      deadline.onabort = () => reject(new Error(`${module.pathname} names no port: ${text}`));
    });
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    deadline.onabort = null;
    child.stdout?.off('data', listen).resume();
  }
}
