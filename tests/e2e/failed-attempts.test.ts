import { randomBytes } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestClient, type TestEncoding } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

const BAD = { code: 'AUTH_REQUIRED', closed: 1008 };
const LIMITED = { code: 'RATE_LIMITED', closed: 1013 };
const FULL = { code: 'TOO_MANY_CONNECTIONS', closed: 1013 };

describe.each<TestEncoding>(['json', 'msgpack'])('an address that has failed often, in %s', (encoding) => {
  const ways: [string, (router: TestRouter, token: string) => Promise<TestClient>][] = [
    ['in the URL', (router, token) => withToken(router, token)],
    ['in auth', (router, token) => withAuth(router, token)],
  ];

  test.each(ways)('has to wait after three bad tokens %s; who is known comes in all the same', async (_name, come) => {
    const router = await startRouter({ MAX_AUTH_FAILURES_PER_IP: '3' });
    const [known, unknown] = [await router.signUp(), await router.signUp()];
    await isIn(await come(router, known.token));
    for (const _attempt of [1, 2, 3]) expect(await refusalOf(await come(router, madeUp()))).toEqual(BAD);

    expect(await refusalOf(await come(router, madeUp()))).toEqual(LIMITED);
    expect(await refusalOf(await come(router, unknown.token))).toEqual(LIMITED);
    await isIn(await come(router, known.token));
    const { refused } = (await router.stats())['connections'];
    expect(refused).toMatchObject({ unauthorized: 3, failures: 2 });
  });

  test('has to wait at the HTTP paths as well, and is counted together with them', async () => {
    const router = await startRouter({ MAX_AUTH_FAILURES_PER_IP: '3' });
    const { token } = await router.signUp();
    for (const _attempt of [1, 2, 3]) expect((await buyTicket(router, madeUp())).status).toBe(401);
    const answer = await buyTicket(router, token);
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await answer.json()).toMatchObject({ error: { code: 'RATE_LIMITED' } });
    expect(await refusalOf(await withToken(router, token))).toEqual(LIMITED);
  });

  test('keeps an open connection that tries a further auth, which is told RATE_LIMITED', async () => {
    const router = await startRouter({ MAX_AUTH_FAILURES_PER_IP: '3' });
    const client = await withToken(router, (await router.signUp()).token);
    await isIn(client);
    for (const _attempt of [1, 2, 3]) {
      client.send({ type: 'auth', token: madeUp() });
      expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    }
    client.send({ type: 'auth', token: madeUp() });
    client.send({ type: 'heartbeat' });
    expect((await client.next('error'))['code']).toBe('RATE_LIMITED');
    await isIn(client);
  });

  test('behind a trusted proxy keeps no other address out', async () => {
    const router = await startRouter({ MAX_AUTH_FAILURES_PER_IP: '3', TRUSTED_PROXIES: 'loopback' });
    const { token } = await router.signUp();
    for (const _attempt of [1, 2, 3]) {
      expect(await refusalOf(await withToken(router, madeUp(), '203.0.113.1'))).toEqual(BAD);
    }
    expect(await refusalOf(await withToken(router, token, '203.0.113.1'))).toEqual(LIMITED);
    // What the client itself wrote stands before what the proxy has seen.
    expect(await refusalOf(await withToken(router, token, '203.0.113.2, 203.0.113.1'))).toEqual(LIMITED);
    await isIn(await withToken(router, token, '203.0.113.2'));
  });

  test('is the same one whatever it says of itself, where no proxy is trusted', async () => {
    const router = await startRouter({ MAX_AUTH_FAILURES_PER_IP: '3' });
    const { token } = await router.signUp();
    for (const last of [1, 2, 3]) {
      expect(await refusalOf(await withToken(router, madeUp(), `203.0.113.${last}`))).toEqual(BAD);
    }
    expect(await refusalOf(await withToken(router, token, '203.0.113.4'))).toEqual(LIMITED);
  });

  const counts: [string, string, string | undefined][] = [
    ['connections', 'MAX_CONNECTIONS_PER_IP', 'token'],
    ['silent connections', 'MAX_PENDING_PER_IP', undefined],
  ];
  test.each(counts)('behind a trusted proxy each address has %s of its own', async (_name, variable, shown) => {
    const router = await startRouter({ [variable]: '1', TRUSTED_PROXIES: 'loopback' });
    const { token } = await router.signUp();
    const come = (address: string) =>
      shown === undefined ? open(router, '', address) : withToken(router, token, address);
    const first = await come('203.0.113.1');
    expect(await refusalOf(await come('203.0.113.1'))).toEqual(FULL);
    const other = await come('203.0.113.2');
    // An IPv6 host may use any address of its /64.
    const third = await come('2001:db8::1');
    expect(await refusalOf(await come('2001:db8::2'))).toEqual(FULL);
    for (const client of [first, other, third]) {
      client.send({ type: 'auth', token });
      expect((await client.next('success'))['message']).toBe('Authentication successful');
    }
  });

  async function withToken(router: TestRouter, token: string, forwardedFor?: string): Promise<TestClient> {
    const client = await open(router, `?token=${token}`, forwardedFor);
    client.send({ type: 'heartbeat' });
    return client;
  }

  async function withAuth(router: TestRouter, token: string): Promise<TestClient> {
    const client = await open(router, '');
    client.send({ type: 'auth', token });
    client.send({ type: 'heartbeat' });
    return client;
  }

  async function open(router: TestRouter, query: string, forwardedFor?: string): Promise<TestClient> {
    const client = await TestClient.open(`${router.wsUrl}/streams/subscribe${query}`, {
      encoding,
      subprotocol: `watchout.v1.${encoding}`,
      headers: forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor },
    });
    onTestFinished(() => client.socket.terminate());
    return client;
  }

  async function refusalOf(client: TestClient): Promise<{ code: string; closed: number }> {
    const answer = await client.next(({ type }) => type === 'error' || type === 'heartbeat');
    if (answer['type'] === 'heartbeat') return { code: 'it was let in', closed: 0 };
    expect(answer['$binary']).toBe(encoding === 'msgpack');
    return { code: answer['code'], closed: (await client.closed).code };
  }
});

async function startRouter(env: Record<string, string>): Promise<TestRouter> {
  const router = await startTestRouter({ env });
  onTestFinished(() => router.stop());
  return router;
}

function buyTicket(router: TestRouter, token: string): Promise<Response> {
  return fetch(`${router.httpUrl}/api/tickets`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
}

/** Has its heartbeat answered that was sent when it came. */
async function isIn(client: TestClient): Promise<void> {
  await client.next('heartbeat');
}

function madeUp(): string {
  return randomBytes(16).toString('hex');
}
