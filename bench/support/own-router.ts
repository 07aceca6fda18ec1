import { openAccounts } from '../../src/demo/accounts.ts';
import { startEmbeddedDatabase } from '../../src/demo/embedded-database.ts';
import { type ServerProcess, startServer } from './server-process.ts';

const SECRET = 'a secret for the benchmarks only';

/** A place where routers under test find their users. */
export interface BenchWorld {
  token: string;
  /** Signs up so many others. Answers their tokens. */
  signUp(users: number): Promise<string[]>;
  /** Starts a router as in production, in a process of its own; `env` beside what every one of them has. */
  startRouter(env?: Record<string, string>): Promise<ServerProcess>;
  stop(): Promise<void>;
}

/** A database with one signed-in user. */
export async function openBenchWorld(): Promise<BenchWorld> {
  const database = await startEmbeddedDatabase();
  const accounts = await openAccounts(database.url, SECRET);
  const { token } = await accounts.signUp('bench');
  return {
    token,
    async signUp(users) {
      const tokens: string[] = [];
      // One after the other: each spends a tenth of a second on hashing a password.
      for (let user = 0; user < users; user += 1) tokens.push((await accounts.signUp(`user-${user}`)).token);
      return tokens;
    },
    startRouter: (env = {}) =>
      startServer(new URL('../servers/router.js', import.meta.url), {
        PORT: '0',
        HOST: '127.0.0.1',
        DATABASE_URL: database.url,
        BETTER_AUTH_SECRET: SECRET,
        // As fast as the viewers take them: the ingest limits are checked, and never reached.
        STREAM_MAX_FPS: '100000',
        STREAM_MAX_BYTES_PER_SECOND: String(2 ** 30),
        // One machine and few users play all the clients.
        MAX_CONNECTIONS_PER_IP: '1000000',
        MAX_CONNECTIONS_PER_USER: '1000000',
        MAX_STREAMS_PER_USER: '1000000',
        LOG_LEVEL: 'info',
        ...env,
      }),
    async stop() {
      await accounts.close();
      await database.stop();
    },
  };
}
