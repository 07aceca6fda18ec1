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
  close(): Promise<void>;
}

/** Makes Better Auth's tables in the database at `url`, where they are missing. */
export async function openAccounts(url: string, secret: string): Promise<Accounts> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const options = {
    database: pool,
    secret,
    baseURL: 'http://localhost:3000',
    emailAndPassword: { enabled: true },
    logger: { disabled: true },
    telemetry: { enabled: false },
  };
  const { runMigrations } = await getMigrations(options);
  await runMigrations();
  const auth = betterAuth(options);
  return {
    async signUp(name) {
      const email = `${name}@example.invalid`;
      const body = { name, email, password: crypto.randomUUID() };
      const { headers, response } = await auth.api.signUpEmail({ body, returnHeaders: true });
      const cookie = /better-auth\.session_token=([^;]+)/.exec(headers.get('set-cookie') ?? '')?.[1];
      if (response.token === null || cookie === undefined) throw new Error('sign-up opened no session');
      return { userId: response.user.id, token: response.token, cookie };
    },
    close: () => pool.end(),
  };
}
