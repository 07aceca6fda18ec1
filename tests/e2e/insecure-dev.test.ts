import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { Account } from '../../src/demo/accounts.ts';
import { StartError } from '../../src/start-error.ts';
import { type ConnectOptions, frameOf, jpegOf, TestClient, type TestMessage } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startProcess } from '../support/process.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SERVICE_TOKEN, toldUntilHeartbeat } from '../support/two-users.ts';
import { until } from '../support/until.ts';

const DEV = { AUTH_MODE: 'insecure-dev', STREAM_GRACE_MS: '0', ALLOWED_ORIGINS: 'https://app.example' };
const REGISTER = { type: 'register', clientType: 'mobile', produces: ['video-frame'], consumes: ['alert'] };
const SUBSCRIBE = { type: 'subscribe', clientType: 'dashboard', consumes: ['video-frame', 'alert'] };

let router: TestRouter;
let anna: Account;

beforeAll(async () => {
  router = await startTestRouter({ env: DEV });
  anna = await router.signUp();
});
afterAll(() => router.stop());

async function open(path: string, options: ConnectOptions = {}): Promise<TestClient> {
  const client = await TestClient.open(`${router.wsUrl}${path}`, options);
  onTestFinished(() => client.socket.terminate());
  return client;
}

/** Says something the moment it is open, as the original clients do. */
async function saying(path: string, message: object, options: ConnectOptions = {}): Promise<TestClient> {
  const client = await open(path, options);
  client.send(message);
  return client;
}

/** Whose streams are live: by user, as anybody may ask. */
async function streamsOf(user: string): Promise<string[]> {
  const response = await fetch(`${router.httpUrl}/api/users/${encodeURIComponent(user)}/streams`);
  expect(response.status).toBe(200);
  const body = (await response.json()) as TestMessage;
  expect(body['user_id']).toBe(user);
  return body['streams'].map((stream: TestMessage) => stream['stream_id']);
}

