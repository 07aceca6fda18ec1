import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { type ConnectOptions, frameOf, jpegOf, TestClient, type TestEncoding } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { toldUntilHeartbeat } from '../support/two-users.ts';
import { until } from '../support/until.ts';

const RECHECK_MS = 300;
const REGISTER = { type: 'register', clientType: 'mobile' };
const subscribeTo = (streamId: string, fields: object = {}) => ({
  type: 'subscribe',
  clientType: 'dashboard',
  streamId,
  ...fields,
});

let router: TestRouter;
let admin: pg.Pool;

beforeAll(async () => {
  const { url: databaseUrl } = inject('databases');
  const env = { SESSION_RECHECK_MS: String(RECHECK_MS), STREAM_GRACE_MS: '0' };
  router = await startTestRouter({ databaseUrl, env });
  admin = new pg.Pool({ connectionString: databaseUrl, max: 1 });
});
afterAll(async () => {
  await admin.end();
  await router.stop();
});

async function open(path: string, options: ConnectOptions = {}, at: TestRouter = router): Promise<TestClient> {
  const client = await TestClient.open(`${at.wsUrl}${path}`, options);
  onTestFinished(() => client.socket.terminate());
  return client;
}

async function revoke({ token }: Account): Promise<void> {
  const { rowCount } = await admin.query('DELETE FROM session WHERE token = $1', [token]);
  expect(rowCount).toBe(1);
}

function typesOf(client: TestClient): string[] {
  return client.messages.map(({ type }) => type);
}

