import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { Account } from '../../src/demo/accounts.ts';
import {
  type ConnectOptions,
  frameOf,
  jpegOf,
  openEncoder,
  openViewer,
  TestClient,
  type TestEncoding,
} from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { alertOf, SERVICE_TOKEN, toldUntilHeartbeat } from '../support/two-users.ts';
import { until } from '../support/until.ts';

const BOTH = ['/ws', '/api/streams/ws'];
const ADMITS = { ALLOW_ML_CLIENTS: 'true', ML_SERVICE_TOKEN: SERVICE_TOKEN };
const subscribe = (fields: object) => ({
  type: 'subscribe',
  clientType: 'ml-service',
  consumes: ['video-frame'],
  produces: ['alert'],
  ...fields,
});

let router: TestRouter;
let anna: Account;
let ben: Account;

beforeAll(async () => {
  const limits = { STREAM_MAX_FPS: '1000', STREAM_GRACE_MS: '0', MAX_AUTH_FAILURES_PER_IP: '1000' };
  router = await startTestRouter({ env: { ...ADMITS, ...limits } });
  anna = await router.signUp();
  ben = await router.signUp();
});
afterAll(() => router.stop());

async function open(path: string, options: ConnectOptions = {}, at: TestRouter = router): Promise<TestClient> {
  const client = await TestClient.open(`${at.wsUrl}${path}`, options);
  onTestFinished(() => client.socket.terminate());
  return client;
}

async function camera(account: Account, options: Parameters<typeof openEncoder>[2] = {}, at: TestRouter = router) {
  const opened = await openEncoder(at.wsUrl, account.token, options);
  onTestFinished(async () => {
    await opened.encoder.close();
    // Its grace is none, but the router looks only now and then.
    await until('its stream is gone', async () => !(await at.stats())['activeStreams'].includes(opened.streamId));
  });
  return opened;
}

async function dashboard(account: Account, streamId: string, at: TestRouter = router): Promise<TestClient> {
  const viewer = await openViewer(at.wsUrl, account.token, streamId);
  onTestFinished(() => viewer.socket.terminate());
  return viewer;
}

async function start(env: Record<string, string>): Promise<TestRouter> {
  const own = await startTestRouter({ env });
  onTestFinished(() => own.stop());
  return own;
}

/** An ML service that came in with its token in the URL. */
function mlClient(options: ConnectOptions = {}): Promise<TestClient> {
  return open(`/ws?token=${SERVICE_TOKEN}`, options);
}

