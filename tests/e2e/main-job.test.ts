import { encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { frameOf, jpegOf, openEncoder, openViewer, TestClient, type TestEncoding } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

const walk = readWalk();
let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter();
});
afterAll(() => router.stop());

const ENCODINGS: TestEncoding[] = ['json', 'msgpack'];

describe.each(ENCODINGS)('a %s encoder', (encoding) => {
  test('shows the same picture, byte for byte, to JSON and MessagePack dashboards', async () => {
    const { token } = await router.signUp();
    const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding });
    const viewers = await Promise.all(
      ENCODINGS.map((viewerEncoding) => openViewer(router.wsUrl, token, streamId, { encoding: viewerEncoding })),
    );
    for (const jpeg of walk.slice(0, 20)) encoder.send(frameOf(encoder, streamId, jpeg));
    for (const viewer of viewers) {
      for (const jpeg of walk.slice(0, 20)) {
        const frame = await viewer.next('video-frame');
        expect(frame['streamId']).toBe(streamId);
        expect(frame['$binary']).toBe(viewer.encoding === 'msgpack');
        expect(jpegOf(frame).equals(jpeg)).toBe(true);
      }
    }
    await Promise.all([encoder, ...viewers].map((client) => client.close()));
  });

  test('sends viewers of its own encoding the very bytes it wrote', async () => {
    const { token } = await router.signUp();
    const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding });
    const viewer = await openViewer(router.wsUrl, token, streamId, { encoding });
    const written = [...walk.slice(0, 3)].map((jpeg) => frameOf(encoder, streamId, jpeg, { lens: 'wide', zoom: 2 }));
    for (const frame of written) encoder.send(frame);
    for (const frame of written) {
      const received = await viewer.next('video-frame');
      const sent = Buffer.from(encoding === 'json' ? JSON.stringify(frame) : encode(frame));
      expect(sent.equals(received['$raw'])).toBe(true);
    }
    await Promise.all([encoder.close(), viewer.close()]);
  });
});

test('fields the router does not know reach viewers of the other encoding too', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'json' });
  encoder.send(frameOf(encoder, streamId, walk[0] as Buffer, { gps: { lat: 52.5, lon: 13.4 }, tags: ['a', 'ü'] }));
  expect(await viewer.next('video-frame')).toMatchObject({ gps: { lat: 52.5, lon: 13.4 }, tags: ['a', 'ü'] });
  await Promise.all([encoder.close(), viewer.close()]);
});