describe.each(['/ws', '/api/streams/ws'])('at %s', (path) => {
  describe.each<TestEncoding>(['json', 'msgpack'])('in %s', (encoding) => {
    const enter = (query = '') => open(`${path}${query}`, { encoding });
    const enterAs = ({ token }: Account) => enter(`?token=${token}`);

    /** A camera that came in here, with the answer to its `register`. */
    async function camera(account: Account, fields: object = {}) {
      const encoder = await enterAs(account);
      encoder.send({ ...REGISTER, ...fields });
      const { streamId, message } = await encoder.next('success');
      expect(message).toBe(`Registration successful. Stream ID: ${streamId}`);
      return { encoder, streamId: streamId as string };
    }

    test('who registers is a camera and who subscribes a dashboard, and pictures come through bit for bit', async () => {
      const anna = await router.signUp();
      const { encoder, streamId } = await camera(anna, { consumes: ['alert'], produces: ['video-frame', 'alert'] });
      const viewer = await enterAs(anna);
      viewer.send(subscribeTo(streamId));
      expect(await viewer.next('success')).toMatchObject({ message: 'Subscription successful', streamId });
      expect(await viewer.next('status')).toMatchObject({ streamId, status: 'online' });
      const jpeg = numberedPicture(1, 40_000);
      encoder.send(frameOf(encoder, streamId, jpeg));
      const frame = await viewer.next('video-frame');
      expect(jpegOf(frame)).toEqual(jpeg);
      expect(frame['$binary']).toBe(encoding === 'msgpack');
      encoder.send({ type: 'alert', streamId, severity: 'low', message: 'Cat' });
      expect(await viewer.next('alert')).toMatchObject({ streamId, message: 'Cat' });
      expect(await encoder.next('alert')).toMatchObject({ streamId, message: 'Cat' });
    });

    test('a camera here and a dashboard at /streams/subscribe find each other, and the other way round', async () => {
      const anna = await router.signUp();
      const here = await camera(anna);
      const there = await open(`/streams/register?token=${anna.token}`, { encoding });
      there.send(REGISTER);
      const { streamId: other } = await there.next('success');
      const dashboard = await open(`/streams/subscribe?token=${anna.token}`, { encoding });
      dashboard.send(subscribeTo(here.streamId));
      await dashboard.next('status');
      const wall = await enterAs(anna);
      wall.send(subscribeTo(other));
      await wall.next('status');
      here.encoder.send(frameOf(here.encoder, here.streamId, numberedPicture(1, 100)));
      there.send(frameOf(there, other, numberedPicture(2, 100)));
      expect(await dashboard.next('video-frame')).toMatchObject({ streamId: here.streamId });
      expect(await wall.next('video-frame')).toMatchObject({ streamId: other });
    });

    test.each(['register', 'subscribe'])('auth as the first message leaves it open; then it may %s', async (role) => {
      const { token } = await router.signUp();
      const client = await enter();
      client.send({ type: 'auth', token });
      expect((await client.next('success'))['message']).toBe('Authentication successful');
      client.send(role === 'register' ? REGISTER : subscribeTo('gate'));
      const { message } = await client.next('success');
      expect(message).toMatch(role === 'register' ? /^Registration successful/ : /^Subscription successful/);
    });

    test.each([
      ['register', REGISTER],
      ['subscribe', subscribeTo('gate')],
    ])('a token in the first message is enough to %s', async (_role, message) => {
      const { token } = await router.signUp();
      const client = await enter();
      client.send({ ...message, token });
      expect((await client.next('success'))['message']).not.toBe('Authentication successful');
    });

    test('what the originals say beside it, their userId and what they produce, changes nothing', async () => {
      const [anna, ben] = [await router.signUp(), await router.signUp()];
      const { encoder, streamId } = await camera(anna, { userId: ben.userId });
      const thief = await enter();
      thief.send(subscribeTo(streamId, { userId: anna.userId, token: ben.token, produces: ['alert'] }));
      expect((await thief.next('error'))['code']).toBe('UNAUTHORIZED');
      const viewer = await enter();
      viewer.send(subscribeTo(streamId, { userId: 7, token: anna.token, produces: 'nonsense' }));
      expect((await viewer.next('success'))['streamId']).toBe(streamId);
      viewer.send({ type: 'alert', streamId, severity: 'high', message: 'x' });
      expect((await viewer.next('error'))['code']).toBe('UNAUTHORIZED');
      expect(await toldUntilHeartbeat(encoder)).toEqual([]);
    });

    test('what is said before its session is checked is held, and handled in order', async () => {
      const anna = await router.signUp();
      const client = new TestClient(`${router.wsUrl}${path}?token=${anna.token}`, { encoding });
      onTestFinished(() => client.socket.terminate());
      client.socket.once('open', () => {
        client.send({ type: 'heartbeat' });
        for (let camera = 1; camera <= 200; camera += 1) client.send(subscribeTo(`camera-${camera}`));
        client.send(REGISTER);
      });
      await client.next('error');
      const subscribed = client.messages.filter(({ type }) => type === 'success').map(({ streamId }) => streamId);
      expect(subscribed).toEqual(Array.from({ length: 200 }, (_, index) => `camera-${index + 1}`));
      expect(typesOf(client)[0]).toBe('heartbeat');
    });

    test('a dashboard that registers is told that it cannot, and goes on watching', async () => {
      const anna = await router.signUp();
      const { encoder, streamId } = await camera(anna);
      const viewer = await enterAs(anna);
      viewer.send(subscribeTo(streamId));
      await viewer.next('status');
      viewer.send(REGISTER);
      const { code, message } = await viewer.next('error');
      expect([code, message]).toEqual(['INVALID_MESSAGE', expect.stringContaining('this is a viewer')]);
      encoder.send(frameOf(encoder, streamId, numberedPicture(1, 100)));
      await viewer.next('video-frame');
      expect((await router.stats())['activeStreams']).toContain(streamId);
    });

    test.each([
      ['subscribes', subscribeTo('gate')],
      ['unsubscribes', { type: 'unsubscribe', streamId: 'gate' }],
      ['acknowledges', { type: 'ack', streamId: 'gate', received: 1 }],
      ['subscribes as an ML service', subscribeTo('gate', { clientType: 'ml-service' })],
    ])('a camera that %s is told that it cannot, and goes on streaming', async (_what, message) => {
      const anna = await router.signUp();
      const { encoder, streamId } = await camera(anna);
      const viewer = await enterAs(anna);
      viewer.send(subscribeTo(streamId));
      await viewer.next('status');
      encoder.send(message);
      const error = await encoder.next('error');
      expect(error['code']).toBe('INVALID_MESSAGE');
      expect(error['message']).toContain('this is an encoder');
      encoder.send(frameOf(encoder, streamId, numberedPicture(1, 100)));
      await viewer.next('video-frame');
    });

    test('before it has said what it is for, frames and what belongs to one role are refused, and nothing is decided', async () => {
      const anna = await router.signUp();
      const before = (await router.stats())['frames'].rejected.notYours;
      const client = await enterAs(anna);
      client.send(frameOf(client, 'gate', numberedPicture(1, 100_000)));
      const { code, message } = await client.next('error');
      expect([code, message]).toEqual(['ROUTING_ERROR', expect.stringContaining('register first')]);
      expect((await router.stats())['frames'].rejected.notYours).toBe(before + 1);
      for (const early of [
        { type: 'ack', streamId: 'gate', received: 1 },
        { type: 'unsubscribe', streamId: 'gate' },
        { type: 'alert', streamId: 'gate', severity: 'high', message: 'x' },
        { ...REGISTER, clientType: 'toaster' },
      ]) {
        client.send(early);
        expect((await client.next('error'))['code']).toBe('INVALID_MESSAGE');
      }
      client.send({ type: 'heartbeat' });
      await client.next('heartbeat');
      client.send(REGISTER);
      const { streamId } = await client.next('success');
      client.send(frameOf(client, streamId, numberedPicture(1, 100)));
      expect(await toldUntilHeartbeat(client)).toEqual([]);
    });

    test('a register that is refused makes a camera of it all the same', async () => {
      const [anna, ben] = [await router.signUp(), await router.signUp()];
      const { streamId } = await camera(anna);
      const client = await enterAs(ben);
      client.send({ ...REGISTER, streamId });
      expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
      client.send(subscribeTo('gate'));
      expect((await client.next('error'))['code']).toBe('INVALID_MESSAGE');
      client.send(REGISTER);
      await client.next('success');
    });

    const strangers: [string, object | string][] = [
      ['says nothing of who it is', REGISTER],
      ['shows a token that is none', { ...REGISTER, token: 'rubbish' }],
      ['shows a token that is none in auth', { type: 'auth', token: 'rubbish' }],
      ['is an ML service without a token', subscribeTo('gate', { clientType: 'ml-service', token: 'rubbish' })],
      ['sends a frame', { type: 'video-frame', streamId: 'gate', data: '/9j/4AAQ', timestamp: 1 }],
    ];
    test.each(strangers)('who %s is turned away, in words', async (_who, message) => {
      const client = await enter();
      client.send(message as object);
      const { code, $binary } = await client.next('error');
      expect(code).toMatch(/^(AUTH_REQUIRED|UNAUTHORIZED)$/);
      expect($binary).toBe(encoding === 'msgpack');
      expect(await client.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
      expect(client.messages).toHaveLength(1);
    });

    test('a session that has expired opens nothing', async () => {
      const anna = await router.signUp();
      await admin.query('UPDATE session SET "expiresAt" = now() - interval \'1 hour\' WHERE token = $1', [anna.token]);
      const client = await enterAs(anna);
      expect((await client.next('error'))['code']).toBe('AUTH_REQUIRED');
      expect((await client.closed).code).toBe(1008);
    });

    test('a session that is revoked closes it, whatever it had become', async () => {
      const anna = await router.signUp();
      const clients = [await enterAs(anna), await enterAs(anna), await enterAs(anna)];
      clients[1]?.send(REGISTER);
      clients[2]?.send(subscribeTo('gate'));
      await Promise.all([clients[1]?.next('success'), clients[2]?.next('success')]);
      await revoke(anna);
      for (const client of clients) {
        expect((await client.next('error'))['message']).toBe('The session has ended');
        expect(await client.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
      }
    });

    test('it may outlive its first session by an auth, before and after it has said what it is for', async () => {
      const anna = await router.signUp();
      const [second, third] = [await anotherSession(anna), await anotherSession(anna)];
      const client = await enterAs(anna);
      client.send({ type: 'auth', token: second });
      expect((await client.next('success'))['message']).toBe('Authentication successful');
      client.send(REGISTER);
      await client.next(({ streamId }) => streamId !== undefined);
      client.send({ type: 'auth', token: third });
      expect((await client.next('success'))['message']).toBe('Authentication successful');
      const witness = await enterAs(anna);
      await revoke(anna);
      await witness.closed;
      client.send({ type: 'heartbeat' });
      await client.next('heartbeat');
    });

    test('twenty mistakes close it', async () => {
      const client = await enterAs(await router.signUp());
      for (let sent = 0; sent < 20; sent += 1) client.send({ type: 'ack', streamId: 'gate', received: 1 });
      expect((await client.closed).code).toBe(4429);
    });
  });

  test('it agrees on no compression, since it may be a camera; a dashboard’s own door does', async () => {
    const { token } = await router.signUp();
    expect((await open(`${path}?token=${token}`)).socket.extensions).toBe('');
    expect((await open(`/streams/subscribe?token=${token}`)).socket.extensions).toContain('permessage-deflate');
  });

  test('a page that connects and says nothing hears the alerts of its user, of streams to come as well, and nothing else', async () => {
    const [anna, ben] = [await router.signUp(), await router.signUp()];
    const first = await producer(anna);
    const silent = await open(`${path}?token=${anna.token}`);
    await consumersAre(1);
    first.send({ type: 'alert', streamId: first.streamId, severity: 'high', message: 'one' });
    expect(await silent.next(() => true)).toMatchObject({ type: 'alert', streamId: first.streamId, message: 'one' });
    const later = await producer(anna);
    const his = await producer(ben);
    his.send({ type: 'alert', streamId: his.streamId, severity: 'high', message: 'his' });
    later.send(frameOf(later.client, later.streamId, numberedPicture(1, 100)));
    later.send({ type: 'alert', streamId: later.streamId, severity: 'high', message: 'two' });
    expect(await silent.next(() => true)).toMatchObject({ type: 'alert', message: 'two' });
    await later.client.close();
    expect(await toldUntilHeartbeat(silent)).toEqual([]);
    expect(typesOf(silent)).toEqual(['alert', 'alert', 'heartbeat']);
    await silent.close();
    await consumersAre(0);
  });

  test('a phone that registers long after it connected is a camera as if it had never listened', async () => {
    const anna = await router.signUp();
    const other = await producer(anna);
    const phone = await open(`${path}?token=${anna.token}`);
    await consumersAre(1);
    phone.send({ ...REGISTER, produces: ['video-frame', 'alert'] });
    const { streamId } = await phone.next('success');
    await consumersAre(0);
    other.send({ type: 'alert', streamId: other.streamId, severity: 'high', message: 'not for a camera' });
    expect(await toldUntilHeartbeat(phone)).toEqual([]);
    phone.send({ type: 'alert', streamId, severity: 'high', message: 'it did not ask for its own' });
    expect(await toldUntilHeartbeat(phone)).toEqual([]);
  });

  test('a page that subscribes long after it connected is told each alert once', async () => {
    const anna = await router.signUp();
    const { send, streamId } = await producer(anna);
    const page = await open(`${path}?token=${anna.token}`);
    await consumersAre(1);
    page.send(subscribeTo(streamId));
    await page.next('status');
    send({ type: 'alert', streamId, severity: 'high', message: 'one' });
    expect(await toldUntilHeartbeat(page)).toEqual([expect.objectContaining({ type: 'alert' })]);
    page.send({ type: 'unsubscribe', streamId });
    await page.next('success');
    await consumersAre(0);
    send({ type: 'alert', streamId, severity: 'high', message: 'two' });
    expect(await toldUntilHeartbeat(page)).toEqual([]);
  });

  test('a page that only listened is closed with its session, and hears nothing more', async () => {
    const anna = await router.signUp();
    const phone = await router.accounts.signInAgain(anna);
    await producer(phone);
    const silent = await open(`${path}?token=${anna.token}`);
    await consumersAre(1);
    await revoke(anna);
    expect((await silent.next('error'))['code']).toBe('AUTH_REQUIRED');
    expect((await silent.closed).code).toBe(1008);
    await consumersAre(0);
  });

  test('who comes and goes in every way leaves nothing behind', async () => {
    const anna = await router.signUp();
    const { streamId, client } = await producer(anna);
    await until('the tests before have gone', async () => (await router.stats())['totalConnections'] === 1);
    const enter = () => open(`${path}?token=${anna.token}`);
    const hasty = await Promise.all([enter(), enter(), enter()]);
    await consumersAre(3);
    hasty[0]?.send(subscribeTo(streamId));
    hasty[1]?.send(REGISTER);
    await Promise.all([hasty[0]?.next('status'), hasty[1]?.next('success')]);
    expect(await router.stats()).toMatchObject({ totalConnections: 4, totalVideoConsumers: 1 });
    const brief = await enter();
    await brief.close();
    for (const one of hasty) await one.close();
    await until('all are gone', async () => (await router.stats())['totalConnections'] === 1);
    const { totalVideoConsumers, totalAlertConsumers, totalProducers } = await router.stats();
    expect({ totalVideoConsumers, totalAlertConsumers, totalProducers }).toEqual({
      totalVideoConsumers: 0,
      totalAlertConsumers: 0,
      totalProducers: 1,
    });
    await client.close();
  });

  test('limits count it like every other connection', async () => {
    const small = await startTestRouter({ env: { MAX_CONNECTIONS_PER_USER: '2', MAX_PENDING_PER_IP: '1' } });
    onTestFinished(() => small.stop());
    const { token } = await small.signUp();
    const entered = async (query: string) => open(`${path}${query}`, {}, small);
    const [first, second] = [await entered(`?token=${token}`), await entered(`?token=${token}`)];
    for (const client of [first, second]) expect(await toldUntilHeartbeat(client)).toEqual([]);
    // What it has become since makes no difference.
    first.send(REGISTER);
    await first.next('success');
    const third = await entered(`?token=${token}`);
    expect(await third.next('error')).toMatchObject({ code: 'TOO_MANY_CONNECTIONS' });
    expect((await third.closed).code).toBe(1013);
    await entered('');
    const fifth = await entered('');
    expect(await fifth.next('error')).toMatchObject({ code: 'TOO_MANY_CONNECTIONS' });
    expect((await small.stats())['connections'].refused).toMatchObject({ perUser: 1, pendingPerAddress: 1 });
  });

  test('a drain closes it with 1012, silent or not', async () => {
    const own = await startTestRouter();
    const { token } = await own.signUp();
    const clients = await Promise.all(['', '', ''].map(() => open(`${path}?token=${token}`, {}, own)));
    clients[1]?.send(REGISTER);
    clients[2]?.send(subscribeTo('gate'));
    await Promise.all([clients[1]?.next('success'), clients[2]?.next('success')]);
    await own.stop();
    for (const client of clients) expect((await client.closed).code).toBe(1012);
  });

  /** A camera at `/streams/register` that may send alerts. */
  async function producer(account: Account) {
    const client = await open(`/streams/register?token=${account.token}`);
    client.send({ ...REGISTER, produces: ['video-frame', 'alert'] });
    const { streamId } = await client.next('success');
    return { client, streamId: streamId as string, send: (message: object) => client.send(message) };
  }

  /** Each listener counts once for each live stream of its user; the tests before leave no stream behind. */
  function consumersAre(count: number): Promise<void> {
    return until(`${count} listen`, async () => (await router.stats())['totalAlertConsumers'] === count);
  }
});

test('with AUTH_REJECT_AT_UPGRADE bad credentials are a 401 there as well, and good ones open it', async () => {
  const strict = await startTestRouter({ env: { AUTH_REJECT_AT_UPGRADE: 'true' } });
  onTestFinished(() => strict.stop());
  const { token } = await strict.signUp();
  for (const path of ['/ws', '/api/streams/ws']) {
    await expect(open(`${path}?token=rubbish`, {}, strict)).rejects.toThrow('401');
    await expect(open(path, {}, strict)).rejects.toThrow('401');
    const client = await open(`${path}?token=${token}`, {}, strict);
    client.send(REGISTER);
    await client.next('success');
  }
});

test('without an upgrade it says what it speaks', async () => {
  for (const path of ['/ws', '/api/streams/ws', '/ws/alerts/anna']) {
    const response = await fetch(`${router.httpUrl}${path}`);
    expect(response.status).toBe(426);
  }
});

/** A further session of the same person, as signing in once more makes it. */
async function anotherSession({ userId }: Account): Promise<string> {
  const token = randomBytes(16).toString('hex');
  await admin.query(
    `INSERT INTO session (id, token, "userId", "expiresAt", "createdAt", "updatedAt")
     VALUES ($1, $2, $3, now() + interval '1 day', now(), now())`,
    [randomBytes(16).toString('hex'), token, userId],
  );
  return token;
}
