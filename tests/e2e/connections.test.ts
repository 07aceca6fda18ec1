import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { ConnectionRow } from '../../src/router/connection-row.ts';
import { frameOf, openEncoder, openViewer, type TestClient, type TestMessage } from '../support/client.ts';
import { beginMany, post } from '../support/http-camera.ts';
import { MjpegPlayer } from '../support/mjpeg.ts';
import { handled } from '../support/mjpeg-world.ts';
import { numberedPicture } from '../support/pictures.ts';
import { bearer, startTwoUsers, type TwoUsers } from '../support/two-users.ts';
import { until } from '../support/until.ts';

const OPS_TOKEN = 'for-those-who-run-this-router';
const OPS = { authorization: `Bearer ${OPS_TOKEN}` };
const PATH = '/api/connections';

let two: TwoUsers;
beforeAll(async () => {
  two = await startTwoUsers({ OPS_TOKEN, VIEWER_BACKPRESSURE_BYTES: '262144', STREAM_ACCESS: 'authenticated' });
});
afterAll(() => two.stop());
beforeEach(() => until('those of the test before are gone', async () => (await connections(OPS))['total'] === 0));

async function connections(headers: Record<string, string>, query = ''): Promise<TestMessage> {
  const { status, json } = await two.ask(`${PATH}${query}`, { headers });
  expect(status).toBe(200);
  return json;
}

const rows = async (headers: Record<string, string>) => (await connections(headers))['connections'] as ConnectionRow[];

/** A camera of Anna's that sends as fast as it is told to. */
async function openCamera(): Promise<{ encoder: TestClient; streamId: string; send: (bytes: number) => void }> {
  const { encoder, streamId } = await openEncoder(two.router.wsUrl, two.anna.token, { encoding: 'msgpack' });
  onTestFinished(() => encoder.socket.terminate());
  let sent = 0;
  const send = (bytes: number) => {
    sent += 1;
    encoder.send(frameOf(encoder, streamId, numberedPicture(sent, bytes)));
  };
  return { encoder, streamId, send };
}

async function watch(streamId: string, subscribe: object = {}, account = two.anna): Promise<TestClient> {
  const viewer = await openViewer(two.router.wsUrl, account.token, streamId, { encoding: 'msgpack', subscribe });
  onTestFinished(() => viewer.socket.terminate());
  return viewer;
}

test('a dashboard that reads too slowly is on top, with what waits for it and what it missed', async () => {
  const { encoder, streamId, send } = await openCamera();
  const slow = await watch(streamId);
  await watch(streamId);
  slow.socket.pause();
  const top = async () => (await rows(bearer(two.anna)))[0];
  await until('the viewer missed frames', async () => {
    for (let burst = 0; burst < 10; burst += 1) send(34_000);
    await handled(encoder);
    return ((await top())?.subscriptions?.[0]?.dropped.slow ?? 0) > 10;
  });
  const [first, ...others] = await rows(bearer(two.anna));
  expect(first).toMatchObject({
    role: 'viewer',
    transport: 'websocket',
    path: '/streams/subscribe',
    encoding: 'msgpack',
  });
  expect(first?.waitingBytes).toBeGreaterThan(10_000);
  expect(others.map(({ role }) => role).sort()).toEqual(['encoder', 'viewer']);
  for (const { waitingBytes } of others) expect(waitingBytes).toBe(0);
  const quick = others.find(({ role }) => role === 'viewer')?.subscriptions?.[0];
  expect(quick).toMatchObject({ streamId, dropped: { slow: 0 }, isLive: true });
  for (const { subscriptions = [] } of [first, ...others] as ConnectionRow[]) {
    for (const { offered, delivered, dropped, inFlight } of subscriptions) {
      expect(delivered + dropped.slow + dropped.fps + dropped.closed + inFlight).toBe(offered);
    }
  }
});

test('a page that does not acknowledge shows for how long, and one that does shows nothing', async () => {
  const { encoder, streamId, send } = await openCamera();
  const silent = await watch(streamId, { window: 2 });
  const good = await watch(streamId, { window: 2 });
  send(2_000);
  await silent.next('video-frame');
  await good.next('video-frame');
  good.send({ type: 'ack', streamId, received: 1 });
  good.send({ type: 'heartbeat' });
  await good.next('heartbeat');
  const unacked = async () => {
    const viewers = (await rows(bearer(two.anna))).filter(({ role }) => role === 'viewer');
    return viewers.map(({ subscriptions = [] }) => subscriptions[0]?.unackedForMs);
  };
  await until('it has been silent for a while', async () => ((await unacked())[0] ?? 0) > 200);
  expect((await unacked())[1]).toBeNull();
  await handled(encoder);
});

test('a camera shows what it sent and how far its clock is off', async () => {
  const { encoder, streamId, send } = await openCamera();
  send(2_000);
  const hourAgo = Date.now() - 3_600_000;
  encoder.send({ type: 'video-frame', streamId, data: numberedPicture(2, 2_000), timestamp: hourAgo });
  encoder.send({ type: 'video-frame', streamId: 'anothers', data: numberedPicture(3, 2_000), timestamp: hourAgo });
  encoder.send({ type: 'video-frame', streamId, data: Buffer.from('no picture'), timestamp: hourAgo });
  await handled(encoder);
  const [row] = await rows(bearer(two.anna));
  expect(row).toMatchObject({ role: 'encoder', userId: two.anna.userId });
  const { stream } = row ?? {};
  expect(stream).toMatchObject({ streamId, receivedFrames: 4, rejected: { notYours: 1, rate: 0, invalid: 1 } });
  expect(Math.abs((stream?.arrivedAfterMs ?? 0) - 3_600_000)).toBeLessThan(10_000);
  expect(Math.abs((row?.connectedAtMs ?? 0) - Date.now())).toBeLessThan(20_000);
});