test('a dashboard that joins late sees the status and the newest picture at once, not the next one', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const early = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
  for (const jpeg of walk.slice(0, 5)) encoder.send(frameOf(encoder, streamId, jpeg));
  for (let frames = 0; frames < 5; frames += 1) await early.next('video-frame');
  const late = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${token}`);
  late.send({ type: 'subscribe', clientType: 'dashboard', streamId });
  const frame = await late.next('video-frame');
  expect(late.messages.map((message) => message['type'])).toEqual(['success', 'status', 'video-frame']);
  expect(late.messages[1]).toMatchObject({ streamId, status: 'streaming' });
  expect(jpegOf(frame).equals(walk[4] as Buffer)).toBe(true);
  await Promise.all([encoder.close(), early.close(), late.close()]);
});

test('a phone that names no stream gets an id its regular expression finds, and a named one keeps its name', async () => {
  const { token } = await router.signUp();
  const phone = await TestClient.open(`${router.wsUrl}/streams/register?token=${token}`);
  phone.send({ type: 'register', clientType: 'mobile', produces: ['video-frame'], consumes: ['alert'] });
  const { message, streamId, timestamp } = await phone.next('success');
  expect(/Stream ID: (stream_\w+)/.exec(message)?.[1]).toBe(streamId);
  expect(streamId.length).toBeGreaterThanOrEqual('stream_'.length + 24);
  expect(Math.abs(Date.now() - timestamp)).toBeLessThan(10_000);
  const named = await openEncoder(router.wsUrl, token, { register: { streamId: 'my-stream-123' } });
  expect(named.streamId).toBe('my-stream-123');
  await Promise.all([phone.close(), named.encoder.close()]);
});

test('an encoder that may produce alerts reaches dashboards of both encodings with one id', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, {
    register: { produces: ['video-frame', 'alert'] },
  });
  const viewers = await Promise.all(
    ENCODINGS.map((encoding) => openViewer(router.wsUrl, token, streamId, { encoding })),
  );
  const framesOnly = await openViewer(router.wsUrl, token, streamId, { subscribe: { consumes: ['video-frame'] } });
  encoder.send({ type: 'alert', streamId, severity: 'high', message: 'Door open' });
  const [first, second] = await Promise.all(viewers.map((viewer) => viewer.next('alert')));
  expect(first).toMatchObject({ streamId, severity: 'high', message: 'Door open', metadata: {} });
  expect(first?.['id']).toBe(second?.['id']);
  expect(first?.['timestamp']).toBeGreaterThan(Date.now() - 60_000);
  expect((await encoder.next('alert'))['id']).toBe(first?.['id']);
  encoder.send(frameOf(encoder, streamId, walk[0] as Buffer));
  await framesOnly.next('video-frame');
  expect(framesOnly.messages.some((message) => message['type'] === 'alert')).toBe(false);
  await Promise.all([encoder, ...viewers, framesOnly].map((client) => client.close()));
});

test('a dashboard may open before its camera, and sees it come, stream and go', async () => {
  const own = await startTestRouter({ env: { STREAM_GRACE_MS: '50' } });
  const account = await own.signUp();
  const viewer = await TestClient.open(`${own.wsUrl}/streams/subscribe?token=${account.token}`);
  viewer.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'later' });
  expect(await viewer.next('status')).toMatchObject({ streamId: 'later', status: 'offline' });
  const { encoder } = await openEncoder(own.wsUrl, account.token, { register: { streamId: 'later' } });
  expect((await viewer.next('status'))['status']).toBe('online');
  encoder.send(frameOf(encoder, 'later', walk[0] as Buffer));
  expect((await viewer.next('status'))['status']).toBe('streaming');
  await viewer.next('video-frame');
  await encoder.close();
  expect((await viewer.next('status'))['status']).toBe('offline');
  await viewer.close();
  await own.stop();
});

test('a phone that comes back on a new connection takes its stream over, and dashboards notice nothing', async () => {
  const { token } = await router.signUp();
  const { encoder: older, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, token, streamId);
  older.send(frameOf(older, streamId, walk[0] as Buffer));
  await viewer.next('video-frame');
  const { encoder: newer } = await openEncoder(router.wsUrl, token, { encoding: 'json', register: { streamId } });
  expect(await older.closed).toEqual({ code: 4409, reason: 'Taken over by a newer connection' });
  newer.send(frameOf(newer, streamId, walk[1] as Buffer));
  expect(jpegOf(await viewer.next('video-frame')).equals(walk[1] as Buffer)).toBe(true);
  expect(viewer.messages.filter((message) => message['type'] === 'status')).toHaveLength(2);
  await Promise.all([newer.close(), viewer.close()]);
});

test('nobody takes over, or watches, another user’s stream', async () => {
  const [owner, stranger] = await Promise.all([router.signUp(), router.signUp()]);
  const { encoder, streamId } = await openEncoder(router.wsUrl, owner.token, { encoding: 'msgpack' });
  const thief = await TestClient.open(`${router.wsUrl}/streams/register?token=${stranger.token}`);
  thief.send({ type: 'register', clientType: 'mobile', streamId });
  expect((await thief.next('error'))['code']).toBe('UNAUTHORIZED');
  const peeper = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${stranger.token}`);
  peeper.send({ type: 'subscribe', clientType: 'dashboard', streamId });
  expect((await peeper.next('error'))['code']).toBe('UNAUTHORIZED');
  const waiting = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${stranger.token}`);
  waiting.send({ type: 'subscribe', clientType: 'dashboard', streamId: `${streamId}-2` });
  expect((await waiting.next('status'))['status']).toBe('offline');
  const second = await openEncoder(router.wsUrl, owner.token, { register: { streamId: `${streamId}-2` } });
  expect((await waiting.next('error'))['code']).toBe('UNAUTHORIZED');
  encoder.send(frameOf(encoder, streamId, walk[0] as Buffer));
  const viewer = await openViewer(router.wsUrl, owner.token, streamId);
  await viewer.next('video-frame');
  for (const client of [peeper, waiting, thief]) {
    expect(client.messages.some((message) => message['type'] === 'video-frame')).toBe(false);
  }
  await Promise.all([encoder, thief, peeper, waiting, second.encoder, viewer].map((client) => client.close()));
});

test('unsubscribing stops the frames of that stream and of no other', async () => {
  const { token } = await router.signUp();
  const one = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const two = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, token, one.streamId);
  viewer.send({ type: 'subscribe', clientType: 'dashboard', streamId: two.streamId });
  await viewer.next('success');
  viewer.send({ type: 'unsubscribe', streamId: one.streamId });
  expect(await viewer.next('success')).toMatchObject({ message: 'Unsubscribed', streamId: one.streamId });
  one.encoder.send(frameOf(one.encoder, one.streamId, walk[0] as Buffer));
  const witness = await openViewer(router.wsUrl, token, one.streamId);
  await witness.next('video-frame');
  two.encoder.send(frameOf(two.encoder, two.streamId, walk[1] as Buffer));
  expect((await viewer.next('video-frame'))['streamId']).toBe(two.streamId);
  await Promise.all([one.encoder, two.encoder, viewer, witness].map((client) => client.close()));
});

test('with STREAM_ACCESS=authenticated every signed-in user may watch, and still only the owner may register', async () => {
  const open = await startTestRouter({ env: { STREAM_ACCESS: 'authenticated' } });
  const [owner, guest] = await Promise.all([open.signUp(), open.signUp()]);
  const { encoder, streamId } = await openEncoder(open.wsUrl, owner.token, { encoding: 'msgpack' });
  const viewer = await openViewer(open.wsUrl, guest.token, streamId);
  encoder.send(frameOf(encoder, streamId, walk[0] as Buffer));
  await viewer.next('video-frame');
  const thief = await TestClient.open(`${open.wsUrl}/streams/register?token=${guest.token}`);
  thief.send({ type: 'register', clientType: 'mobile', streamId });
  expect((await thief.next('error'))['code']).toBe('UNAUTHORIZED');
  await open.stop();
});

test('a wall that subscribes to 200 cameras the moment it connects gets them all', async () => {
  const { token } = await router.signUp();
  const wall = new TestClient(`${router.wsUrl}/streams/subscribe?token=${token}`);
  wall.socket.once('open', () => {
    for (let camera = 1; camera <= 200; camera += 1) {
      wall.send({ type: 'subscribe', clientType: 'dashboard', streamId: `camera-${camera}` });
    }
  });
  expect((await wall.next((message) => message['streamId'] === 'camera-200'))['type']).toBe('success');
  expect(wall.messages.filter((message) => message['type'] === 'success')).toHaveLength(200);
  await wall.close();
});

test('a client that closes itself with 20 mistakes before its session is checked leaves nothing behind', async () => {
  const { token } = await router.signUp();
  const client = new TestClient(`${router.wsUrl}/streams/subscribe?token=${token}`);
  client.socket.once('open', () => {
    for (let sent = 0; sent < 20; sent += 1) client.sendRaw('nonsense');
    client.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'ghost' });
  });
  expect((await client.closed).code).toBe(4429);
  const { encoder } = await openEncoder(router.wsUrl, token, { register: { streamId: 'ghost' } });
  expect((await router.stats())['totalVideoConsumers']).toBe(0);
  await encoder.close();
});
