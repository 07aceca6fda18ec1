import { type RunningApp, startApp } from './app.ts';
import { readConfig } from './config.ts';
import { DEMO_STREAM_ID, type DemoWorld, launchDemoWorld } from './demo/launch.ts';
import { createLogger } from './log.ts';
import { StartError } from './start-error.ts';

/** A drain that hangs must not hold up a deployment. */
const EXIT_DEADLINE_MS = 9_500;
const LAST_LINE_MS = 100;

/** Where a demo is, and its token. */
export interface ShownDemo {
  url: string;
  streamId: string;
  token: string;
}

/**
 * Runs the router as the environment says, until a signal ends the process: this is all that the process does. Resolves when it listens. `watchCommand`: what the demo
 * tells people to type to see frames arrive.
 * @throws StartError for what an operator can mend.
 */
export async function serve(watchCommand: (demo: ShownDemo) => string): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger(config.LOG_LEVEL);
  if (config.AUTH_MODE === 'insecure-dev') printWarning(config.host);
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception');
    process.exit(1);
  });

  if (config.auth !== undefined) {
    const app = await startApp(config, config.auth, logger);
    exitOnSignal(app, undefined);
    logger.info({ host: config.host, port: app.port }, 'listening');
    return;
  }
  const world = await launchDemoWorld();
  const auth = { databaseUrl: world.databaseUrl, secret: world.secret, baseUrl: 'http://localhost:3000' };
  const app = await startApp(
    { ...config, mlPlace: config.mlPlace ?? { kind: 'http', url: world.mlServiceUrl } },
    auth,
    logger,
  );
  exitOnSignal(app, world);
  const shownHost = reachable(config.host);
  void world.ended.then(() => {
    logger.error('the demo’s database, camera and ML service are gone; nothing works without them');
    process.exit(1);
  });
  world.routerIsUp({ routerUrl: `ws://${shownHost}:${app.port}`, streamId: DEMO_STREAM_ID });
  const demo = { url: `http://${shownHost}:${app.port}`, streamId: DEMO_STREAM_ID, token: world.token };
  const notice = { ...demo, port: app.port, databaseUrl: world.databaseUrl, pid: process.pid };
  const { postNotice } = await import('./demo/notice.ts');
  if (!postNotice(notice)) logger.warn('no folder for the demo’s notice: `watchout-router token` will not find it');
  printWelcome(demo, watchCommand(demo));

  function exitOnSignal(running: RunningApp, surroundings: DemoWorld | undefined): void {
    let leaving = false;
    const leave = (signal: NodeJS.Signals) => {
      // npm sends the signal a second time, and so does an impatient finger: one drain is enough.
      if (leaving) return;
      leaving = true;
      logger.info({ signal }, 'draining');
      setTimeout(() => process.exit(1), EXIT_DEADLINE_MS).unref();
      void running.drain().then(() => {
        logger.info('drained');
        logger.flush();
        // Where nobody reads stdout any more the last line must fail first: at the exit the logger would try again for ever.
        setTimeout(() => {
          surroundings?.stop();
          process.exit(0);
        }, LAST_LINE_MS);
      });
    };
    process.on('SIGTERM', leave);
    process.on('SIGINT', leave);
  }
}

/** Ends the process with code 1. What an operator can mend is said in words; a stack trace is for what nobody foresaw. */
export function exitWith(error: unknown): never {
  const unforeseen = error instanceof Error && !(error instanceof StartError);
  process.stderr.write(`${unforeseen ? error.stack : error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

/** The host part of an address that reaches a router listening on `host` from this machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** Whatever the log level. */
function printWarning(host: string): void {
  const lines = [
    '',
    '  ************************  AUTH_MODE=insecure-dev  ************************',
    '  Nobody is asked who they are: whoever reaches this router is let in as',
    '  whoever they say they are, watches every stream and deletes any of them.',
    `  It listens on ${host} only. Never put it behind a proxy or a tunnel.`,
    '  **************************************************************************',
    '',
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
}

function printWelcome({ url, token }: ShownDemo, watchCommand: string): void {
  const lines = [
    '',
    'Watchout Stream Router, demo mode (no DATABASE_URL): a demo user, a demo camera, a demo motion detector.',
    `token: ${token}`,
    `Dashboard: ${url}/?token=${token}`,
    `Watch frames arrive: ${watchCommand}`,
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
