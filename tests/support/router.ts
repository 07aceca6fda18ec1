import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { type RunningApp, startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { type Account, type Accounts, openAccounts } from '../../src/demo/accounts.ts';
import { createLogger } from '../../src/log.ts';
import type { TestMessage } from './client.ts';
import { notePrinted, noteSecret } from './evidence.ts';

export interface TestRouter {
  app: RunningApp;
  port: number;
  httpUrl: string;
  wsUrl: string;
  secret: string;
  accounts: Accounts;
  /** Everything the router logged, one JSON object a line. */
  logLines: string[];
  signUp(): Promise<Account>;
  /** `GET /stats`. */
  stats(): Promise<TestMessage>;
  stop(): Promise<void>;
}

export interface TestRouterOptions {
  /** Variables beside those every test router has. */
  env?: Record<string, string>;
  databaseUrl?: string;
}

/** What signs people up, and its secret. */
interface WebApp {
  secret: string;
  accounts: Accounts;
  close(): Promise<void>;
}

async function openWebApp(databaseUrl: string): Promise<WebApp> {
  const secret = randomBytes(32).toString('hex');
  const accounts = await openAccounts(databaseUrl, secret);
  return { secret, accounts, close: () => accounts.close() };
}

let shared: Promise<WebApp> | undefined;

/** One for all routers on the database of a worker: to open it takes longer than to start a router. */
function ofThisWorker(databaseUrl: string): Promise<WebApp> {
  shared ??= openWebApp(databaseUrl).then((webApp) => ({ ...webApp, close: async () => undefined }));
  return shared;
}

/** A whole router in this process, on a free port, with sessions in the database of this worker unless told otherwise. */
export async function startTestRouter({ env = {}, databaseUrl }: TestRouterOptions = {}): Promise<TestRouter> {
  const own = inject('databases').url;
  const url = databaseUrl ?? own;
  const { secret, accounts, close } = await (url === own ? ofThisWorker(url) : openWebApp(url));
  const logLines: string[] = [];
  noteSecret(secret, env['ML_SERVICE_TOKEN'], env['ALERT_WEBHOOK_SECRET'], env['OPS_TOKEN']);
  const write = (line: string) => {
    logLines.push(line);
    notePrinted(line);
  };
  const logger = createLogger('debug', { write });
  const config = readConfig({ PORT: '0', HOST: '127.0.0.1', DATABASE_URL: url, BETTER_AUTH_SECRET: secret, ...env });
  if (config.auth === undefined) throw new Error('a test router has a database');
  const app = await startApp(config, config.auth, logger);
  return {
    app,
    port: app.port,
    httpUrl: `http://127.0.0.1:${app.port}`,
    wsUrl: `ws://127.0.0.1:${app.port}`,
    secret,
    accounts,
    logLines,
    async signUp() {
      const account = await accounts.signUp(`user-${randomBytes(6).toString('hex')}`);
      noteSecret(account.token, account.cookie);
      return account;
    },
    stats: async () => (await (await fetch(`http://127.0.0.1:${app.port}/stats`)).json()) as TestMessage,
    async stop() {
      await app.drain();
      await close();
    },
  };
}
