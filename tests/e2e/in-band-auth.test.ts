import { encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { TestClient, type TestEncoding } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

/** Most that may come from a client that nobody knows yet. */
const MAX_FIRST_MESSAGE_BYTES = 4096;
const MISSING = { code: 'AUTH_REQUIRED', closed: { code: 1008, reason: 'Unauthorized' } };
const REGISTER = { type: 'register', clientType: 'mobile' };
const SUBSCRIBE = { type: 'subscribe', clientType: 'dashboard', streamId: 'gate' };

let router: TestRouter;
let account: Account;

beforeAll(async () => {
  router = await startTestRouter();
  account = await router.signUp();
});
afterAll(() => router.stop());

describe.each<TestEncoding>(['json', 'msgpack'])('a connection opened without credentials, in %s', (encoding) => {
  function arrive(path: 'register' | 'subscribe', at: TestRouter = router): Promise<TestClient> {
    return open(`${at.wsUrl}/streams/${path}`, encoding);
  }

  /** What a client is told that is turned away. */
  async function refusalOf(client: TestClient): Promise<{ code: string; closed: object }> {
    const error = await client.next('error');
    expect(error['$binary']).toBe(encoding === 'msgpack');
    return { code: error['code'], closed: await client.closed };
  }

  test('a camera that sends auth is told that it worked, and registers', async () => {
    const camera = await arrive('register');
    camera.send({ type: 'auth', token: account.token });
    const success = await camera.next('success');
    expect(success).toMatchObject({ message: 'Authentication successful', $binary: encoding === 'msgpack' });
    expect(success['streamId']).toBeUndefined();
    camera.send(REGISTER);
    const { message, streamId } = await camera.next('success');
    expect(message).toBe(`Registration successful. Stream ID: ${streamId}`);
  });

  test('a dashboard that sends auth is told that it worked, and subscribes', async () => {
    const dashboard = await arrive('subscribe');
    dashboard.send({ type: 'auth', token: account.token });
    expect((await dashboard.next('success'))['message']).toBe('Authentication successful');
    dashboard.send(SUBSCRIBE);
    expect(await dashboard.next('success')).toMatchObject({ message: 'Subscription successful', streamId: 'gate' });
    expect(await dashboard.next('status')).toMatchObject({ streamId: 'gate', status: 'offline' });
  });

  test('what comes right behind auth, before its answer, is answered after it and in order', async () => {
    const fresh = await router.signUp();
    const dashboard = await arrive('subscribe');
    dashboard.send({ type: 'auth', token: fresh.token });
    dashboard.send(SUBSCRIBE);
    dashboard.send({ type: 'nonsense' });
    dashboard.send({ type: 'unsubscribe', streamId: 'gate' });
    await dashboard.next(({ message }) => message === 'Unsubscribed');
    expect(
      dashboard.messages.map(({ type, message, code }) => (type === 'success' ? message : (code ?? type))),
    ).toEqual([
      'Authentication successful',
      'Subscription successful',
      'status',
      'UNKNOWN_MESSAGE_TYPE',
      'Unsubscribed',
    ]);
  });

  const forms: [string, (account: Account) => string][] = [
    ['raw', ({ token }) => token],
    ['signed', ({ cookie }) => decodeURIComponent(cookie)],
    ['signed and URL-encoded', ({ cookie }) => cookie],
  ];
  describe.each(forms)('with a %s token', (_name, tokenOf) => {
    test('auth opens the door', async () => {
      const client = await arrive('subscribe');
      client.send({ type: 'auth', token: tokenOf(account) });
      expect((await client.next('success'))['message']).toBe('Authentication successful');
    });

    test('a camera registers in one message, and its pictures arrive', async () => {
      const { token } = account;
      const camera = await arrive('register');
      camera.send({ ...REGISTER, token: tokenOf(account) });
      const { message, streamId } = await camera.next('success');
      expect(message).toBe(`Registration successful. Stream ID: ${streamId}`);
      const viewer = await open(`${router.wsUrl}/streams/subscribe?token=${token}`, encoding);
      viewer.send({ ...SUBSCRIBE, streamId });
      await viewer.next('success');
      const jpeg = numberedPicture(1, 100);
      const data = encoding === 'json' ? jpeg.toString('base64') : jpeg;
      camera.send({ type: 'video-frame', streamId, data, timestamp: Date.now() });
      const frame = await viewer.next('video-frame');
      expect(Buffer.from(frame['data'], encoding === 'json' ? 'base64' : undefined)).toEqual(jpeg);
    });

    test('a dashboard subscribes in one message', async () => {
      const dashboard = await arrive('subscribe');
      dashboard.send({ ...SUBSCRIBE, token: tokenOf(account) });
      expect(await dashboard.next('success')).toMatchObject({ message: 'Subscription successful', streamId: 'gate' });
      expect(dashboard.messages[0]?.['message']).toBe('Subscription successful');
    });
  });

  const strangers: [string, 'register' | 'subscribe', object | string][] = [
    ['a heartbeat', 'subscribe', { type: 'heartbeat' }],
    ['an unsubscribe', 'subscribe', { type: 'unsubscribe', streamId: 'gate' }],
    ['an ack', 'subscribe', { type: 'ack', streamId: 'gate', received: 1 }],
    ['a subscribe without a token', 'subscribe', SUBSCRIBE],
    ['a subscribe with a null token', 'subscribe', { ...SUBSCRIBE, token: null }],
    ['a register without a token', 'register', REGISTER],
    ['a frame', 'register', { type: 'video-frame', streamId: 'gate', data: '/9j/4AAQ', timestamp: 1 }],
    ['an alert', 'register', { type: 'alert', streamId: 'gate', severity: 'high', message: 'x' }],
    ['an auth without a token', 'subscribe', { type: 'auth' }],
    ['an auth with an empty token', 'subscribe', { type: 'auth', token: '' }],
    ['an auth with a number as token', 'subscribe', { type: 'auth', token: 7 }],
    ['an auth with a token of 513 characters', 'subscribe', { type: 'auth', token: 'x'.repeat(513) }],
    ['a message of no known type', 'subscribe', { type: 'hello' }],
    ['a list', 'subscribe', []],
    ['garbage', 'subscribe', 'garbage'],
    ['an empty message', 'subscribe', 'empty'],
  ];
  test.each(strangers)('%s as its first message is told AUTH_REQUIRED', async (_name, path, message) => {
    const client = await arrive(path);
    if (message === 'garbage')
      client.sendRaw(encoding === 'json' ? '\u0000{]nonsense' : Buffer.from('c1c1ff00', 'hex'));
    else if (message === 'empty') client.sendRaw(encoding === 'json' ? '' : Buffer.alloc(0));
    else client.send(message as object);
    expect(await refusalOf(client)).toEqual(MISSING);
  });

  test('after a first message that is no good, a good token behind it does not help', async () => {
    const before = (await router.stats())['connections'].refused;
    const client = await arrive('subscribe');
    client.send({ type: 'heartbeat' });
    client.send({ type: 'auth', token: account.token });
    expect(await refusalOf(client)).toEqual(MISSING);
    expect(client.messages).toHaveLength(1);
    const after = (await router.stats())['connections'].refused;
    expect(after).toEqual({ ...before, noCredentials: before.noCredentials + 1 });
  });

  const tokenBearers: [string, 'register' | 'subscribe', object][] = [
    ['auth', 'subscribe', { type: 'auth' }],
    ['register', 'register', REGISTER],
    ['subscribe', 'subscribe', SUBSCRIBE],
  ];
  test.each(tokenBearers)('a bad token in %s is told AUTH_REQUIRED', async (_name, path, message) => {
    const before = (await router.stats())['connections'].refused;
    const client = await arrive(path);
    client.send({ ...message, token: `${account.token.slice(0, -1)}_` });
    expect(await refusalOf(client)).toEqual(MISSING);
    const after = (await router.stats())['connections'].refused;
    expect(after).toEqual({ ...before, unauthorized: before.unauthorized + 1 });
  });

  test('a first message of 4 KiB is taken', async () => {
    const client = await arrive('subscribe');
    client.sendRaw(ofSize({ ...SUBSCRIBE, token: account.token }, MAX_FIRST_MESSAGE_BYTES, encoding));
    expect((await client.next('success'))['message']).toBe('Subscription successful');
  });

  test('a first message of one byte more is told AUTH_REQUIRED, good as its token may be', async () => {
    const client = await arrive('subscribe');
    client.sendRaw(ofSize({ ...SUBSCRIBE, token: account.token }, MAX_FIRST_MESSAGE_BYTES + 1, encoding));
    expect(await refusalOf(client)).toEqual(MISSING);
  });

  test('once a client is known it may say more than 4 KiB at once', async () => {
    const client = await arrive('subscribe');
    client.send({ type: 'auth', token: account.token });
    client.sendRaw(ofSize(SUBSCRIBE, MAX_FIRST_MESSAGE_BYTES * 2, encoding));
    expect((await client.next(({ streamId }) => streamId === 'gate'))['message']).toBe('Subscription successful');
  });

  test('a token in a subscribe has no meaning where the connection has its session already', async () => {
    const client = await open(`${router.wsUrl}/streams/subscribe?token=${account.token}`, encoding);
    client.send({ ...SUBSCRIBE, token: 'rubbish' });
    expect((await client.next('success'))['message']).toBe('Subscription successful');
  });

  test('who says nothing is told AUTH_REQUIRED when the time is up; who signed in before outlives it', async () => {
    const hasty = await startTestRouter({ env: { AUTH_DEADLINE_MS: '200' } });
    onTestFinished(() => hasty.stop());
    const { token } = await hasty.signUp();
    const known = await arrive('subscribe', hasty);
    known.send({ type: 'auth', token });
    await known.next('success');

    const silent = await TestClient.open(`${hasty.wsUrl}/streams/subscribe`, {
      subprotocol: `watchout.v1.${encoding}`,
    });
    expect(await refusalOf(silent)).toEqual(MISSING);
    // It came earlier than the silent one, so its time would have been up as well.
    known.send({ type: 'heartbeat' });
    await known.next('heartbeat');
    expect((await hasty.stats())['connections'].refused).toMatchObject({ noCredentials: 1, unauthorized: 0 });
  });
});

async function open(url: string, encoding: TestEncoding): Promise<TestClient> {
  const client = await TestClient.open(url, { encoding });
  onTestFinished(() => client.socket.terminate());
  return client;
}

/** The message with so much beside it, in a field that nobody knows, that it has `bytes` bytes. */
function ofSize(message: object, bytes: number, encoding: TestEncoding): string | Uint8Array {
  const encoded = (padding: number) => {
    const padded = { ...message, padding: 'x'.repeat(padding) };
    return encoding === 'json' ? JSON.stringify(padded) : encode(padded);
  };
  // Of a length whose header in MessagePack is as long as that of what comes out.
  const sample = 1000;
  const result = encoded(sample + bytes - encoded(sample).length);
  expect(result.length).toBe(bytes);
  return result;
}
