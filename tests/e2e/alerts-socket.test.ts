import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { type ConnectOptions, frameOf, openEncoder, TestClient, type TestMessage } from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { alertOf, cookieOf, SERVICE_TOKEN, toldUntilHeartbeat } from '../support/two-users.ts';
import { until } from '../support/until.ts';

const ANOMALY = {
  type: 'anomaly_detected',
  result: {
    person_id: 1,
    frame_number: 245,
    score: -2.456,
    is_abnormal: true,
    classification: 'Abnormal',
    confidence: 'High',
    bbox: { x: 120, y: 50, w: 180, h: 350 },
  },
  annotated_frame: '/9j/4AAQSkZJRg==',
  frame_format: 'jpeg',
};

let router: TestRouter;
let admin: pg.Pool;
let anna: Account;
let ben: Account;

beforeAll(async () => {
  const { url: databaseUrl } = inject('databases');
  const env = {
    SESSION_RECHECK_MS: '300',
    STREAM_GRACE_MS: '0',
    ML_SERVICE_TOKEN: SERVICE_TOKEN,
    ALLOW_ML_CLIENTS: 'true',
    ALLOWED_ORIGINS: 'https://app.example',
  };
  router = await startTestRouter({ databaseUrl, env });
  admin = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  anna = await router.signUp();
  ben = await router.signUp();
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

/** Anna's alerts socket, or one that says it is, which is in once it has been answered. */
async function listener(account: Account, query = '', options: ConnectOptions = {}): Promise<TestClient> {
  const client = await open(`/ws/alerts/${account.userId}?token=${account.token}${query}`, options);
  client.send({ type: 'heartbeat' });
  await client.next('heartbeat');
  return client;
}

async function camera(account: Account) {
  const register = { produces: ['video-frame', 'alert'], consumes: [] };
  const { encoder, streamId: id } = await openEncoder(router.wsUrl, account.token, { register });
  onTestFinished(() => encoder.socket.terminate());
  return { encoder, streamId: id, alert: (fields: object = {}) => encoder.send(alertOf(id, fields)) };
}

async function post(alert: object): Promise<void> {
  const response = await fetch(`${router.httpUrl}/alerts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVICE_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(alert),
  });
  expect(await response.json()).toEqual({ accepted: 1, refused: [] });
}

async function turnedAway(client: TestClient): Promise<string> {
  const { code } = await client.next('error');
  expect(await client.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
  expect(client.messages).toHaveLength(1);
  return code;
}

function plain({ $raw, $binary, ...message }: TestMessage): TestMessage {
  return message;
}

test('the alerts of all of its user’s streams arrive in the older words, of streams that begin later as well, and nobody else’s', async () => {
  const first = await camera(anna);
  const page = await listener(anna);
  first.alert({ metadata: { confidence: 0.9 } });
  const anomaly = await page.next(() => true);
  expect(plain(anomaly)).toEqual({
    type: 'anomaly_detected',
    user_id: anna.userId,
    stream_id: first.streamId,
    result: { classification: 'The house is on fire', confidence: 'High', is_abnormal: true },
    id: expect.any(String),
    severity: 'high',
    message: 'The house is on fire',
    metadata: { confidence: 0.9 },
    timestamp: expect.any(Number),
  });
  expect(anomaly['$binary']).toBe(false);
  const his = await camera(ben);
  his.alert();
  const later = await camera(anna);
  later.encoder.send(frameOf(later.encoder, later.streamId, numberedPicture(1, 500)));
  later.alert({ message: 'later' });
  expect(await page.next(() => true)).toMatchObject({ stream_id: later.streamId, message: 'later' });
  expect(await toldUntilHeartbeat(page)).toEqual([]);
});

test('what an older service says comes out as it went in, its annotated picture included', async () => {
  const { streamId } = await camera(anna);
  const page = await listener(anna);
  await post({ ...ANOMALY, stream_id: streamId, user_id: 'whoever' });
  expect(plain(await page.next(() => true))).toMatchObject({ ...ANOMALY, stream_id: streamId, user_id: anna.userId });
});

test('the picture in which an alert was seen is in it, for the page to show', async () => {
  const { encoder, streamId } = await camera(anna);
  const pages = [
    await listener(anna),
    await listener(anna, '', { subprotocol: 'watchout.v1.msgpack', encoding: 'msgpack' }),
  ];
  const service = await open(`/ws?token=${SERVICE_TOKEN}`);
  service.send({ type: 'subscribe', clientType: 'ml-service', streamId });
  await service.next('status');
  encoder.send(frameOf(encoder, streamId, numberedPicture(7, 30_000), { timestamp: 1729943200001 }));
  await service.next('video-frame');
  service.send(alertOf(streamId, { timestamp: 1729943200001 }));
  for (const page of pages) {
    const anomaly = await page.next('anomaly_detected');
    expect(anomaly).toMatchObject({ frame_format: 'jpeg', frame: { seq: 1, timestamp: 1729943200001 } });
    const picture = Buffer.from(anomaly['annotated_frame'], 'base64');
    expect([pictureNumber(picture), picture.length]).toEqual([7, 30_000]);
    expect(anomaly['$binary']).toBe(page.encoding === 'msgpack');
  }
  // One that the service drew itself counts more.
  service.send({ ...ANOMALY, stream_id: streamId, timestamp: 1729943200001 });
  for (const page of pages) {
    expect((await page.next('anomaly_detected'))['annotated_frame']).toBe(ANOMALY.annotated_frame);
  }
});

describe('whoever is not its user', () => {
  const others: [string, () => Promise<TestClient>][] = [
    ['with another session', () => open(`/ws/alerts/${anna.userId}?token=${ben.token}`)],
    ['with another’s cookie', () => open(`/ws/alerts/${anna.userId}`, { headers: { cookie: cookieOf(ben) } })],
    [
      'with another user in the query',
      () => open(`/ws/alerts/${anna.userId}?token=${ben.token}&user_id=${ben.userId}`),
    ],
    ['at a path that names nobody', () => open(`/ws/alerts/nobody?token=${ben.token}`)],
    [
      'at a path that is written strangely',
      () => open(`/ws/alerts/%${anna.userId.charCodeAt(0).toString(16)}${anna.userId.slice(1)}?token=${ben.token}`),
    ],
    [
      'in an auth',
      async () => {
        const client = await open(`/ws/alerts/${anna.userId}`);
        client.send({ type: 'auth', token: ben.token });
        return client;
      },
    ],
  ];
  test.each(others)('%s is told so and closed, and hears nothing', async (_how, enter) => {
    const before = (await router.stats())['messages'].unauthorized;
    const { alert } = await camera(anna);
    const client = await enter();
    expect(await turnedAway(client)).toBe('UNAUTHORIZED');
    alert();
    expect((await router.stats())['messages'].unauthorized).toBe(before + 1);
    expect(client.messages).toHaveLength(1);
  });

  const unknown: [string, () => Promise<TestClient>][] = [
    ['a bad token', () => open(`/ws/alerts/${anna.userId}?token=rubbish`)],
    ['two tokens', () => open(`/ws/alerts/${anna.userId}?token=${anna.token}&token=x`)],
    [
      'the cookie, from a stranger’s page, and then silence',
      async () => {
        const headers = { cookie: cookieOf(anna), origin: 'https://evil.example' };
        const client = await open(`/ws/alerts/${anna.userId}`, { headers });
        client.send({ type: 'heartbeat' });
        return client;
      },
    ],
    [
      'a bad token in an auth',
      async () => {
        const client = await open(`/ws/alerts/${anna.userId}`);
        client.send({ type: 'auth', token: 'rubbish' });
        return client;
      },
    ],
    [
      'a session that has expired',
      async () => {
        const phone = await router.accounts.signInAgain(anna);
        const past = 'UPDATE session SET "expiresAt" = now() - interval \'1 hour\' WHERE token = $1';
        await admin.query(past, [phone.token]);
        return open(`/ws/alerts/${anna.userId}?token=${phone.token}`);
      },
    ],
  ];
  test.each(unknown)('with %s is turned away', async (_what, enter) => {
    expect(await turnedAway(await enter())).toBe('AUTH_REQUIRED');
  });

  test('with AUTH_REJECT_AT_UPGRADE is answered 403 or 401', async () => {
    const strict = await startTestRouter({ env: { AUTH_REJECT_AT_UPGRADE: 'true' } });
    onTestFinished(() => strict.stop());
    const [carl, dora] = [await strict.signUp(), await strict.signUp()];
    await expect(open(`/ws/alerts/${carl.userId}?token=${dora.token}`, {}, strict)).rejects.toThrow('403');
    await expect(open(`/ws/alerts/${carl.userId}`, {}, strict)).rejects.toThrow('401');
    const page = await open(`/ws/alerts/${carl.userId}?token=${carl.token}`, {}, strict);
    expect(await toldUntilHeartbeat(page)).toEqual([]);
  });
});

const ways: [string, () => Promise<TestClient>][] = [
  ['a bearer', () => open(`/ws/alerts/${anna.userId}`, { headers: { authorization: `Bearer ${anna.token}` } })],
  ['the cookie, from an allowed page', () => withCookie('https://app.example')],
  [
    'an auth as first message',
    async () => {
      const client = await open(`/ws/alerts/${anna.userId}`);
      client.send({ type: 'auth', token: anna.token });
      return client;
    },
  ],
];
test.each(ways)('with %s its user is in, without any answer', async (_how, enter) => {
  const { alert } = await camera(anna);
  const page = await enter();
  expect(await toldUntilHeartbeat(page)).toEqual([]);
  alert();
  await page.next('anomaly_detected');
  expect(page.messages.map(({ type }) => type)).toEqual(['heartbeat', 'anomaly_detected']);
});

function withCookie(origin: string): Promise<TestClient> {
  return open(`/ws/alerts/${anna.userId}`, { headers: { cookie: cookieOf(anna), origin } });
}

test('whatever else it says is ignored; nonsense is answered, and much of it ends it', async () => {
  const { streamId, encoder, alert } = await camera(anna);
  const page = await listener(anna);
  for (const message of [
    { type: 'subscribe', clientType: 'dashboard', streamId },
    { type: 'subscribe', clientType: 'ml-service', streamId },
    { type: 'register', clientType: 'mobile' },
    { type: 'unsubscribe', streamId },
    { type: 'ack', streamId, received: 1 },
    alertOf(streamId),
  ]) {
    page.send(message);
  }
  encoder.send(frameOf(encoder, streamId, numberedPicture(1, 500)));
  expect(await toldUntilHeartbeat(page)).toEqual([]);
  expect((await router.stats())['totalVideoConsumers']).toBe(0);
  page.sendRaw('nonsense');
  expect((await page.next(() => true))['code']).toBe('INVALID_MESSAGE');
  page.send({ type: 'hello' });
  expect((await page.next(() => true))['code']).toBe('UNKNOWN_MESSAGE_TYPE');
  page.send({ type: 'auth', token: ben.token });
  expect((await page.next(() => true))['code']).toBe('UNAUTHORIZED');
  alert();
  await page.next('anomaly_detected');
  for (let sent = 0; sent < 20; sent += 1) page.sendRaw('nonsense');
  expect((await page.closed).code).toBe(4429);
});

test('who comes back with the id of the last alert is sent the ones since, and then what is live', async () => {
  const owner = await router.signUp();
  const { streamId, alert } = await camera(owner);
  const page = await listener(owner);
  alert({ message: 'one' });
  const { id } = await page.next('anomaly_detected');
  await page.close();
  const gone = await camera(owner);
  alert({ message: 'two' });
  await post({ ...ANOMALY, stream_id: gone.streamId });
  await gone.encoder.close();
  await until('its stream is gone', async () => !(await router.stats())['activeStreams'].includes(gone.streamId));
  const backs: TestClient[] = [];
  const options = [{}, { subprotocol: 'watchout.v1.msgpack', encoding: 'msgpack' }] as const;
  for (const option of options) {
    const back = await open(`/ws/alerts/${owner.userId}?token=${owner.token}&since=${id}`, option);
    expect(await back.next(() => true)).toMatchObject({ message: 'two', stream_id: streamId, user_id: owner.userId });
    expect(await back.next(() => true)).toMatchObject({ ...ANOMALY, stream_id: gone.streamId });
    expect(await toldUntilHeartbeat(back)).toEqual([]);
    backs.push(back);
  }
  alert({ message: 'three' });
  for (const back of backs) expect(await back.next(() => true)).toMatchObject({ message: 'three' });
});

test('in-band auth brings the missed ones as well, in the encoding of that message', async () => {
  const owner = await router.signUp();
  const { alert, encoder } = await camera(owner);
  alert({ message: 'one' });
  expect(await toldUntilHeartbeat(encoder)).toEqual([]);
  const back = await open(`/ws/alerts/${owner.userId}?since=0`, { encoding: 'msgpack' });
  back.send({ type: 'auth', token: owner.token });
  expect(await back.next(() => true)).toMatchObject({ message: 'one', $binary: true });
});

test.each([
  ['too long', `&since=${'x'.repeat(65)}`],
  ['said twice', '&since=1&since=2'],
])('a since that is %s is told, and what is live comes all the same', async (_how, query) => {
  const { alert } = await camera(anna);
  const page = await open(`/ws/alerts/${anna.userId}?token=${anna.token}${query}`);
  const { code, message } = await page.next(() => true);
  expect([code, message]).toEqual(['INVALID_MESSAGE', expect.stringMatching(/^since: /)]);
  expect(await toldUntilHeartbeat(page)).toEqual([]);
  alert();
  await page.next('anomaly_detected');
});

test('its session’s end closes it, and it is not told of alerts any more', async () => {
  const owner = await router.signUp();
  const phone = await router.accounts.signInAgain(owner);
  const { streamId, alert } = await camera(owner);
  const pages = [await listener(phone), await listener(phone)];
  const { totalAlertConsumers } = await router.stats();
  await admin.query('DELETE FROM session WHERE token = $1', [phone.token]);
  for (const page of pages) {
    expect((await page.next(() => true))['code']).toBe('AUTH_REQUIRED');
    expect(await page.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
  }
  await until('they are gone', async () => (await router.stats())['totalAlertConsumers'] === totalAlertConsumers - 2);
  const { delivered } = (await router.stats())['alerts'];
  alert();
  await until('it is accepted', async () => (await alertsOf(streamId)) === 1);
  expect((await router.stats())['alerts'].delivered).toBe(delivered);

  async function alertsOf(id: string): Promise<number> {
    const back = await open(`/ws/alerts/${owner.userId}?token=${owner.token}&since=0`);
    const told = await toldUntilHeartbeat(back);
    await back.close();
    return told.filter(({ stream_id }) => stream_id === id).length;
  }
});

test('it lives on with a later session', async () => {
  const owner = await router.signUp();
  const [phone, second] = [await router.accounts.signInAgain(owner), await router.accounts.signInAgain(owner)];
  const page = await listener(phone);
  const witness = await listener(phone);
  page.send({ type: 'auth', token: second.token });
  expect(await toldUntilHeartbeat(page)).toEqual([]);
  // Nothing tells when it was looked up: ask until a second one is not refused.
  await until('it was looked up', async () => {
    page.send({ type: 'auth', token: second.token });
    return (await toldUntilHeartbeat(page)).length === 0;
  });
  await admin.query('DELETE FROM session WHERE token = $1', [phone.token]);
  await witness.closed;
  expect(await toldUntilHeartbeat(page)).toEqual([]);
});

test('limits count it, and a drain closes it with 1012', async () => {
  const small = await startTestRouter({ env: { MAX_CONNECTIONS_PER_USER: '2' } });
  const { token, userId } = await small.signUp();
  const path = `/ws/alerts/${userId}?token=${token}`;
  const pages = [await open(path, {}, small), await open(path, {}, small)];
  for (const page of pages) expect(await toldUntilHeartbeat(page)).toEqual([]);
  const third = await open(path, {}, small);
  expect((await third.next('error'))['code']).toBe('TOO_MANY_CONNECTIONS');
  expect((await third.closed).code).toBe(1013);
  await small.stop();
  for (const page of pages) expect((await page.closed).code).toBe(1012);
});

test('it agrees on no compression: a picture would be deflated for every page anew', async () => {
  expect((await listener(anna)).socket.extensions).toBe('');
});