describe.each(BOTH)('an ML service that comes as a client, at %s', (path) => {
  const ways: [string, (options: ConnectOptions) => Promise<{ client: TestClient; first: object }>][] = [
    ['in the URL', async (options) => ({ client: await open(`${path}?token=${SERVICE_TOKEN}`, options), first: {} })],
    [
      'as a bearer',
      async (options) => {
        const headers = { authorization: `Bearer ${SERVICE_TOKEN}` };
        return { client: await open(path, { ...options, headers }), first: {} };
      },
    ],
    [
      'in its first message',
      async (options) => ({ client: await open(path, options), first: { token: SERVICE_TOKEN } }),
    ],
    [
      'in an auth before it',
      async (options) => {
        const client = await open(path, options);
        client.send({ type: 'auth', token: SERVICE_TOKEN });
        expect((await client.next('success'))['message']).toBe('Authentication successful');
        return { client, first: {} };
      },
    ],
  ];
  test.each(ways)('with its token %s is sent anybody’s frames, and its alerts reach them', async (_way, enter) => {
    const { encoder, streamId } = await camera(anna, { register: { consumes: ['alert'] } });
    const viewer = await dashboard(anna, streamId);
    const { client, first } = await enter({});
    client.send(subscribe({ streamId, ...first }));
    expect(await client.next('success')).toMatchObject({ message: 'Subscription successful', streamId });
    expect(await client.next('status')).toMatchObject({ streamId, status: 'online' });
    const jpeg = numberedPicture(1, 30_000);
    encoder.send(frameOf(encoder, streamId, jpeg));
    const frame = await client.next('video-frame');
    expect([frame['streamId'], jpegOf(frame).equals(jpeg)]).toEqual([streamId, true]);
    const metadata = { confidence: 0.95, objectType: 'person' };
    client.send({ type: 'alert', streamId, severity: 'high', message: 'Person', metadata });
    expect(await viewer.next('alert')).toMatchObject({ streamId, severity: 'high', message: 'Person', metadata });
    expect(await encoder.next('alert')).toMatchObject({ streamId, message: 'Person' });
    // It is sent no alerts, its own included.
    expect(await toldUntilHeartbeat(client)).toEqual([]);
  });

  test('with a wrong token it is turned away, which counts as an attempt; after too many the right one does not help', async () => {
    const strict = await start({ ...ADMITS, MAX_AUTH_FAILURES_PER_IP: '3' });
    const wrong = SERVICE_TOKEN.replace('nobody', 'somebody');
    const attempts: (() => Promise<TestClient>)[] = [
      () => open(`${path}?token=${wrong}`, {}, strict),
      () => open(path, { headers: { authorization: `Bearer ${wrong}` } }, strict),
      async () => {
        const client = await open(path, {}, strict);
        client.send(subscribe({ streamId: '*', token: wrong }));
        return client;
      },
    ];
    for (const attempt of attempts) {
      const client = await attempt();
      expect((await client.next('error'))['code']).toBe('AUTH_REQUIRED');
      expect((await client.closed).code).toBe(1008);
    }
    const right = await open(`${path}?token=${SERVICE_TOKEN}`, {}, strict);
    expect((await right.next('error'))['code']).toBe('RATE_LIMITED');
    expect((await right.closed).code).toBe(1013);
    expect((await strict.stats())['connections'].refused).toMatchObject({ unauthorized: 3, failures: 1 });
  });

  test('without any token it is told that one is missing', async () => {
    const client = await open(path);
    client.send(subscribe({ streamId: 'gate' }));
    expect((await client.next('error'))['code']).toBe('AUTH_REQUIRED');
    expect((await client.closed).code).toBe(1008);
  });

  test('a user is none, however they ask, and stays the user they are', async () => {
    const { streamId } = await camera(anna);
    const { unauthorized } = (await router.stats())['messages'];
    const client = await open(`${path}?token=${ben.token}`);
    client.send(subscribe({ streamId }));
    const error = await client.next('error');
    expect([error['code'], error['message']]).toEqual(['UNAUTHORIZED', expect.stringContaining('service token')]);
    // Neither the token of the service in a message, nor having been a dashboard before.
    client.send(subscribe({ streamId: '*', token: SERVICE_TOKEN }));
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    client.send({ type: 'auth', token: SERVICE_TOKEN });
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    client.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'his' });
    await client.next('status');
    client.send(subscribe({ streamId }));
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    client.send({ type: 'subscribe', clientType: 'dashboard', streamId });
    expect(await client.next('error')).toMatchObject({ code: 'UNAUTHORIZED', streamId });
    client.send(alertOf(streamId));
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    expect((await router.stats())['messages'].unauthorized).toBe(unauthorized + 6);
    expect(await toldUntilHeartbeat(client)).toEqual([]);
  });

  test('it can be nothing else: no camera, no dashboard', async () => {
    const { streamId } = await camera(anna);
    const client = await open(`${path}?token=${SERVICE_TOKEN}`);
    for (const message of [
      { type: 'register', clientType: 'mobile' },
      { type: 'register', clientType: 'mobile', streamId },
      { type: 'subscribe', clientType: 'dashboard', streamId },
    ]) {
      client.send(message);
      expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    }
    client.send(subscribe({ streamId }));
    await client.next('status');
    client.send({ type: 'register', clientType: 'mobile', streamId });
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    client.send({ type: 'subscribe', clientType: 'dashboard', streamId: '*' });
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    expect((await router.stats())['activeStreams']).toEqual([streamId]);
    expect(await toldUntilHeartbeat(client)).toEqual([]);
  });

  test('a later auth with its own token is fine, with another one it is told so and stays', async () => {
    const client = await open(`${path}?token=${SERVICE_TOKEN}`);
    client.send({ type: 'auth', token: SERVICE_TOKEN });
    expect((await client.next('success'))['message']).toBe('Authentication successful');
    client.send({ type: 'auth', token: anna.token });
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
    client.send(subscribe({ streamId: 'gate' }));
    await client.next('success');
  });

  const WITHOUT: [string, (own: TestRouter) => Promise<TestClient>][] = [
    ['its token in the URL', (own) => open(`${path}?token=${SERVICE_TOKEN}`, {}, own)],
    ['its token in an auth', (own) => saying({ type: 'auth', token: SERVICE_TOKEN }, own)],
    ['its token in its first message', (own) => saying(subscribe({ streamId: '*', token: SERVICE_TOKEN }), own)],
    ['no token, as the originals', (own) => saying(subscribe({ streamId: 'gate' }), own)],
  ];
  test.each(WITHOUT)('where it is not admitted, with %s, it is told why', async (_how, enter) => {
    const closedRouter = await start({ ML_SERVICE_TOKEN: SERVICE_TOKEN });
    const client = await enter(closedRouter);
    const error = await client.next('error');
    expect([error['code'], error['message']]).toEqual(['UNAUTHORIZED', expect.stringContaining('ALLOW_ML_CLIENTS')]);
    expect(await client.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
    expect((await closedRouter.stats())['connections'].refused).toMatchObject({ mlClients: 1 });
  });

  test('where it is not admitted a user who asks for it is told why, and stays', async () => {
    const closedRouter = await start({});
    const { token } = await closedRouter.signUp();
    const client = await open(`${path}?token=${token}`, {}, closedRouter);
    client.send(subscribe({ streamId: 'gate' }));
    const error = await client.next('error');
    expect([error['code'], error['message']]).toEqual(['UNAUTHORIZED', expect.stringContaining('ALLOW_ML_CLIENTS')]);
    client.send({ type: 'register', clientType: 'mobile' });
    await client.next('success');
  });

  async function saying(message: object, at: TestRouter): Promise<TestClient> {
    const client = await open(path, {}, at);
    client.send(message);
    return client;
  }
});

