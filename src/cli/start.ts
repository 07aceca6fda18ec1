import type { Command } from 'commander';
import { applyEnvFile, readEnvFile } from '../env-file.ts';
import { whole } from './numbers.ts';

interface StartOptions {
  port?: number;
  host?: string;
  envFile?: string;
  demo?: true;
}

const HELP = `
Examples:
  $ watchout-router start                        without DATABASE_URL: a demo with everything in it
  $ watchout-router start --port 8080
  $ DATABASE_URL=postgresql://reader:…@db/app BETTER_AUTH_SECRET=… watchout-router start
  $ watchout-router start --env-file /etc/watchout.env

Environment:
  All of the router's: DATABASE_URL, BETTER_AUTH_SECRET, ML_SERVICE_URL, ALERT_WEBHOOK_URL and more.
  docs/OPERATING.md has the table, and \`watchout-router check-config\` says what holds here. A file .env
  of the working folder is read; what the environment itself says counts more.

Signals:
  SIGTERM and SIGINT drain: clients are sent away in order, the process ends within 10 s.

Exit codes:
  0  ended by a signal, all was drained
  1  it could not start, and says why; or a drain took too long
  2  the command line is wrong`;

/** Adds `start`. */
export function addStart(program: Command): void {
  program
    .command('start')
    .summary('runs a router')
    .description('Runs a router, as the environment says.')
    .option('-p, --port <n>', 'PORT; 0 takes any free one', whole(0, 65_535))
    .option('--host <address>', 'HOST: address to listen on')
    .option('--env-file <path>', 'read this file instead of .env')
    .option('--demo', 'the demo, even where DATABASE_URL is set')
    .addHelpText('after', HELP)
    .action(async ({ port, host, envFile, demo }: StartOptions) => {
      const file = readEnvFile(envFile);
      if (file !== undefined) applyEnvFile(file);
      if (port !== undefined) process.env['PORT'] = String(port);
      if (host !== undefined) process.env['HOST'] = host;
      if (demo) for (const name of ['DATABASE_URL', 'BETTER_AUTH_SECRET', 'BETTER_AUTH_URL']) delete process.env[name];
      const { exitWith, serve } = await import('../serve.ts');
      await serve(
        ({ url, streamId, token }) => `watchout-router watch ${streamId} --router ${url} --token ${token}`,
      ).catch(exitWith);
    });
}