describe('who may see what', () => {
  test('a user sees nothing of others, but for who watches their camera; whoever has OPS_TOKEN sees all, with addresses', async () => {
    const { streamId } = await openCamera();
    await watch(streamId);
    await watch(streamId, {}, two.bob);
    const { streamId: second } = await openCamera();
    await watch(second);
    const hers = await rows(bearer(two.anna));
    const watchers = (list: ConnectionRow[]) =>
      list.filter(({ role }) => role === 'viewer').map(({ userId }) => userId);
    expect(watchers(hers).sort()).toEqual([two.anna.userId, two.anna.userId, two.bob.userId].sort());
    expect(watchers(await rows(bearer(two.bob)))).toEqual([two.bob.userId]);
    const eve = await two.router.signUp();
    expect(await connections(bearer(eve))).toMatchObject({ connections: [], total: 0, more: false, source: 'memory' });
    const all = await rows(OPS);
    expect(watchers(all)).toHaveLength(3);
    expect(all.map(({ address }) => address)).toEqual(all.map(() => '127.0.0.1'));
    expect(JSON.stringify(hers)).not.toContain('127.0.0.1');
  });

  test('a wrong OPS_TOKEN is refused, counted, and opens nothing else; the right one opens nothing else either', async () => {
    const before = (await two.router.stats())['connections'].refused.unauthorized;
    for (const token of [`${OPS_TOKEN}x`, 'x', OPS_TOKEN.toUpperCase()]) {
      const { status, code } = await two.ask(PATH, { headers: { authorization: `Bearer ${token}` } });
      expect([status, code]).toEqual([401, 'AUTH_REQUIRED']);
    }
    expect((await two.ask(`${PATH}?token=${OPS_TOKEN}`)).status).toBe(401);
    expect((await two.router.stats())['connections'].refused.unauthorized).toBe(before + 4);
    for (const path of ['/api/streams/list', '/api/alerts'])
      expect((await two.ask(path, { headers: OPS })).status).toBe(401);
    expect((await two.ask('/alerts', { method: 'POST', headers: OPS, body: [] })).status).toBe(401);
  });

  test('an address from which too many attempts failed cannot try tokens any further, not even the right one', async () => {
    const limited = await startTwoUsers({ OPS_TOKEN, MAX_AUTH_FAILURES_PER_IP: '3' });
    onTestFinished(() => limited.stop());
    for (let attempt = 0; attempt < 4; attempt += 1)
      await limited.ask(PATH, { headers: { authorization: 'Bearer no' } });
    expect((await limited.ask(PATH, { headers: OPS })).status).toBe(429);
  });

  test('without OPS_TOKEN no token is that of an operator', async () => {
    const plain = await startTwoUsers();
    onTestFinished(() => plain.stop());
    expect((await plain.ask(PATH, { headers: { authorization: 'Bearer undefined' } })).status).toBe(401);
  });
});

test('limit bounds the answer, and a bad one is named', async () => {
  const { streamId } = await openCamera();
  await watch(streamId);
  expect(await connections(OPS, '?limit=1')).toMatchObject({ connections: [{}], more: true, total: 2 });
  expect(await connections(OPS, '?limit=1000')).toMatchObject({ more: false });
  for (const limit of ['0', '1001', 'all', '']) {
    const { status, code, message } = await two.ask(`${PATH}?limit=${limit}`, { headers: OPS });
    expect([status, code, message]).toEqual([400, 'INVALID_MESSAGE', 'limit: must be 1 to 1000']);
  }
});

test('a connection keeps its id, and no later one gets it', async () => {
  const { streamId } = await openCamera();
  const idsOf = async () => (await rows(OPS)).map(({ id }) => id).sort();
  const viewer = await watch(streamId);
  const before = await idsOf();
  expect(await idsOf()).toEqual(before);
  await viewer.close();
  await until('it is gone', async () => (await idsOf()).length === 1);
  await watch(streamId);
  const after = await idsOf();
  expect(after).toHaveLength(2);
  expect(after.filter((id) => before.includes(id))).toHaveLength(1);
});

// The last one: who posts picture by picture is connected for ten seconds more.
test('cameras and pages that speak only HTTP are connections as well', async () => {
  const { anna, router } = two;
  await post(router, anna, '/streams/by-post/frames', numberedPicture(1, 500));
  const upload = beginMany(router, anna, 'by-upload', [numberedPicture(1, 500)]);
  await until('it is there', async () => (await router.stats())['activeStreams'].includes('by-upload'));
  const player = await MjpegPlayer.open(router.port, '/streams/by-post/live.mjpeg', bearer(anna));
  const found = await rows(bearer(anna));
  const shown = found.map(({ role, transport, path, encoding }) => [role, transport, path, encoding].join(' ')).sort();
  expect(shown).toEqual([
    'encoder http /streams/{stream_id}/frames ',
    'encoder http /streams/{stream_id}/frames ',
    'viewer mjpeg /streams/{stream_id}/live.mjpeg ',
  ]);
  expect(new Set(found.map(({ id }) => id)).size).toBe(3);
  player.close();
  upload.destroy();
});