describe.each<TestEncoding>(['json', 'msgpack'])('what an ML service is sent, in %s', (encoding) => {
  test('are the frames of all users with *, of those too that begin later, and of each no more than it asks for', async () => {
    const hers = await camera(anna, { encoding: 'msgpack' });
    const client = await mlClient({ encoding });
    client.send(subscribe({ streamId: '*', window: 1 }));
    expect((await client.next('success'))['streamId']).toBe('*');
    expect(await client.next('status')).toMatchObject({ streamId: hers.streamId });
    const his = await camera(ben, { encoding: 'json' });
    expect(await client.next('status')).toMatchObject({ streamId: his.streamId, status: 'online' });
    for (const { encoder, streamId } of [hers, his]) {
      for (const number of [1, 2, 3]) encoder.send(frameOf(encoder, streamId, numberedPicture(number, 500)));
      const frame = await client.next('video-frame');
      expect([frame['streamId'], pictureNumber(jpegOf(frame))]).toEqual([streamId, 1]);
      expect(frame['$binary']).toBe(encoding === 'msgpack');
      client.send({ type: 'ack', streamId, received: 1 });
      const newest = await client.next('video-frame');
      expect([newest['streamId'], pictureNumber(jpegOf(newest))]).toEqual([streamId, 3]);
      client.send({ type: 'ack', streamId, received: 2 });
    }
    client.send({ type: 'unsubscribe', streamId: '*' });
    expect((await client.next('success'))['message']).toBe('Unsubscribed');
    hers.encoder.send(frameOf(hers.encoder, hers.streamId, numberedPicture(4, 500)));
    expect(await toldUntilHeartbeat(client)).toEqual([]);
  });

  test('are the frames of a list, of streams of several users, also of one that comes later', async () => {
    const hers = await camera(anna, { encoding });
    const client = await mlClient({ encoding });
    client.send(subscribe({ streamIds: [hers.streamId, 'bens-gate'] }));
    const statuses = [await client.next('status'), await client.next('status')];
    expect(statuses.map(({ streamId, status }) => [streamId, status])).toEqual([
      [hers.streamId, 'online'],
      ['bens-gate', 'offline'],
    ]);
    const his = await camera(ben, { encoding, register: { streamId: 'bens-gate' } });
    expect(await client.next('status')).toMatchObject({ streamId: 'bens-gate', status: 'online' });
    his.encoder.send(frameOf(his.encoder, his.streamId, numberedPicture(1, 500)));
    expect((await client.next('video-frame'))['streamId']).toBe('bens-gate');
  });

  test('keeps a camera that asks from sleeping, and counts in the account of all frames', async () => {
    const { encoder, streamId } = await camera(anna, { encoding, register: { understands: ['throttle'] } });
    expect(await encoder.next('throttle')).toMatchObject({ maxFps: 1 });
    const client = await mlClient({ encoding });
    client.send(subscribe({ streamId, maxFps: 10 }));
    expect(await encoder.next('throttle')).toMatchObject({ maxFps: 10 });
    expect((await router.stats())['totalVideoConsumers']).toBe(1);
    encoder.send(frameOf(encoder, streamId, numberedPicture(1, 500)));
    await client.next('video-frame');
    await client.close();
    await until('it is gone', async () => (await router.stats())['totalVideoConsumers'] === 0);
    const { offered, delivered, dropped, inFlight } = (await router.stats())['frames'];
    expect(offered).toBe(delivered + dropped.slow + dropped.fps + dropped.closed + inFlight);
  });
});

