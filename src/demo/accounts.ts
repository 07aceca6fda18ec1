import { createHash } from 'node:crypto';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import pg from 'pg';

export interface Account {
  userId: string;
  /** The session's raw token, good for `?token=` and `Authorization: Bearer`. */
  token: string;
  /** The value of the session cookie as Better Auth sets it: token and signature, URL-encoded. */
  cookie: string;
}

/** What a web app does with Better Auth, for places that have no web app: it makes the tables and signs people up. */
export interface Accounts {
  signUp(name: string): Promise<Account>;
  /** Signs in whoever was signed up with this name and password, or signs them up now. */
  enter(name: string, password: string): Promise<Account>;
  /** Another session of somebody who was signed up here. */
  signInAgain(account: Account): Promise<Account>;
  /** Ends this session, as the web app does it. */
  signOut(account: Account): Promise<void>;
  close(): Promise<void>;
}

/**
 * Passwords here are random and as long as a hash, so that nobody guesses them: Better Auth's own way, made for those of people, takes 0.2 s of CPU for each.
 */
const PASSWORDS = {
  hash: async (password: string) => fingerprint(password),
  verify: async ({ hash, password }: { hash: string; password: string }) => hash === fingerprint(password),
};

function fingerprint(password: string): string {
  return createHash('sha256').update(password).digest('hex');
}

/** Makes Better Auth's tables in the database at `url`, where they are missing. */
export async function openAccounts(url: string, secret: string): Promise<Accounts> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  // Without a listener a lost idle connection would end the process; the pool replaces it by itself.
  pool.on('error', () => undefined);
  const options = {
    database: pool,
    secret,
    baseURL: 'http://localhost:3000',
    emailAndPassword: { enabled: true, password: PASSWORDS },
    logger: { disabled: true },
    telemetry: { enabled: false },
  };
  const { runMigrations } = await getMigrations(options);
  await runMigrations();
  const auth = betterAuth(options);
  const logins = new Map<string, { email: string; password: string }>();
  return {
    async signUp(name) {
      const login = { email: `${name}@example.invalid`, password: crypto.randomUUID() };
      const { headers, response } = await auth.api.signUpEmail({ body: { name, ...login }, returnHeaders: true });
      logins.set(response.user.id, login);
      return accountOf(response.user.id, response.token, headers);
    },
    async enter(name, password) {
      const login = { email: `${name}@example.invalid`, password };
      try {
        const { headers, response } = await auth.api.signInEmail({ body: login, returnHeaders: true });
        return accountOf(response.user.id, response.token, headers);
      } catch {
        const { headers, response } = await auth.api.signUpEmail({ body: { name, ...login }, returnHeaders: true });
        return accountOf(response.user.id, response.token, headers);
      }
    },
    async signInAgain({ userId }) {
      const body = logins.get(userId);
      if (body === undefined) throw new Error('nobody of that id was signed up here');
      const { headers, response } = await auth.api.signInEmail({ body, returnHeaders: true });
      return accountOf(userId, response.token, headers);
    },
    async signOut({ cookie }) {
      await auth.api.signOut({ headers: new Headers({ cookie: `better-auth.session_token=${cookie}` }) });
    },
    close: () => pool.end(),
  };
}

function accountOf(userId: string, token: string | null, headers: Headers): Account {
  const cookie = /better-auth\.session_token=([^;]+)/.exec(headers.get('set-cookie') ?? '')?.[1];
  if (token === null || cookie === undefined) throw new Error('no session was opened');
  return { userId, token, cookie };
}
