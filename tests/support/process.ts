import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inject, onTestFinished } from 'vitest';
import { openAccounts } from '../../src/demo/accounts.ts';
import { notePrinted } from './evidence.ts';
import { until } from './until.ts';

/** The built router as a process of its own: what `npm start` runs. */
export interface RouterProcess {
  child: ChildProcess;
  output: () => string;
  exited: Promise<number | null>;
}

const main = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url));

/** `args`: for Node. */
export function startProcess(env: Record<string, string>, args: string[] = []): RouterProcess {
  const child = spawn(process.execPath, [...args, main], {
    env: { PATH: process.env['PATH'], PORT: '0', ...env },
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  // The demo's welcome shows its token on purpose.
  onTestFinished(() => notePrinted(text.replaceAll(/^(token: |Dashboard: |Watch frames arrive: ).*$/gm, '')));
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, output: () => text, exited };
}

/** With the embedded database of all tests, and a user in it. */
export async function productionProcess(
  env: Record<string, string> = {},
): Promise<RouterProcess & { port: number; token: string }> {
  const { url: databaseUrl } = inject('databases');
  const secret = 'a secret of the tests, long enough';
  const accounts = await openAccounts(databaseUrl, secret);
  const { token } = await accounts.signUp(`process-${crypto.randomUUID()}`);
  await accounts.close();
  const router = startProcess({ DATABASE_URL: databaseUrl, BETTER_AUTH_SECRET: secret, HOST: '127.0.0.1', ...env });
  await until('it listens', () => router.output().includes('"listening"') || router.child.exitCode !== null);
  const port = Number(/"port":(\d+)/.exec(router.output())?.[1]);
  return { ...router, port, token };
}