describe('alerts of an ML service that is a client', () => {
  test('may be of a stream that it does not watch, and are refused for one that is not there', async () => {
    const { streamId } = await camera(anna);
    const viewer = await dashboard(anna, streamId);
    const client = await mlClient();
    client.send(subscribe({ streamId: 'elsewhere' }));
    await client.next('status');
    client.send(alertOf(streamId));
    expect((await viewer.next('alert'))['message']).toBe('The house is on fire');
    client.send(alertOf('nowhere'));
    expect((await client.next('error'))['code']).toBe('ROUTING_ERROR');
    client.send(alertOf(streamId, { severity: 'awful' }));
    const { code, message } = await client.next('error');
    expect([code, message]).toEqual(['INVALID_MESSAGE', expect.stringMatching(/^severity:/)]);
  });

  test('that come again with their id are sent once, and may be in the older words', async () => {
    const { streamId } = await camera(anna);
    const viewer = await dashboard(anna, streamId);
    const client = await mlClient({ encoding: 'msgpack' });
    client.send(subscribe({ streamId }));
    await client.next('status');
    for (const message of ['first', 'again']) client.send(alertOf(streamId, { id: 'event-1', message }));
    const result = { classification: 'Abnormal', confidence: 'High', person_id: 3 };
    client.send({ type: 'anomaly_detected', stream_id: streamId, result, annotated_frame: '/9j/4AAQ' });
    expect((await viewer.next('alert'))['message']).toBe('first');
    expect(await viewer.next('alert')).toMatchObject({
      message: 'Abnormal, person 3',
      severity: 'high',
      metadata: { anomaly: { result, annotated_frame: '/9j/4AAQ' } },
    });
  });

  test.each<TestEncoding>(['json', 'msgpack'])(
    'that name a frame by its timestamp have its picture, also when the camera (%s) has sent others since',
    async (encoding) => {
      const { encoder, streamId } = await camera(anna, { encoding });
      const viewer = await dashboard(anna, streamId);
      const client = await mlClient();
      client.send(subscribe({ streamId }));
      await client.next('status');
      const timestamps = [1729943200001, 1729943200002.5, 1729943200003];
      for (const [index, timestamp] of timestamps.entries()) {
        encoder.send(frameOf(encoder, streamId, numberedPicture(index + 1, 500), { timestamp }));
        await client.next('video-frame');
      }
      for (const [index, timestamp] of timestamps.entries()) {
        client.send(alertOf(streamId, { timestamp, message: `in picture ${index + 1}` }));
        const { id, frame } = await viewer.next('alert');
        expect(frame).toMatchObject({ seq: index + 1, timestamp });
        const path = `${router.httpUrl}/api/alerts/${id}/frame.jpg`;
        const response = await fetch(path, { headers: { authorization: `Bearer ${anna.token}` } });
        expect(pictureNumber(new Uint8Array(await response.arrayBuffer()))).toBe(index + 1);
      }
      client.send(alertOf(streamId, { timestamp: 1, message: 'in none' }));
      expect((await viewer.next('alert'))['frame']).toBeUndefined();
    },
  );

  test('of a name that has a new owner do not bring up the last one’s pictures', async () => {
    const timestamp = 1729943200001;
    const client = await mlClient();
    client.send(subscribe({ streamId: 'gate' }));
    await client.next('status');
    const hers = await openEncoder(router.wsUrl, anna.token, { register: { streamId: 'gate' } });
    hers.encoder.send(frameOf(hers.encoder, 'gate', numberedPicture(1, 500), { timestamp }));
    await client.next('video-frame');
    await hers.encoder.close();
    await client.next(({ status }) => status === 'offline');
    await camera(ben, { register: { streamId: 'gate' } });
    const viewer = await dashboard(ben, 'gate');
    client.send(alertOf('gate', { timestamp }));
    expect((await viewer.next('alert'))['frame']).toBeUndefined();
  });

  test('find the frame of a POST /alerts as well', async () => {
    const { encoder, streamId } = await camera(anna);
    const viewer = await dashboard(anna, streamId);
    const client = await mlClient();
    client.send(subscribe({ streamId }));
    await client.next('status');
    encoder.send(frameOf(encoder, streamId, numberedPicture(1, 500), { timestamp: 77 }));
    await client.next('video-frame');
    const response = await fetch(`${router.httpUrl}/alerts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${SERVICE_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...alertOf(streamId), timestamp: 77 }),
    });
    expect(await response.json()).toEqual({ accepted: 1, refused: [] });
    expect((await viewer.next('alert'))['frame']).toMatchObject({ seq: 1, timestamp: 77 });
  });
});

describe('the service token', () => {
  test.each(['/streams/subscribe', '/streams/register'])('at %s is told where an ML service belongs', async (path) => {
    const client = await open(`${path}?token=${SERVICE_TOKEN}`);
    const error = await client.next('error');
    expect([error['code'], error['message']]).toEqual(['INVALID_MESSAGE', expect.stringContaining('/ws')]);
    expect((await client.closed).code).toBe(1008);
    const unknown = await open(path);
    unknown.send(subscribe({ streamId: 'gate', token: SERVICE_TOKEN }));
    expect((await unknown.next('error'))['code']).toBe('INVALID_MESSAGE');
    expect((await unknown.closed).code).toBe(1008);
  });

  test('at /streams/subscribe a user who subscribes as an ML service is told the same, and stays', async () => {
    const client = await open(`/streams/subscribe?token=${anna.token}`);
    client.send(subscribe({ streamId: 'gate' }));
    const error = await client.next('error');
    expect([error['code'], error['message']]).toEqual(['INVALID_MESSAGE', expect.stringContaining('/ws')]);
    expect(await toldUntilHeartbeat(client)).toEqual([]);
  });

  test.each(['better-auth.session_token', 'token'])('as a cookie, %s, opens nothing', async (name) => {
    const client = await open('/ws', { headers: { cookie: `${name}=${SERVICE_TOKEN}` } });
    client.send(subscribe({ streamId: '*' }));
    expect((await client.next('error'))['code']).toBe('AUTH_REQUIRED');
    expect((await client.closed).code).toBe(1008);
  });

  test('opens nothing that is a user’s', async () => {
    const { encoder, streamId } = await camera(anna);
    encoder.send(frameOf(encoder, streamId, numberedPicture(1, 500)));
    const headers = { authorization: `Bearer ${SERVICE_TOKEN}` };
    const asked: [string, string][] = [
      ['GET', `/api/users/${anna.userId}/streams`],
      ['GET', '/api/users/ml-service/streams'],
      ['DELETE', `/api/users/${anna.userId}/streams/${streamId}`],
      ['DELETE', `/api/users/${anna.userId}`],
      ['GET', `/streams/${streamId}/snapshot.jpg`],
      ['POST', '/api/tickets'],
    ];
    for (const [method, path] of asked) {
      for (const url of [`${router.httpUrl}${path}`, `${router.httpUrl}${path}?token=${SERVICE_TOKEN}`]) {
        expect((await fetch(url, { method, headers })).status).toBe(401);
      }
    }
    for (const user of [anna.userId, 'ml-service']) {
      const client = await open(`/ws/alerts/${user}?token=${SERVICE_TOKEN}`);
      expect((await client.next('error'))['code']).toBe('AUTH_REQUIRED');
      expect((await client.closed).code).toBe(1008);
    }
    expect((await router.stats())['activeStreams']).toContain(streamId);
  });

  test('hears no alerts, however long its holder is silent', async () => {
    const { encoder, streamId } = await camera(anna, { register: { produces: ['alert'] } });
    const silent = await mlClient();
    const page = await open(`/ws?token=${anna.token}`);
    await until('the page listens', async () => (await router.stats())['totalAlertConsumers'] === 2);
    encoder.send(alertOf(streamId));
    await page.next('alert');
    expect(await toldUntilHeartbeat(silent)).toEqual([]);
  });

  test('is counted against the limits like a user, and is sent away by a drain', async () => {
    const small = await startTestRouter({ env: { ...ADMITS, MAX_CONNECTIONS_PER_USER: '1' } });
    const first = await open(`/ws?token=${SERVICE_TOKEN}`, {}, small);
    expect(await toldUntilHeartbeat(first)).toEqual([]);
    const second = await open(`/ws?token=${SERVICE_TOKEN}`, {}, small);
    expect((await second.next('error'))['code']).toBe('TOO_MANY_CONNECTIONS');
    expect((await small.stats())['connections'].refused).toMatchObject({ perUser: 1 });
    await small.stop();
    expect((await first.closed).code).toBe(1012);
  });

  test('with AUTH_REJECT_AT_UPGRADE is an HTTP status', async () => {
    const own = await start({ ...ADMITS, AUTH_REJECT_AT_UPGRADE: 'true' });
    const client = await open(`/ws?token=${SERVICE_TOKEN}`, {}, own);
    client.send(subscribe({ streamId: 'gate' }));
    await client.next('success');
    await expect(open(`/streams/subscribe?token=${SERVICE_TOKEN}`, {}, own)).rejects.toThrow('400');
    await expect(open('/ws?token=rubbish', {}, own)).rejects.toThrow('401');
    const none = await start({ ML_SERVICE_TOKEN: SERVICE_TOKEN, AUTH_REJECT_AT_UPGRADE: 'true' });
    await expect(open(`/ws?token=${SERVICE_TOKEN}`, {}, none)).rejects.toThrow('403');
  });

  test('must be there where such clients are to be admitted', () => {
    expect(() => readConfig({ ALLOW_ML_CLIENTS: 'true' })).toThrow('ML_SERVICE_TOKEN: required with ALLOW_ML_CLIENTS');
    expect(readConfig({ ALLOW_ML_CLIENTS: 'true', ML_SERVICE_TOKEN: 'x' }).ALLOW_ML_CLIENTS).toBe(true);
  });
});
