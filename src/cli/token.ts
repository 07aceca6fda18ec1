import { createHmac, randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { type DemoNotice, findNotices } from '../demo/notice.ts';
import { Failure } from './failure.ts';
import { whole } from './numbers.ts';
import { endWithReader } from './terminal.ts';

interface TokenOptions {
  port?: number;
  user?: string;
}

/** Who the demo signs up by itself. */
const DEMO_USER = 'demo';

const HELP = `
Examples:
  $ watchout-router camera ./pictures --token $(watchout-router token)
  $ watchout-router camera ./pictures --token $(watchout-router token --user anna)
  $ curl -H "Authorization: Bearer $(watchout-router token)" http://127.0.0.1:3000/api/streams/list

It is for demos (\`watchout-router start\` without DATABASE_URL) that you run on this machine: a demo
leaves its address and token in a file that only you can read. Where there is a database of your own,
your web app makes the sessions.

Exit codes:
  0  the token was printed
  1  no demo runs here, or several do and --port does not say which
  2  the command line is wrong`;

/** Adds `token`. */
export function addToken(program: Command): void {
  program
    .command('token')
    .summary('prints the token of a demo that runs on this machine')
    .description('Prints the token of a demo that runs on this machine.')
    .option('-p, --port <n>', 'of the demo on this port', whole(1, 65_535))
    .option('-u, --user <name>', 'of another user, who is signed up if need be', userName)
    .addHelpText('after', HELP)
    .action(async ({ port, user }: TokenOptions) => {
      endWithReader();
      const demo = pick(port);
      const token = user === undefined || user === DEMO_USER ? demo.token : await signUp(demo, user);
      process.stdout.write(`${token}\n`);
    });
}

function pick(port: number | undefined): DemoNotice {
  const demos = findNotices().filter((demo) => port === undefined || demo.port === port);
  const [demo, ...others] = demos;
  if (demo === undefined) {
    const where = port === undefined ? 'on this machine' : `on port ${port}`;
    throw new Failure(`No demo of yours runs ${where}. \`watchout-router start\` without DATABASE_URL starts one.`);
  }
  if (others.length > 0) {
    const ports = demos.map((each) => each.port).sort((one, other) => one - other);
    throw new Failure(`Several demos run on this machine. Say which with --port: ${ports.join(', ')}.`);
  }
  return demo;
}

async function signUp({ databaseUrl, token }: DemoNotice, user: string): Promise<string> {
  const { openAccounts } = await import('../demo/accounts.ts');
  // It signs cookies, of which nobody here has use.
  const accounts = await openAccounts(databaseUrl, randomBytes(32).toString('hex'));
  try {
    // The same the next time, and nobody else's to know.
    const password = createHmac('sha256', token).update(user).digest('hex');
    return (await accounts.enter(user, password)).token;
  } finally {
    await accounts.close();
  }
}

function userName(text: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,31}$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError('It must be 1 to 32 letters, digits, dots, dashes or underscores.');
}
