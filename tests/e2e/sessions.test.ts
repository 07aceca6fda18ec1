import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import type { Account } from '../../src/demo/accounts.ts';
import { createLogger } from '../../src/log.ts';
import { openEncoder, TestClient } from '../support/client.ts';
import { notePrinted } from '../support/evidence.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

const { embeddedUrl, postgresUrl } = inject('databases');
const databases = [
  { name: 'the embedded database', url: embeddedUrl },
  ...(postgresUrl === undefined ? [] : [{ name: 'a real Postgres', url: postgresUrl }]),
];

describe.each(databases)('with sessions in $name', ({ url }) => {
  let router: TestRouter;
  let account: Account;
  let admin: pg.Pool;

  beforeAll(async () => {
    router = await startTestRouter({ databaseUrl: url, env: { ALLOWED_ORIGINS: 'https://app.example' } });
    account = await router.signUp();
    admin = new pg.Pool({ connectionString: url, max: 1 });
  });
  afterAll(async () => {
    await admin.end();
    await router.stop();
  });

  async function isLetIn(query: string, headers: Record<string, string> = {}): Promise<boolean> {
    const client = await TestClient.open(`${router.wsUrl}/streams/subscribe${query}`, { headers });
    client.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'any' });
    const answer = await client.next((message) => ['success', 'error'].includes(message['type']));
    if (answer['type'] === 'success') await client.close();
    else {
      expect(answer['code']).toBe('AUTH_REQUIRED');
      expect(await client.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
    }
    return answer['type'] === 'success';
  }

  const good: [string, (account: Account) => [string, Record<string, string>?]][] = [
    ['a raw token in the query', ({ token }) => [`?token=${token}`]],
    ['a signed token in the query', ({ cookie }) => [`?token=${cookie}`]],
    ['a signed token in the query, not URL-encoded', ({ cookie }) => [`?token=${decodeURIComponent(cookie)}`]],
    ['a token among other parameters', ({ token }) => [`?room=1&token=${token}&x=token=no`]],
    ['a raw token as bearer', ({ token }) => ['', { authorization: `Bearer ${token}` }]],
    ['a signed token as bearer', ({ cookie }) => ['', { authorization: `bearer ${decodeURIComponent(cookie)}` }]],
    ['the session cookie', ({ cookie }) => ['', { cookie: `theme=dark; better-auth.session_token=${cookie}; x=1` }]],
    ['the secure session cookie', ({ cookie }) => ['', { cookie: `__Secure-better-auth.session_token=${cookie}` }]],
    [
      'the cookie from a page of an allowed origin',
      ({ cookie }) => ['', { cookie: `better-auth.session_token=${cookie}`, origin: 'https://app.example' }],
    ],
  ];
  test.each(good)('%s opens the door', async (_name, credentials) => {
    expect(await isLetIn(...credentials(account))).toBe(true);
  });

  test('the cookie works from the router’s own page', async () => {
    const headers = { cookie: `better-auth.session_token=${account.cookie}`, origin: router.httpUrl };
    expect(await isLetIn('', headers)).toBe(true);
  });

  const bad: [string, (account: Account) => [string, Record<string, string>?]][] = [
    ['no credentials', () => ['']],
    ['an empty token', () => ['?token=']],
    ['a made-up token', () => [`?token=${randomBytes(16).toString('hex')}`]],
    ['a tampered signature', ({ token }) => [`?token=${token}.${randomBytes(32).toString('base64url')}`]],
    ['another scheme', ({ token }) => ['', { authorization: `Basic ${token}` }]],
    ['an unsigned cookie', ({ token }) => ['', { cookie: `better-auth.session_token=${token}.x` }]],
    ['a cookie of another name', ({ cookie }) => ['', { cookie: `session_token=${cookie}` }]],
    [
      'the cookie from a stranger’s page',
      ({ cookie }) => ['', { cookie: `better-auth.session_token=${cookie}`, origin: 'https://evil.example' }],
    ],
    ['a token of 100 kB', () => [`?token=${'x'.repeat(3000)}`]],
    ['a token with a quote', () => [`?token=${encodeURIComponent("' OR 1=1 --")}`]],
    ['a broken percent sign', () => ['?token=%E0%A4%A']],
  ];
  test.each(bad)('%s is told AUTH_REQUIRED in words a browser can read', async (_name, credentials) => {
    expect(await isLetIn(...credentials(account))).toBe(false);
  });

  test('an expired session is refused, and its row is left for the web app to clean up', async () => {
    const expired = await router.signUp();
    await admin.query('UPDATE session SET "expiresAt" = now() - interval \'1 hour\' WHERE token = $1', [expired.token]);
    expect(await isLetIn(`?token=${expired.token}`)).toBe(false);
    const { rowCount } = await admin.query('SELECT 1 FROM session WHERE token = $1', [expired.token]);
    expect(rowCount).toBe(1);
  });

  test('a session due for refresh is accepted and not refreshed', async () => {
    const due = await router.signUp();
    const almost = 'UPDATE session SET "expiresAt" = now() + interval \'1 minute\' WHERE token = $1 RETURNING *';
    const before = (await admin.query(almost, [due.token])).rows[0];
    expect(await isLetIn(`?token=${due.token}`)).toBe(true);
    expect(await isLetIn('', { cookie: `better-auth.session_token=${due.cookie}` })).toBe(true);
    const after = (await admin.query('SELECT * FROM session WHERE token = $1', [due.token])).rows[0];
    expect(after).toEqual(before);
  });

  test('what a client sends before its session is checked is answered afterwards, in order', async () => {
    const client = new TestClient(`${router.wsUrl}/streams/register?token=${account.token}`, { encoding: 'msgpack' });
    await new Promise((resolve) => client.socket.once('open', resolve));
    client.send({ type: 'register', clientType: 'mobile', streamId: 'early' });
    client.send({ type: 'nonsense' });
    expect((await client.next('success'))['streamId']).toBe('early');
    expect((await client.next('error'))['code']).toBe('UNKNOWN_MESSAGE_TYPE');
    await client.close();
  });

  test('no log line holds a token', async () => {
    const { encoder } = await openEncoder(router.wsUrl, account.token);
    await encoder.close();
    const log = router.logLines.join('');
    expect(log).toContain('connected');
    expect(log).not.toContain(account.token);
    expect(log).not.toContain(account.cookie);
  });
});

test('while the database is away newcomers are told UNAVAILABLE, come back later, and no cause reaches them', async () => {
  const lines: string[] = [];
  const env = {
    PORT: '0',
    HOST: '127.0.0.1',
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    BETTER_AUTH_SECRET: 'x',
  };
  const config = readConfig(env);
  const write = (line: string) => {
    lines.push(line);
    notePrinted(line);
  };
  const logger = createLogger('info', { write });
  const app = await startApp(config, config.auth as NonNullable<typeof config.auth>, logger);
  const client = await TestClient.open(`ws://127.0.0.1:${app.port}/streams/subscribe?token=some-secret-token`);
  const error = await client.next('error');
  expect(error['code']).toBe('UNAVAILABLE');
  expect(error['message']).not.toMatch(/ECONNREFUSED|127\.0\.0\.1/);
  expect((await client.closed).code).toBe(1013);
  expect(lines.join('')).toContain('ECONNREFUSED');
  expect(lines.join('')).not.toContain('some-secret-token');
  await app.drain();
});
