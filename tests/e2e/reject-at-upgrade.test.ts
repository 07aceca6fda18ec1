import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import type { Account } from '../../src/demo/accounts.ts';
import { createLogger } from '../../src/log.ts';
import { frameOf, jpegOf, openEncoder, openViewer, TestClient } from '../support/client.ts';
import { notePrinted, noteSecretsOf } from '../support/evidence.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

const REJECTING = { AUTH_REJECT_AT_UPGRADE: 'true' };
const CONNECTIONS = 500;
const AT_A_TIME = 50;

interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: unknown;
}

let router: TestRouter;
let account: Account;
let admin: pg.Pool;

beforeAll(async () => {
  const { url: databaseUrl } = inject('databases');
  router = await startTestRouter({ databaseUrl, env: REJECTING });
  account = await router.signUp();
  admin = new pg.Pool({ connectionString: databaseUrl, max: 1 });
});
afterAll(async () => {
  await admin.end();
  await router.stop();
});

const bad: [string, () => string | Promise<string>, Record<string, string>?][] = [
  ['no credentials', () => ''],
  ['a bad token', () => '?token=made-up'],
  ['a bad ticket', () => '?ticket=made-up'],
  ['a used ticket', usedTicket],
  ['an expired session', expiredSession],
  ['two different tokens', () => `?token=${account.token}&token=other`],
  ['a bad bearer token', () => '', { authorization: 'Bearer made-up' }],
];
test.each(bad)('%s is answered 401, for proxies that look at it', async (_name, queryOf, headers) => {
  for (const path of ['register', 'subscribe']) {
    const answer = await answerTo(`${router.wsUrl}/streams/${path}${await queryOf()}`, headers);
    expect(answer).toMatchObject({ status: 401, body: { error: { code: 'AUTH_REQUIRED' } } });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.headers['content-type']).toContain('application/json');
  }
});

test('a stranger’s page that uses its visitor’s cookie is answered 401', async () => {
  const cookie = `better-auth.session_token=${account.cookie}`;
  const headers = { cookie, origin: 'https://evil.example' };
  expect((await answerTo(`${router.wsUrl}/streams/subscribe`, headers)).status).toBe(401);
  const client = await TestClient.open(`${router.wsUrl}/streams/subscribe`, { headers: { cookie } });
  await isIn(client);
  await client.close();
});

test('while the database is away everybody is answered 503, and told to come back', async () => {
  const config = readConfig({
    PORT: '0',
    HOST: '127.0.0.1',
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    BETTER_AUTH_SECRET: 'x',
    ...REJECTING,
  });
  if (config.auth === undefined) throw new Error('there is a database');
  const app = await startApp(config, config.auth, createLogger('info', { write: notePrinted }));
  onTestFinished(() => app.drain());
  const answer = await answerTo(`ws://127.0.0.1:${app.port}/streams/subscribe?token=${account.token}`);
  expect(answer).toMatchObject({ status: 503, body: { error: { code: 'UNAVAILABLE' } } });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  expect(JSON.stringify(answer.body)).not.toMatch(/ECONNREFUSED|127\.0\.0\.1/);
});

test('with good credentials a camera’s picture reaches a dashboard', async () => {
  const { encoder, streamId } = await openEncoder(router.wsUrl, account.token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, account.token, streamId, { encoding: 'msgpack' });
  const jpeg = numberedPicture(1, 50_000);
  encoder.send(frameOf(encoder, streamId, jpeg));
  expect(jpegOf(await viewer.next('video-frame'))).toEqual(jpeg);
  await Promise.all([encoder.close(), viewer.close()]);
});

test('a ticket opens one connection', async () => {
  const client = await TestClient.open(`${router.wsUrl}/streams/subscribe?ticket=${await buyTicket()}`);
  await isIn(client);
  await client.close();
});

test('of 500 that come at once, 50 at a time, every one stays connected and is answered', async () => {
  const tokens = await newSessions(CONNECTIONS);
  const clients: TestClient[] = [];
  onTestFinished(() => {
    for (const { socket } of clients) socket.terminate();
  });
  const closes: unknown[] = [];
  for (let opened = 0; opened < CONNECTIONS; opened += AT_A_TIME) {
    const together = tokens.slice(opened, opened + AT_A_TIME).map((token, index) => {
      const path = index % 2 === 0 ? 'subscribe' : 'register';
      return TestClient.open(`${router.wsUrl}/streams/${path}?token=${token}`);
    });
    for (const client of await Promise.all(together)) {
      clients.push(client);
      void client.closed.then((close) => closes.push(close));
    }
  }
  const answers = await Promise.allSettled(clients.map(isIn));
  expect(answers.filter(({ status }) => status === 'rejected')).toEqual([]);
  expect(answers).toHaveLength(CONNECTIONS);
  expect(closes).toEqual([]);
  expect((await router.stats())['totalConnections']).toBe(CONNECTIONS);
});

/** Sessions that no router has seen yet: for each of them it has to wait for the database. */
async function newSessions(count: number): Promise<string[]> {
  const { rows } = await admin.query<{ token: string }>(
    `INSERT INTO session (id, token, "userId", "expiresAt", "createdAt", "updatedAt")
     SELECT gen_random_uuid()::text, replace(gen_random_uuid()::text, '-', ''), $1, now() + interval '1 day', now(), now()
     FROM generate_series(1, $2::int) RETURNING token`,
    [account.userId, count],
  );
  return rows.map(({ token }) => token);
}

/** What a request for an upgrade is answered that is refused one. */
function answerTo(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  noteSecretsOf(url, headers);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.once('open', () => {
      socket.terminate();
      reject(new Error('it was let in'));
    });
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      const { statusCode: status, headers: received } = response;
      text(response).then((body) => resolve({ status, headers: received, body: JSON.parse(body) }), reject);
    });
  });
}

async function isIn(client: TestClient): Promise<void> {
  client.send({ type: 'heartbeat' });
  await client.next('heartbeat');
}

async function buyTicket(): Promise<string> {
  const headers = { authorization: `Bearer ${account.token}` };
  const answer = await fetch(`${router.httpUrl}/api/tickets`, { method: 'POST', headers });
  expect(answer.status).toBe(201);
  const { ticket } = (await answer.json()) as { ticket: string };
  return ticket;
}

async function usedTicket(): Promise<string> {
  const query = `?ticket=${await buyTicket()}`;
  await (await TestClient.open(`${router.wsUrl}/streams/subscribe${query}`)).close();
  return query;
}

async function expiredSession(): Promise<string> {
  const { token } = await router.signUp();
  const { rowCount } = await admin.query(
    'UPDATE session SET "expiresAt" = now() - interval \'1 hour\' WHERE token = $1',
    [token],
  );
  expect(rowCount).toBe(1);
  return `?token=${token}`;
}
