import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { readWalk } from '../../src/demo/walk.ts';
import { sha256 } from '../interop/walk-files.ts';
import { frameOf, openEncoder, type TestClient } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

const walk = readWalk();

let router: TestRouter;
let anna: Account;
let encoder: TestClient;
let streamId: string;

beforeAll(async () => {
  router = await startTestRouter();
  anna = await router.signUp();
});
afterAll(() => router.stop());
beforeEach(async () => {
  ({ encoder, streamId } = await openEncoder(router.wsUrl, anna.token, { encoding: 'msgpack' }));
  onTestFinished(() => encoder.socket.terminate());
});

async function send(jpeg: Buffer | undefined, to = { encoder, streamId }): Promise<void> {
  to.encoder.send(frameOf(to.encoder, to.streamId, jpeg as Buffer));
  to.encoder.send({ type: 'heartbeat' });
  await to.encoder.next('heartbeat');
}

function get(headers: Record<string, string> = {}, method = 'GET', of = { router, streamId }): Promise<Response> {
  const url = `${of.router.httpUrl}/streams/${of.streamId}/snapshot.jpg`;
  return fetch(url, { method, headers: { authorization: `Bearer ${anna.token}`, ...headers } });
}

async function tagOf(response: Promise<Response>): Promise<string> {
  const tag = (await response).headers.get('etag') ?? '';
  // Strong, and of characters that may stand there.
  expect(tag).toMatch(/^"[\w-]+"$/);
  return tag;
}

async function codeOf(response: Response): Promise<[number, string]> {
  const { error } = (await response.json()) as { error: { code: string } };
  return [response.status, error.code];
}

test('the newest picture, bit for bit, with its age, its number, and the word to ask again', async () => {
  await send(walk[0]);
  const before = Date.now();
  await send(walk[1]);
  const response = await get();
  expect(response.status).toBe(200);
  expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(sha256(walk[1] as Buffer));
  const headers = Object.fromEntries(response.headers);
  expect(headers).toMatchObject({
    'content-type': 'image/jpeg',
    'content-length': `${walk[1]?.length}`,
    'cache-control': 'private, no-cache',
    age: '0',
  });
  const cameInMs = Date.parse(headers['last-modified'] ?? '');
  expect(cameInMs).toBeGreaterThan(before - 1_000);
  expect(cameInMs).toBeLessThanOrEqual(Date.now());
  // It grows while no other picture comes, which does not make it another one.
  const tag = await tagOf(get());
  await until('it is a second old', async () => (await get()).headers.get('age') === '1');
  const older = await get();
  expect([older.headers.get('etag'), older.headers.get('last-modified')]).toEqual([tag, headers['last-modified']]);
});

test('HEAD tells the same without the picture', async () => {
  await send(walk[0]);
  const [head, whole] = [await get({}, 'HEAD'), await get()];
  expect(head.status).toBe(200);
  expect((await head.arrayBuffer()).byteLength).toBe(0);
  for (const name of ['content-type', 'content-length', 'etag', 'last-modified', 'cache-control']) {
    expect(head.headers.get(name)).toBe(whole.headers.get(name));
  }
});

test.each([
  ['its very number', (tag: string) => tag],
  ['its number as a weak one', (tag: string) => `W/${tag}`],
  ['its number among others', (tag: string) => `"other", W/"another",${tag}, "x, y"`],
  ['any number', () => '*'],
])('who has it already, and says so by %s, gets 304 until there is a new one', async (_name, said) => {
  await send(walk[0]);
  const tag = await tagOf(get());
  const known = await get({ 'if-none-match': said(tag) });
  expect([known.status, known.headers.get('etag'), await known.text()]).toEqual([304, tag, '']);
  expect(known.headers.get('cache-control')).toBe('private, no-cache');
  expect(known.headers.get('age')).not.toBeNull();
  expect(known.headers.get('content-type')).toBeNull();
  if (said(tag) === '*') return;
  await send(walk[1]);
  const fresh = await get({ 'if-none-match': said(tag) });
  expect(fresh.status).toBe(200);
  expect(sha256(new Uint8Array(await fresh.arrayBuffer()))).toBe(sha256(walk[1] as Buffer));
});

test.each(['"other"', '', 'nonsense', '"', 'W/'])('a number that is not its own gets the picture: %s', async (said) => {
  await send(walk[0]);
  const tag = await tagOf(get());
  expect((await get({ 'if-none-match': said })).status).toBe(200);
  // A part of the number is not the number.
  expect((await get({ 'if-none-match': `${tag.slice(0, -2)}"` })).status).toBe(200);
});

test('a date counts where no number is said: 304 from the second it came in on', async () => {
  await send(walk[0]);
  const lastModified = (await get()).headers.get('last-modified') ?? '';
  const at = (offsetMs: number) => new Date(Date.parse(lastModified) + offsetMs).toUTCString();
  expect((await get({ 'if-modified-since': lastModified })).status).toBe(304);
  expect((await get({ 'if-modified-since': at(60_000) })).status).toBe(304);
  expect((await get({ 'if-modified-since': at(-1_000) })).status).toBe(200);
  expect((await get({ 'if-modified-since': 'yesterday' })).status).toBe(200);
  expect((await get({ 'if-modified-since': lastModified, 'if-none-match': '"other"' })).status).toBe(200);
  const tag = await tagOf(get());
  expect((await get({ 'if-modified-since': at(-60_000), 'if-none-match': tag })).status).toBe(304);
});

test('a number means one picture for ever: not that of a later stream of the same name, nor of another router', async () => {
  await send(walk[0]);
  const first = await tagOf(get());
  const path = `${router.httpUrl}/api/users/${anna.userId}/streams/${streamId}`;
  await fetch(path, { method: 'DELETE', headers: { authorization: `Bearer ${anna.token}` } });
  const again = (await openEncoder(router.wsUrl, anna.token, { encoding: 'msgpack', register: { streamId } })).encoder;
  await send(walk[1], { encoder: again, streamId });
  const second = await tagOf(get());
  await again.close();

  const other = await startTestRouter();
  onTestFinished(() => other.stop());
  const user = await other.signUp();
  const elsewhere = await openEncoder(other.wsUrl, user.token, { encoding: 'msgpack' });
  await send(walk[2], elsewhere);
  const headers = { authorization: `Bearer ${user.token}` };
  const third = await tagOf(get(headers, 'GET', { router: other, streamId: elsewhere.streamId }));
  expect(new Set([first, second, third]).size).toBe(3);
  await elsewhere.encoder.close();
});

test('what there is none of is said: no stream, no picture yet, another’s, no session, another method', async () => {
  const bob = await router.signUp();
  const path = `${router.httpUrl}/streams/${streamId}/snapshot.jpg`;
  const empty = await get();
  expect(await empty.clone().text()).toContain('no frame yet');
  expect(await codeOf(empty)).toEqual([404, 'NOT_FOUND']);
  expect((await get({ 'if-none-match': '*' })).status).toBe(404);
  const missing = await get({}, 'GET', { router, streamId: 'not-there' });
  expect(await missing.clone().text()).toContain('No such stream is live');
  expect(await codeOf(missing)).toEqual([404, 'NOT_FOUND']);
  expect(await codeOf(await get({ authorization: `Bearer ${bob.token}` }))).toEqual([403, 'UNAUTHORIZED']);
  expect(await codeOf(await fetch(path))).toEqual([401, 'AUTH_REQUIRED']);
  const wrong = await get({}, 'POST');
  expect([wrong.headers.get('allow'), ...(await codeOf(wrong))]).toEqual(['GET, HEAD', 405, 'METHOD_NOT_ALLOWED']);
});
