import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { openEncoder } from '../support/client.ts';
import { noteKnown } from '../support/evidence.ts';
import { pictureNumber } from '../support/pictures.ts';
import {
  type AnnasStream,
  type Asked,
  alertOf,
  bearer,
  cookieOf,
  type Doubler,
  SERVICE_TOKEN,
  startDoubler,
  startTwoUsers,
  type TwoUsers,
} from '../support/two-users.ts';

let two: TwoUsers;
let hers: AnnasStream;
let doubler: Doubler;

beforeAll(async () => {
  two = await startTwoUsers();
  doubler = await startDoubler(two.router.port);
});
afterAll(async () => {
  await doubler.stop();
  await two.stop();
});
beforeEach(async () => {
  hers = await two.openStream();
});
afterEach(() => hers.end(two));

async function unauthorizedDoors(): Promise<number> {
  return (await two.router.stats())['connections'].refused.unauthorized;
}

async function expiredToken(): Promise<string> {
  const { token } = await two.router.signUp();
  const admin = new pg.Pool({ connectionString: inject('databases').url, max: 1 });
  await admin.query('UPDATE session SET "expiresAt" = now() - interval \'1 hour\' WHERE token = $1', [token]);
  await admin.end();
  return token;
}

/** What opens no door at all. */
const noCredentials: [string, () => Promise<{ query?: string; headers?: Record<string, string> }>][] = [
  ['no credentials', async () => ({})],
  ['an expired session', async () => ({ query: `?token=${await expiredToken()}` })],
  ['an expired session as bearer', async () => ({ headers: { authorization: `Bearer ${await expiredToken()}` } })],
  ['a token of nobody', async () => ({ query: '?token=nobodys' })],
  ['the owner’s token with a forged signature', async () => ({ query: `?token=${two.anna.token}.${'A'.repeat(43)}=` })],
  [
    'the owner’s user id as token',
    async () => ({ headers: { authorization: `Bearer ${noteKnown(two.anna.userId)}` } }),
  ],
  ['the service token', async () => ({ headers: { authorization: `Bearer ${SERVICE_TOKEN}` } })],
  [
    'a ticket that was used',
    async () => {
      const query = `?ticket=${await two.ticketOf(two.anna)}`;
      expect((await two.ask(`/streams/${hers.id}/snapshot.jpg${query}`)).status).toBe(200);
      return { query };
    },
  ],
  [
    'the owner’s cookie from a stranger’s page',
    async () => ({ headers: { cookie: cookieOf(two.anna), origin: 'https://evil.example' } }),
  ],
  [
    'the owner’s cookie from a page that hides where it is from',
    async () => ({ headers: { cookie: cookieOf(two.anna), origin: 'null' } }),
  ],
  [
    'the owner’s cookie from a picture in a stranger’s page',
    async () => ({ headers: { cookie: cookieOf(two.anna), 'sec-fetch-site': 'cross-site' } }),
  ],
];

describe.each(noCredentials)('%s', (_name, credentials) => {
  test('shows no picture and no alert, lists, reserves and ends no stream, buys no ticket', async () => {
    const { query = '', headers = {} } = await credentials();
    const before = await unauthorizedDoors();
    const attempts = two.router.app.routes.filter(({ needs }) => needs === 'session');
    expect(attempts.length).toBeGreaterThan(9);
    for (const { method, path: pattern } of attempts) {
      for (const stream of [hers.id, 'not-there']) {
        const path = pattern
          .replace(':user', two.anna.userId)
          .replace(':stream', stream)
          .replace(':alert', 'some-alert');
        const { status, code } = await two.ask(path + query, { method, headers });
        expect([method, path, status, code]).toEqual([method, path, 401, 'AUTH_REQUIRED']);
      }
    }
    expect(await unauthorizedDoors()).toBe(before + 2 * attempts.length);
    await hers.expectUntouched();
  });
});

/** Requests with Bob's good session for what is Anna's. */
const forbidden: [string, string, () => string][] = [
  ['a picture', 'GET', () => `/streams/${hers.id}/snapshot.jpg`],
  [
    'a picture, with the owner’s id beside it',
    'GET',
    () => `/streams/${hers.id}/snapshot.jpg?user_id=${two.anna.userId}`,
  ],
  ['the list of streams', 'GET', () => `/api/users/${two.anna.userId}/streams`],
  [
    'the list, with the own id in the query',
    'GET',
    () => `/api/users/${two.anna.userId}/streams?user_id=${two.bob.userId}`,
  ],
  ['a stream', 'GET', () => `/api/users/${two.anna.userId}/streams/${hers.id}`],
  ['a stream, under the own id', 'GET', () => `/api/users/${two.bob.userId}/streams/${hers.id}`],
  ['its alerts', 'GET', () => `/api/alerts?streamId=${escaped(hers.id)}`],
  ['the end of a stream', 'DELETE', () => `/api/users/${two.anna.userId}/streams/${hers.id}`],
  ['the end of a stream, under the own id', 'DELETE', () => `/api/users/${two.bob.userId}/streams/${hers.id}`],
  [
    'the end of a stream by its escaped name',
    'DELETE',
    () => `/api/users/${two.bob.userId}/streams/${escaped(hers.id)}`,
  ],
  ['the end of all streams', 'DELETE', () => `/api/users/${two.anna.userId}`],
  ['the end of all streams by an escaped id', 'DELETE', () => `/api/users/${escaped(two.anna.userId)}`],
  ['the end of all, the id with a zero byte', 'DELETE', () => `/api/users/${two.anna.userId}%00`],
  ['the end of all, by an escaped way back', 'DELETE', () => `/api/users/${two.bob.userId}%2F..%2F${two.anna.userId}`],
  ['the end of everybody’s', 'DELETE', () => '/api/users/*'],
];