function ask(path: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: router.port, path, method, headers, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('the original examples, as they were written', () => {
  test('a phone, a dashboard and an ML service at /ws that name a user and show a made-up token', async () => {
    const who = { userId: 'user123', token: 'auth_token_here' };
    const phone = await saying('/ws', { ...REGISTER, streamId: 'my-stream-123', ...who });
    expect((await phone.next('success'))['message']).toBe('Registration successful. Stream ID: my-stream-123');
    const dashboard = await saying('/ws', { ...SUBSCRIBE, streamId: 'my-stream-123', ...who });
    expect((await dashboard.next('success'))['message']).toBe('Subscription successful');
    const ml = await saying('/ws', {
      type: 'subscribe',
      clientType: 'ml-service',
      streamId: 'my-stream-123',
      consumes: ['video-frame'],
      produces: ['alert'],
    });
    await ml.next('success');
    const jpeg = numberedPicture(1, 2_000);
    phone.send(frameOf(phone, 'my-stream-123', jpeg));
    for (const client of [dashboard, ml]) expect(jpegOf(await client.next('video-frame'))).toEqual(jpeg);
    ml.send({ type: 'alert', streamId: 'my-stream-123', severity: 'high', message: 'Suspicious', metadata: {} });
    for (const client of [dashboard, phone]) expect((await client.next('alert'))['message']).toBe('Suspicious');
    expect(await streamsOf('user123')).toEqual(['my-stream-123']);
  });

  test('a page that shows the video of a stream at /api/streams/ws, and one that listens there without a word', async () => {
    const silent = await open('/api/streams/ws');
    const phone = await saying('/api/streams/ws', { ...REGISTER, produces: ['video-frame', 'alert'] });
    const { streamId } = await phone.next('success');
    const page = await saying('/api/streams/ws', { ...SUBSCRIBE, streamId });
    await page.next('status');
    phone.send(frameOf(phone, streamId, numberedPicture(1, 500)));
    await page.next('video-frame');
    await until('the silent one listens', async () => (await router.stats())['totalAlertConsumers'] === 3);
    phone.send({ type: 'alert', streamId, severity: 'high', message: 'Person' });
    expect(await silent.next(() => true)).toMatchObject({ type: 'alert', streamId, message: 'Person' });
    expect(await streamsOf('dev')).toEqual([streamId]);
  });

  test('a phone and a dashboard on their own paths, with tokens that are none', async () => {
    const phone = await saying('/streams/register?token=your-better-auth-session-token', REGISTER);
    const { message } = await phone.next('success');
    const streamId = /Stream ID: (stream_\w+)/.exec(message)?.[1] ?? '';
    const web = await saying('/streams/subscribe?token=your-better-auth-session-token', { ...SUBSCRIBE, streamId });
    await web.next('status');
    phone.send(frameOf(phone, streamId, numberedPicture(1, 500)));
    await web.next('video-frame');
    expect(await streamsOf('dev')).toContain(streamId);
  });

  test('the anomaly page: alerts of the user that its path names, and its streams listed and deleted', async () => {
    const user = `user_${crypto.randomUUID()}`;
    const page = await open(`/ws/alerts/${user}`, { headers: { origin: 'http://localhost:5173' } });
    const other = await open('/ws/alerts/somebody-else');
    const phone = await saying('/ws', { ...REGISTER, produces: ['video-frame', 'alert'], userId: user });
    const { streamId } = await phone.next('success');
    phone.send({ type: 'alert', streamId, severity: 'critical', message: 'Fall' });
    expect(await page.next(() => true)).toMatchObject({ type: 'anomaly_detected', user_id: user, stream_id: streamId });
    expect(await toldUntilHeartbeat(other)).toEqual([]);
    expect(await streamsOf(user)).toEqual([streamId]);
    const headers = { origin: 'http://localhost:5173' };
    const path = `${router.httpUrl}/api/users/${user}/streams/${streamId}`;
    const deleted = await fetch(path, { method: 'DELETE', headers });
    expect(deleted.status).toBe(200);
    expect(deleted.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
    expect((await phone.closed).code).toBe(4404);
    expect((await fetch(`${router.httpUrl}/api/users/${user}`, { method: 'DELETE', headers })).status).toBe(200);
  });

  test('an auth with a made-up token is taken, and who says more is who that says', async () => {
    const client = await saying('/ws', { type: 'auth', token: 'session_token_here', userId: 'carl' });
    expect((await client.next('success'))['message']).toBe('Authentication successful');
    client.send(REGISTER);
    const { streamId } = await client.next('success');
    expect(await streamsOf('carl')).toEqual([streamId]);
  });

  test('what comes right behind the first message is handled after it, whatever token the URL has', async () => {
    const client = new TestClient(`${router.wsUrl}/ws?token=made-up`);
    onTestFinished(() => client.socket.terminate());
    client.socket.once('open', () => {
      client.send({ ...REGISTER, userId: 'hasty' });
      client.send({ type: 'heartbeat' });
      client.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'gate' });
    });
    const { streamId } = await client.next('success');
    await client.next('heartbeat');
    expect((await client.next('error'))['code']).toBe('INVALID_MESSAGE');
    expect(await streamsOf('hasty')).toEqual([streamId]);
  });

  test('a first message that is nonsense is answered as such, and its sender stays', async () => {
    const client = await open('/ws');
    client.sendRaw('nonsense');
    expect((await client.next('error'))['code']).toBe('INVALID_MESSAGE');
    client.send(REGISTER);
    await client.next('success');
  });
});

describe('a good session counts there as everywhere', () => {
  test('its user is who they are, whatever the message or the path says', async () => {
    const phone = await saying(`/ws?token=${anna.token}`, { ...REGISTER, userId: 'somebody' });
    const { streamId } = await phone.next('success');
    expect(await streamsOf(anna.userId)).toEqual([streamId]);
    const inBand = await saying('/ws', { ...REGISTER, userId: 'somebody', token: anna.token });
    const { streamId: second } = await inBand.next('success');
    expect((await streamsOf(anna.userId)).sort()).toEqual([streamId, second].sort());
    const foreign = await open(`/ws/alerts/somebody?token=${anna.token}`);
    expect((await foreign.next('error'))['code']).toBe('UNAUTHORIZED');
    expect((await foreign.closed).code).toBe(1008);
    const headers = { authorization: `Bearer ${anna.token}` };
    expect((await fetch(`${router.httpUrl}/api/users/somebody/streams`, { headers })).status).toBe(403);
  });

  test('and a user is no ML service', async () => {
    const client = await saying(`/ws?token=${anna.token}`, { ...SUBSCRIBE, clientType: 'ml-service', streamId: '*' });
    expect((await client.next('error'))['code']).toBe('UNAUTHORIZED');
  });

  test('bad tokens by the hundred keep nobody out', async () => {
    for (let tried = 0; tried < 100; tried += 1) {
      const headers = { authorization: `Bearer made-up-${tried}` };
      expect((await fetch(`${router.httpUrl}/api/users/dev/streams`, { headers })).status).toBe(200);
    }
    const fresh = await router.accounts.signInAgain(anna);
    const client = await saying(`/ws?token=${fresh.token}`, REGISTER);
    const { streamId } = await client.next('success');
    expect(await streamsOf(anna.userId)).toContain(streamId);
  });
});

