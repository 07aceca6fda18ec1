import { describe, expect, onTestFinished, test } from 'vitest';
import { TestClient, type TestEncoding } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

const FULL = { code: 'TOO_MANY_CONNECTIONS', closed: 1013 };

describe.each<TestEncoding>(['json', 'msgpack'])('limits, told in %s', (encoding) => {
  test('too many silent connections of an address keep out more of them, and nobody who has a token', async () => {
    const router = await startRouter({ MAX_PENDING_PER_IP: '2' });
    const { token } = await router.signUp();
    const url = `${router.wsUrl}/streams/subscribe`;
    const [first, second] = [await open(url), await open(url)];
    expect(await refusalOf(await open(url))).toEqual(FULL);
    await isIn(await open(`${url}?token=${token}`));
    expect((await router.stats())['connections'].refused).toMatchObject({ pendingPerAddress: 1, perAddress: 0 });

    // Who signs in is not one of the silent ones any more: there is room for one, and not for two.
    first.send({ type: 'auth', token });
    await first.next('success');
    const third = await open(url);
    expect(await refusalOf(await open(url))).toEqual(FULL);
    await second.close();
    const fourth = await retried(() => signedInWith(url, token));
    for (const client of [first, third, fourth]) client.send({ type: 'auth', token });
    for (const client of [first, third, fourth]) await client.next('success');
  });

  test('silent connections that were turned away for what they said make room as well', async () => {
    const router = await startRouter({ MAX_PENDING_PER_IP: '1' });
    const { token } = await router.signUp();
    const url = `${router.wsUrl}/streams/subscribe`;
    const talker = await open(url);
    expect(await refusalOf(await open(url))).toEqual(FULL);
    talker.send({ type: 'heartbeat' });
    expect(await refusalOf(talker)).toEqual({ code: 'AUTH_REQUIRED', closed: 1008 });
    const liar = await retried(() => speaking(url, { type: 'auth', token: 'rubbish' }, 'AUTH_REQUIRED'));
    await liar.closed;
    await retried(() => signedInWith(url, token));
  });

  const limits: [string, string, string][] = [
    ['connections of an address', 'MAX_CONNECTIONS_PER_IP', 'perAddress'],
    ['connections of a user', 'MAX_CONNECTIONS_PER_USER', 'perUser'],
    ['connections in all', 'MAX_CONNECTIONS', 'total'],
  ];
  test.each(limits)('too many %s: the next one is told so, until one has left', async (_name, variable, cause) => {
    const router = await startRouter({ [variable]: '2' });
    const { token } = await router.signUp();
    const url = `${router.wsUrl}/streams/subscribe?token=${token}`;
    const [first, second] = [await open(url), await open(`${router.wsUrl}/streams/register?token=${token}`)];
    await isIn(first);
    await isIn(second);
    expect(await refusalOf(await open(url))).toEqual(FULL);
    const { refused } = (await router.stats())['connections'];
    const none = Object.fromEntries(Object.keys(refused).map((name) => [name, 0]));
    expect(refused).toEqual({ ...none, [cause]: 1 });

    await first.close();
    const next = await retried(() => letIn(url));
    expect(await refusalOf(await open(url))).toEqual(FULL);
    await isIn(next);
    await isIn(second);
  });

  test('a user with too many connections keeps no other user out, and comes in by no other way', async () => {
    const router = await startRouter({ MAX_CONNECTIONS_PER_USER: '1' });
    const [many, other] = [await router.signUp(), await router.signUp()];
    const url = `${router.wsUrl}/streams/subscribe`;
    await isIn(await open(`${url}?token=${many.token}`));
    const silent = await open(url);
    silent.send({ type: 'auth', token: many.token });
    expect(await refusalOf(silent)).toEqual(FULL);
    const cookie = await open(url, { cookie: `better-auth.session_token=${many.cookie}` });
    expect(await refusalOf(cookie)).toEqual(FULL);
    await isIn(await open(`${url}?token=${other.token}`));
    expect((await router.stats())['connections'].refused.perUser).toBe(2);
  });

  test('a user with as many streams as allowed is refused the next one, until one of them is deleted', async () => {
    const router = await startRouter({ MAX_STREAMS_PER_USER: '2' });
    const { token, userId } = await router.signUp();
    const cameras = await Promise.all(
      ['gate', 'yard', 'roof'].map(() => open(`${router.wsUrl}/streams/register?token=${token}`)),
    );
    const [gate, yard, roof] = cameras as [TestClient, TestClient, TestClient];
    const register = { type: 'register', clientType: 'mobile' };
    gate.send({ ...register, streamId: 'gate' });
    yard.send({ ...register, streamId: 'yard' });
    await Promise.all([gate.next('success'), yard.next('success')]);
    roof.send({ ...register, streamId: 'roof' });
    expect((await roof.next('error'))['code']).toBe('ROUTING_ERROR');
    await isIn(roof);
    expect((await router.stats())['streams'].refused).toBe(1);
    // One that is live already is not another one.
    gate.send({ ...register, streamId: 'gate' });
    await gate.next('success');

    const other = await open(`${router.wsUrl}/streams/register?token=${(await router.signUp()).token}`);
    other.send({ ...register, streamId: 'attic' });
    await other.next('success');

    const path = `${router.httpUrl}/api/users/${userId}/streams/gate`;
    const deleted = await fetch(path, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } });
    expect(deleted.status).toBe(200);
    roof.send({ ...register, streamId: 'roof' });
    expect((await roof.next('success'))['streamId']).toBe('roof');
  });

  test('a stream with as many viewers as allowed refuses the next one, which stays connected', async () => {
    const router = await startRouter({ MAX_VIEWERS_PER_STREAM: '1' });
    const { token } = await router.signUp();
    const camera = await open(`${router.wsUrl}/streams/register?token=${token}`);
    camera.send({ type: 'register', clientType: 'mobile', streamId: 'gate' });
    await camera.next('success');
    const [first, second] = [await viewerOf(router, token), await viewerOf(router, token)];
    const subscribe = { type: 'subscribe', clientType: 'dashboard', streamId: 'gate' };
    first.send(subscribe);
    await first.next('status');
    second.send(subscribe);
    expect(await second.next('error')).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', streamId: 'gate' });
    await isIn(second);
    expect((await router.stats())['viewers'].refused).toBe(1);
    // Who watches already may say anew how.
    first.send({ ...subscribe, maxFps: 5 });
    await first.next('success');

    first.send({ type: 'unsubscribe', streamId: 'gate' });
    await first.next('success');
    second.send(subscribe);
    expect(await second.next('success')).toMatchObject({ message: 'Subscription successful', streamId: 'gate' });
  });

  test('of those who wait for a stream only as many as allowed watch it when it begins', async () => {
    const router = await startRouter({ MAX_VIEWERS_PER_STREAM: '1' });
    const { token } = await router.signUp();
    const [first, second] = [await viewerOf(router, token), await viewerOf(router, token)];
    for (const viewer of [first, second]) {
      viewer.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'gate' });
      expect((await viewer.next('status'))['status']).toBe('offline');
    }
    const camera = await open(`${router.wsUrl}/streams/register?token=${token}`);
    camera.send({ type: 'register', clientType: 'mobile', streamId: 'gate' });
    expect((await first.next('status'))['status']).toBe('online');
    expect(await second.next('error')).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', streamId: 'gate' });
    await isIn(second);
  });

  function viewerOf(router: TestRouter, token: string): Promise<TestClient> {
    return open(`${router.wsUrl}/streams/subscribe?token=${token}`);
  }

  /** By its subprotocol, since some are refused before they said a word. */
  async function open(url: string, headers: Record<string, string> = {}): Promise<TestClient> {
    const client = await TestClient.open(url, { encoding, subprotocol: `watchout.v1.${encoding}`, headers });
    onTestFinished(() => client.socket.terminate());
    return client;
  }

  async function refusalOf(client: TestClient): Promise<{ code: string; closed: number }> {
    const error = await client.next('error');
    expect(error['$binary']).toBe(encoding === 'msgpack');
    return { code: error['code'], closed: (await client.closed).code };
  }

  /** Opens a connection and says something; undefined when it was answered with another error than `expected`. */
  async function speaking(url: string, message: object, expected?: string): Promise<TestClient | undefined> {
    const client = await open(url);
    client.send(message);
    const { code } = await client.next(({ type }) => ['success', 'heartbeat', 'error'].includes(type));
    return code === expected ? client : undefined;
  }

  function signedInWith(url: string, token: string): Promise<TestClient | undefined> {
    return speaking(url, { type: 'auth', token });
  }

  function letIn(url: string): Promise<TestClient | undefined> {
    return speaking(url, { type: 'heartbeat' });
  }
});

async function startRouter(env: Record<string, string>): Promise<TestRouter> {
  const router = await startTestRouter({ env });
  onTestFinished(() => router.stop());
  return router;
}

async function isIn(client: TestClient): Promise<void> {
  client.send({ type: 'heartbeat' });
  await client.next('heartbeat');
}

/** There is room when the router has seen the close, which may be a moment after the client has. */
async function retried(attempt: () => Promise<TestClient | undefined>): Promise<TestClient> {
  let client: TestClient | undefined;
  await until('room for one more', async () => {
    client = await attempt();
    return client !== undefined;
  });
  if (client === undefined) throw new Error('no client');
  return client;
}