function escaped(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

test.each(forbidden)('another user’s session does not get %s', async (_name, method, path) => {
  const before = await two.unauthorized();
  const { status, code, body } = await two.ask(path(), { method, headers: bearer(two.bob) });
  expect([status, code]).toEqual([403, 'UNAUTHORIZED']);
  expect(body.toString()).not.toContain(hers.id);
  expect(await two.unauthorized()).toBe(before + 1);
  await hers.expectUntouched();
});

test('a way back in a path leads nowhere', async () => {
  for (const method of ['GET', 'DELETE']) {
    const path = `/api/users/${two.bob.userId}/../${two.anna.userId}/streams/${hers.id}`;
    expect((await two.ask(path, { method, headers: bearer(two.bob) })).status).toBe(404);
  }
  await hers.expectUntouched();
});

test('one’s own list and one’s own end are one’s own alone', async () => {
  const { encoder, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token);
  const { userId } = two.bob;
  const list = await two.ask(`/api/users/${userId}/streams`, { headers: bearer(two.bob) });
  expect(list.json).toMatchObject({ user_id: userId, streams: [{ stream_id: his, status: 'online' }] });
  const end = await two.ask(`/api/users/${userId}`, { method: 'DELETE', headers: bearer(two.bob) });
  expect(end.json).toEqual({ user_id: userId, deleted: [his] });
  expect((await encoder.closed).code).toBe(4404);
  await hers.expectUntouched();
});

test('the owner sees the newest picture and the list, and ends the stream', async () => {
  const asked = { headers: bearer(two.anna) };
  await hers.expectUntouched();
  const picture = await two.ask(`/streams/${hers.id}/snapshot.jpg`, asked);
  expect([picture.status, pictureNumber(picture.body)]).toEqual([200, hers.pictures]);
  const list = await two.ask(`/api/users/${two.anna.userId}/streams`, asked);
  expect(list.json['streams']).toMatchObject([{ stream_id: hers.id, status: 'streaming' }]);
  const end = await two.ask(`/api/users/${two.anna.userId}/streams/${hers.id}`, { method: 'DELETE', ...asked });
  expect(end.json).toMatchObject({ stream_id: hers.id, status: 'deleted' });
  expect((await hers.encoder.closed).code).toBe(4404);
  expect(await hers.viewer.next('status')).toMatchObject({ status: 'offline' });
});

/** Who is not the ML service. */
const impostors: [string, () => Asked & { query?: string }][] = [
  ['without a token', () => ({})],
  ['with the stream owner’s session', () => ({ headers: bearer(two.anna) })],
  ['with the stream owner’s cookie', () => ({ headers: { cookie: cookieOf(two.anna) } })],
  ['with a wrong token', () => ({ headers: { authorization: 'Bearer the-ml-service-and-somebody-else' } })],
  ['with an empty token', () => ({ headers: { authorization: 'Bearer ' } })],
  ['with the beginning of the token', () => ({ headers: { authorization: `Bearer ${SERVICE_TOKEN.slice(0, -1)}` } })],
  ['with more than the token', () => ({ headers: { authorization: `Bearer ${SERVICE_TOKEN}x` } })],
  ['with the token in another scheme', () => ({ headers: { authorization: `Basic ${SERVICE_TOKEN}` } })],
  ['with two tokens in one header', () => ({ headers: { authorization: `Bearer ${SERVICE_TOKEN}, Bearer x` } })],
  ['with a good header before another', () => twice(`Bearer ${SERVICE_TOKEN}`, 'Bearer x')],
  ['with a good header after another', () => twice('Bearer x', `Bearer ${SERVICE_TOKEN}`)],
  ['with the token as cookie', () => ({ headers: { cookie: `token=${SERVICE_TOKEN}` } })],
  ['with the token as session cookie', () => ({ headers: { cookie: `better-auth.session_token=${SERVICE_TOKEN}` } })],
  ['with the token in the query', () => ({ query: `?token=${SERVICE_TOKEN}` })],
];

function twice(first: string, second: string): Asked {
  return { port: doubler.port, headers: { authorization: first, 'x-second-authorization': second } };
}

describe.each(impostors)('an alert that is posted %s', (_name, impostor) => {
  test('is refused and reaches nobody', async () => {
    const { query = '', ...asked } = impostor();
    const before = (await two.router.stats())['alerts'];
    for (const body of [alertOf(hers.id), [alertOf(hers.id), alertOf(hers.id)]]) {
      const { status, code } = await two.ask(`/alerts${query}`, { method: 'POST', body, ...asked });
      expect([status, code]).toEqual([401, 'AUTH_REQUIRED']);
    }
    await hers.expectUntouched();
    expect((await two.router.stats())['alerts']).toEqual(before);
  });
});

test('an alert that the ML service posts is accepted, and reaches the camera and its viewer', async () => {
  const headers = { authorization: `Bearer ${SERVICE_TOKEN}` };
  const { status, json } = await two.ask('/alerts', { method: 'POST', body: alertOf(hers.id), headers });
  expect([status, json]).toEqual([200, { accepted: 1, refused: [] }]);
  expect(await hers.viewer.next(() => true)).toMatchObject({ type: 'alert', streamId: hers.id });
  expect(await hers.encoder.next(() => true)).toMatchObject({ type: 'alert', streamId: hers.id });
});

test('whoever tries out service tokens is seen in the statistics', async () => {
  const before = await unauthorizedDoors();
  const headers = { authorization: 'Bearer guess' };
  expect((await two.ask('/alerts', { method: 'POST', body: alertOf(hers.id), headers })).status).toBe(401);
  expect(await unauthorizedDoors()).toBe(before + 1);
});