test('everybody may watch every stream, its pictures over HTTP as well', async () => {
  const phone = await saying('/ws', { ...REGISTER, userId: 'erika' });
  const { streamId } = await phone.next('success');
  const viewer = await saying('/ws', { ...SUBSCRIBE, streamId, userId: 'fritz' });
  await viewer.next('status');
  const jpeg = numberedPicture(1, 500);
  phone.send(frameOf(phone, streamId, jpeg));
  await viewer.next('video-frame');
  const response = await fetch(`${router.httpUrl}/streams/${streamId}/snapshot.jpg`);
  expect(Buffer.from(await response.arrayBuffer())).toEqual(jpeg);
});

test('but nobody takes another’s stream over, or posts alerts without the service token', async () => {
  const phone = await saying('/ws', { ...REGISTER, userId: 'gerda' });
  const { streamId } = await phone.next('success');
  const thief = await saying('/ws', { ...REGISTER, userId: 'heinz', streamId });
  expect((await thief.next('error'))['code']).toBe('UNAUTHORIZED');
  const body = JSON.stringify({ streamId, severity: 'high', message: 'x' });
  const headers = { 'content-type': 'application/json' };
  expect((await fetch(`${router.httpUrl}/alerts`, { method: 'POST', headers, body })).status).toBe(401);
});

describe('a page of another site', () => {
  const strangers: [string, Record<string, string>][] = [
    ['that says whose it is', { origin: 'https://evil.example' }],
    ['that hides whose it is', { origin: 'null' }],
    ['whose name begins like this machine’s', { origin: 'http://localhost.evil.example' }],
    ['whose name looks like an address', { origin: 'http://127.0.0.1.evil.example:3000' }],
    ['that names this machine as its user', { origin: 'http://localhost@evil.example' }],
    ['that has this machine’s name for its own', { host: 'evil.example', origin: 'http://evil.example' }],
    ['that has it, and sends no Origin', { host: 'evil.example:3000' }],
    ['that shows a picture', { 'sec-fetch-site': 'cross-site', referer: 'https://evil.example/page' }],
    ['that shows a picture and hides whose it is', { 'sec-fetch-site': 'cross-site' }],
  ];
  test.each(strangers)('%s gets in by no door', async (_what, headers) => {
    for (const path of ['/ws', '/api/streams/ws', '/streams/register', '/streams/subscribe', '/ws/alerts/dev']) {
      for (const query of ['', '?token=made-up']) {
        const client = await open(`${path}${query}`, { headers });
        expect((await client.next('error'))['code']).toBe('AUTH_REQUIRED');
        expect((await client.closed).code).toBe(1008);
        expect(client.messages).toHaveLength(1);
      }
    }
    expect(await ask('/api/users/dev', headers, 'DELETE')).toBe(401);
    expect(await ask('/api/users/dev/streams', headers)).toBe(401);
  });

  const own: [string, () => Record<string, string>][] = [
    ['the router’s own', () => ({ origin: router.httpUrl })],
    ['one of localhost', () => ({ origin: 'http://localhost:5173' })],
    ['one of [::1]', () => ({ origin: 'https://[::1]:8443' })],
    ['an allowed one', () => ({ origin: 'https://app.example' })],
    ['none at all', () => ({})],
    ['one that reaches it as localhost', () => ({ host: `localhost:${router.port}` })],
    [
      'a picture on a page of localhost',
      () => ({ 'sec-fetch-site': 'cross-site', referer: 'http://localhost:5173/x' }),
    ],
  ];
  test.each(own)('is not: %s', async (_what, headersOf) => {
    const client = await saying('/ws', { type: 'heartbeat' }, { headers: headersOf() });
    await client.next('heartbeat');
    expect(await ask('/api/users/dev/streams', headersOf())).toBe(200);
  });
});

