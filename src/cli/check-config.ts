import type { Command } from 'commander';
import type { Finding } from './check/finding.ts';
import type { CheckedEnvironment } from './check/variables.ts';
import { ExitCode } from './failure.ts';
import { endSoon } from './signals.ts';
import { endWithReader, note, say } from './terminal.ts';

interface CheckOptions {
  envFile?: string;
  connect?: true;
}

const HELP = `
Examples:
  $ watchout-router check-config
  $ watchout-router check-config --env-file /etc/watchout.env --connect

Prints every variable the router reads, where its value comes from (the environment, the file or
the default), and the value. Secrets, passwords in addresses and what stands in their query are
shown as ***. Then every fault, as \`watchout-router start\` would say it.

--connect also tries whether the database answers and may be read (SELECT on session and "user";
nothing is ever written), whether the ML service is there (no frame is sent), and whether the host
of the alert webhook is (nothing is posted).

Exit codes:
  0  a router would start with this, and all that was tried works
  1  it would not, or something that was tried does not work
  2  the command line is wrong`;

const MARKS: Readonly<Record<Finding['kind'], string>> = { good: 'ok   ', note: 'note ', bad: 'FAULT' };

/** Adds `check-config`. */
export function addCheckConfig(program: Command): void {
  program
    .command('check-config')
    .summary('says what the environment is, and what is wrong with it')
    .description('Says what the environment of a router is, and what is wrong with it.')
    .option('--env-file <path>', 'read this file instead of .env')
    .option('--connect', 'try the database, the ML service and the webhook, too')
    .addHelpText('after', HELP)
    .action(async ({ envFile, connect }: CheckOptions) => {
      endWithReader();
      const { readEnvFile } = await import('../env-file.ts');
      const { checkVariables } = await import('./check/variables.ts');
      const file = readEnvFile(envFile);
      const checked = checkVariables(process.env, file);
      print(checked);
      for (const name of checked.unknown) note(`${file?.path}: ${name} is nothing the router reads. Is it misspelt?`);
      if (checked.faults !== undefined) {
        process.stderr.write(`${checked.faults}\n`);
        endSoon(ExitCode.failed);
        return;
      }
      if (!connect) {
        say('A router would start with this.');
        return;
      }
      const { tryOut } = await import('./check/try-out.ts');
      const findings = await tryOut({ ...file?.values, ...process.env });
      for (const { kind, text } of findings) say(`${MARKS[kind]}  ${text}`);
      endSoon(findings.some(({ kind }) => kind === 'bad') ? ExitCode.failed : ExitCode.done);
    });
}

function print({ variables }: CheckedEnvironment): void {
  const nameWidth = Math.max(...variables.map(({ name }) => name.length));
  const originWidth = Math.max(...variables.map(({ origin }) => origin.length));
  for (const { name, value, origin } of variables) {
    say(`${name.padEnd(nameWidth)}  ${origin.padEnd(originWidth)}  ${value ?? '–'}`);
  }
  say('');
}
