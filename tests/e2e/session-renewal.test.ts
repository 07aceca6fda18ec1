import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { TestClient, type TestEncoding } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

let router: TestRouter;
let admin: pg.Pool;

beforeAll(async () => {
  const { url: databaseUrl } = inject('databases');
  router = await startTestRouter({ databaseUrl, env: { SESSION_RECHECK_MS: '200' } });
  admin = new pg.Pool({ connectionString: databaseUrl, max: 1 });
});
afterAll(async () => {
  await admin.end();
  await router.stop();
});

describe.each<TestEncoding>(['json', 'msgpack'])('auth on an open connection, in %s', (encoding) => {
  test('lets a dashboard outlive its first session, until the second one is revoked', async () => {
    const account = await router.signUp();
    const second = await anotherSession(account);
    const renewed = await subscribed(account.token);
    const witness = await subscribed(account.token);
    renewed.send({ type: 'auth', token: second });
    const success = await renewed.next('success');
    expect(success).toMatchObject({ message: 'Authentication successful', $binary: encoding === 'msgpack' });

    await revoke(account.token);
    expect(await endOf(witness)).toEqual({ code: 'AUTH_REQUIRED', closed: { code: 1008, reason: 'Unauthorized' } });
    await stays(renewed);

    await revoke(second);
    expect(await endOf(renewed)).toEqual({ code: 'AUTH_REQUIRED', closed: { code: 1008, reason: 'Unauthorized' } });
  });

  test('is answered, holds nothing up that comes right behind it, and leaves the subscriptions as they are', async () => {
    const account = await router.signUp();
    const client = await subscribed(account.token);
    const taken = client.messages.length;
    client.send({ type: 'auth', token: await anotherSession(account) });
    client.send({ type: 'heartbeat' });
    client.send({ type: 'unsubscribe', streamId: 'gate' });
    const answers = () => client.messages.slice(taken).map(({ type, message }) => message ?? type);
    await until('all three are answered', () => answers().length === 3);
    expect(answers().filter((answer) => answer !== 'Authentication successful')).toEqual(['heartbeat', 'Unsubscribed']);
  });

  test('that comes while another one is looked up is refused, and the first one counts', async () => {
    const account = await router.signUp();
    const client = await subscribed(account.token);
    const fresh = [await anotherSession(account), await anotherSession(account)];
    for (const token of fresh) client.send({ type: 'auth', token });
    expect((await client.next('error'))['code']).toBe('RATE_LIMITED');
    await client.next(({ message }) => message === 'Authentication successful');
    await stays(client);
  });

  test('with another user’s token is refused, and the connection lives by its own session as before', async () => {
    const account = await router.signUp();
    const other = await router.signUp();
    const client = await subscribed(account.token);
    client.send({ type: 'auth', token: other.token });
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    await stays(client);

    const witness = await subscribed(other.token);
    await revoke(other.token);
    expect((await endOf(witness)).code).toBe('AUTH_REQUIRED');
    await stays(client);

    await revoke(account.token);
    expect(await endOf(client)).toEqual({ code: 'AUTH_REQUIRED', closed: { code: 1008, reason: 'Unauthorized' } });
  });

  const useless: [string, (account: Account) => string | Promise<string>][] = [
    ['rubbish', () => 'rubbish'],
    ['a token with a false signature', ({ token }) => `${token}.${randomBytes(32).toString('base64')}`],
    ['a session that has expired', expiredSession],
  ];
  test.each(useless)('with %s is refused, and the connection stays', async (_name, tokenOf) => {
    const account = await router.signUp();
    const client = await subscribed(account.token);
    const { unauthorized } = (await router.stats())['messages'];
    client.send({ type: 'auth', token: await tokenOf(account) });
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    await stays(client);
    expect((await router.stats())['messages'].unauthorized).toBe(unauthorized + 1);
  });

  test('without a token is an invalid message, and the connection stays', async () => {
    const client = await subscribed((await router.signUp()).token);
    client.send({ type: 'auth' });
    expect((await client.next('error'))['code']).toBe('INVALID_MESSAGE');
    await stays(client);
  });

  async function subscribed(token: string): Promise<TestClient> {
    const client = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${token}`, { encoding });
    onTestFinished(() => client.socket.terminate());
    client.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'gate' });
    await client.next('status');
    return client;
  }
});

async function stays(client: TestClient): Promise<void> {
  client.send({ type: 'heartbeat' });
  await client.next('heartbeat');
}

async function endOf(client: TestClient): Promise<{ code: string; closed: object }> {
  const { code } = await client.next('error');
  return { code, closed: await client.closed };
}

/** A further session of the same person, as signing in once more makes it. */
async function anotherSession({ userId }: Account, lasts = '1 day'): Promise<string> {
  const token = randomBytes(16).toString('hex');
  await admin.query(
    `INSERT INTO session (id, token, "userId", "expiresAt", "createdAt", "updatedAt")
     VALUES ($1, $2, $3, now() + $4::interval, now(), now())`,
    [randomBytes(16).toString('hex'), token, userId, lasts],
  );
  return token;
}

function expiredSession(account: Account): Promise<string> {
  return anotherSession(account, '-1 hour');
}

async function revoke(token: string): Promise<void> {
  const { rowCount } = await admin.query('DELETE FROM session WHERE token = $1', [token]);
  expect(rowCount).toBe(1);
}