describe('an ML service', () => {
  test('needs no token, and sees the streams of everybody', async () => {
    const ml = await saying('/api/streams/ws', { type: 'subscribe', clientType: 'ml-service', streamId: '*' });
    expect((await ml.next('success'))['streamId']).toBe('*');
    const phone = await saying('/ws', { ...REGISTER, userId: 'ida' });
    const { streamId } = await phone.next('success');
    expect(await ml.next(({ streamId: of }) => of === streamId)).toMatchObject({ type: 'status', status: 'online' });
    ml.send({ type: 'alert', streamId, severity: 'low', message: 'Cat' });
    expect((await phone.next('alert'))['message']).toBe('Cat');
  });

  test('is one from its first subscribe on; a dashboard does not become one', async () => {
    const ml = await saying('/ws', { type: 'subscribe', clientType: 'ml-service', streamId: 'gate' });
    await ml.next('status');
    ml.send({ ...SUBSCRIBE, streamId: 'gate' });
    expect((await ml.next('error'))['code']).toBe('INVALID_MESSAGE');
    const page = await saying('/ws', { ...SUBSCRIBE, streamId: 'gate' });
    await page.next('status');
    page.send({ type: 'subscribe', clientType: 'ml-service', streamId: '*' });
    expect((await page.next('error'))['code']).toBe('INVALID_MESSAGE');
  });

  test('at /streams/subscribe is told the right path', async () => {
    const ml = await saying('/streams/subscribe', { type: 'subscribe', clientType: 'ml-service', streamId: 'gate' });
    const error = await ml.next('error');
    expect([error['code'], error['message']]).toEqual(['INVALID_MESSAGE', expect.stringContaining('/ws')]);
  });
});

test('who is silent for a second is the nameless user, and leaves nothing behind', async () => {
  await until('the tests before have gone', async () => (await router.stats())['totalConnections'] === 0);
  const clients = await Promise.all(['/ws', '/streams/register', '/streams/subscribe'].map((path) => open(path)));
  await until('all are in', async () => (await router.stats())['totalConnections'] === 3);
  const brief = await open('/ws');
  await brief.close();
  clients[1]?.send({ ...REGISTER, streamId: 'late', userId: 'too-late' });
  await clients[1]?.next('success');
  expect(await streamsOf('dev')).toContain('late');
  for (const client of clients) await client.close();
  await until('all are gone', async () => (await router.stats())['totalConnections'] === 0);
});

describe('a router that asks nobody who they are', () => {
  test('says so in /health and in its log, and one that asks says nothing', async () => {
    expect(await (await fetch(`${router.httpUrl}/health`)).json()).toMatchObject({ authMode: 'insecure-dev' });
    expect(router.logLines.filter((line) => line.includes('INSECURE'))).toHaveLength(1);
    const strict = await startTestRouter();
    onTestFinished(() => strict.stop());
    expect(await (await fetch(`${strict.httpUrl}/health`)).json()).not.toHaveProperty('authMode');
    expect((await fetch(`${strict.httpUrl}/api/users/dev/streams`)).status).toBe(401);
  });

  test.each(['0.0.0.0', '::', '192.168.1.7', 'router.example', '127.0.0.1.example'])('does not start on %s', (HOST) => {
    expect(() => readConfig({ AUTH_MODE: 'insecure-dev', HOST })).toThrow(StartError);
    expect(() => readConfig({ AUTH_MODE: 'insecure-dev', HOST, PORT: 'x' })).toThrow(/AUTH_MODE.*loopback/);
  });

  test('does not start where it would listen on every address by itself', () => {
    const production = { AUTH_MODE: 'insecure-dev', DATABASE_URL: 'postgresql://db/x', BETTER_AUTH_SECRET: 'x' };
    expect(() => readConfig(production)).toThrow(/AUTH_MODE.*loopback/);
  });

  test.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost'])('starts on %s, and lets everybody watch', (HOST) => {
    const config = readConfig({ AUTH_MODE: 'insecure-dev', HOST, STREAM_ACCESS: 'owner' });
    expect([config.host, config.STREAM_ACCESS, config.ALLOW_ML_CLIENTS]).toEqual([HOST, 'authenticated', true]);
  });

  test('works as a demo, too, warns on the terminal, and shows its camera to who asks', async () => {
    const demo = startProcess({ AUTH_MODE: 'insecure-dev', LOG_LEVEL: 'silent', ML_SERVICE_TOKEN: SERVICE_TOKEN });
    await until('it says where it is', () => demo.output().includes('Watch frames arrive'), 60_000);
    expect(demo.output()).toMatch(/\*{8}.*AUTH_MODE=insecure-dev.*\*{8}/);
    const url = /^Dashboard: (http:\/\/127\.0\.0\.1:\d+)\//m.exec(demo.output())?.[1] ?? '';
    const client = await TestClient.open(`${url.replace('http', 'ws')}/ws`);
    client.send({ ...SUBSCRIBE, streamId: 'demo-camera', userId: 'user123', token: 'auth_token_here' });
    expect((await client.next('video-frame'))['streamId']).toBe('demo-camera');
    demo.child.kill('SIGTERM');
    expect((await client.closed).code).toBe(1012);
    expect(await demo.exited).toBe(0);
  });
});
