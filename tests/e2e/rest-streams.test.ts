import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { frameOf, openEncoder, openViewer, TestClient, type TestMessage } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import { bearer, expectRefusal, startTwoUsers, subscribeTo, type TwoUsers } from '../support/two-users.ts';
import { until } from '../support/until.ts';

/** Room for three streams of each user, and a grace that ends while the test looks. */
let two: TwoUsers;
beforeAll(async () => {
  two = await startTwoUsers({ MAX_STREAMS_PER_USER: '3', STREAM_GRACE_MS: '0' });
});
afterAll(() => two.stop());
afterEach(async () => {
  for (const account of [two.anna, two.bob]) {
    await two.ask(`/api/users/${account.userId}`, { method: 'DELETE', headers: bearer(account) });
  }
});

function reserve(body: unknown = {}, account = two.anna) {
  return two.ask('/api/streams/register', { method: 'POST', headers: bearer(account), body });
}

async function reservedId(body: unknown = {}, account = two.anna): Promise<string> {
  const { status, json } = await reserve(body, account);
  expect(status).toBe(201);
  return json['streamId'];
}

async function list(account = two.anna): Promise<TestMessage[]> {
  const { status, json } = await two.ask('/api/streams/list', { headers: bearer(account) });
  expect([status, json['source']]).toEqual([200, 'memory']);
  return json['streams'];
}

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('a phone that registers over HTTP first', () => {
  test('gets a name, streams with it, and is in the list from then on, with what it said of itself', async () => {
    const metadata = { resolution: '1920x1080', fps: 30 };
    const answer = await reserve({ deviceName: 'iPhone 14', deviceType: 'mobile', metadata });
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({
      streamId: expect.stringMatching(/^stream_[0-9a-f]{32}$/),
      message: expect.any(String),
      status: 'offline',
      unusedForMs: 24 * 60 * 60 * 1000,
    });
    const { streamId } = answer.json;
    const reserved = { id: streamId, deviceName: 'iPhone 14', deviceType: 'mobile', reserved: true, metadata };
    const [offline, ...none] = await list();
    expect(none).toEqual([]);
    expect(offline).toEqual({
      ...reserved,
      status: 'offline',
      lastSeen: expect.stringMatching(ISO),
      createdAt: expect.stringMatching(ISO),
    });

    const register = { streamId, metadata: { fps: 10 } };
    const { encoder } = await openEncoder(two.router.wsUrl, two.anna.token, { register });
    const registered = { ...reserved, metadata: { ...metadata, fps: 10 } };
    expect(await list()).toMatchObject([{ ...registered, status: 'online' }]);
    encoder.send(frameOf(encoder, streamId, numberedPicture(1, 64)));
    await until('it streams', async () => (await list())[0]?.['status'] === 'streaming');
    const [streaming] = await list();
    expect(Date.parse(streaming?.['lastSeen'])).toBeGreaterThanOrEqual(Date.parse(offline?.['lastSeen']));
    await encoder.close();
    await until('it is offline', async () => (await list())[0]?.['status'] === 'offline');
    expect(await list()).toMatchObject([reserved]);

    const again = await openEncoder(two.router.wsUrl, two.anna.token, { register: { streamId } });
    expect(again.streamId).toBe(streamId);
    await again.encoder.close();
  });

  test('keeps others out: they neither register nor watch that name, nor see it in their list', async () => {
    const streamId = await reservedId({ deviceName: 'Nursery' });
    const before = await two.unauthorized();
    const encoder = await two.openAsBob('register');
    encoder.send({ type: 'register', clientType: 'mobile', streamId });
    await expectRefusal(encoder, { code: 'UNAUTHORIZED' });
    const viewer = await two.openAsBob('subscribe');
    viewer.send(subscribeTo(streamId));
    await expectRefusal(viewer, { code: 'UNAUTHORIZED', streamId });
    expect(await two.unauthorized()).toBe(before + 2);
    expect(await list(two.bob)).toEqual([]);
    const own = await openViewer(two.router.wsUrl, two.anna.token, streamId);
    expect(own.messages.map(({ type, status }) => status ?? type)).toEqual(['success', 'offline']);
    await Promise.all([encoder, viewer, own].map((client) => client.close()));
  });

  test('need not say anything, and what it says too much is not taken amiss', async () => {
    await reservedId({});
    await reservedId({ deviceName: null, deviceType: ' ', metadata: null, userId: two.bob.userId, streamId: 'mine' });
    const { status } = await two.ask('/api/streams/register', { method: 'POST', headers: bearer(two.anna) });
    expect(status).toBe(201);
    const streams = await list();
    expect(streams).toHaveLength(3);
    for (const stream of streams) {
      expect(stream).toMatchObject({ deviceName: null, deviceType: null, metadata: {} });
      expect(stream['id']).toMatch(/^stream_/);
    }
    expect(await list(two.bob)).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    ['a name that is no text', { deviceName: 7 }, 'deviceName: '],
    ['a name that is too long', { deviceName: 'x'.repeat(129) }, 'deviceName: '],
    ['a type that is a list', { deviceType: ['mobile'] }, 'deviceType: '],
    ['metadata that is a list', { metadata: [1] }, 'metadata: must be a map'],
    ['metadata that is too large', { metadata: { text: 'x'.repeat(16 * 1024) } }, 'metadata: must have at most'],
    ['metadata that is too deep', { metadata: deep(40) }, 'metadata: must not nest deeper'],
    ['a list', [], 'body: '],
    ['a text', 'iPhone', 'body: '],
  ])('is told what is wrong with %s, and gets no name', async (_name, body, problem) => {
    const { status, code, message } = await reserve(body);
    expect([status, code]).toEqual([400, 'INVALID_MESSAGE']);
    expect(message).toContain(problem);
    expect(await list()).toEqual([]);
  });

  test('has as much room for metadata as on a WebSocket, however its characters are written', async () => {
    const text = `{"metadata":{"t":"${'\\u4e2d'.repeat(16_000)}"}}`;
    const headers = { ...bearer(two.anna), 'content-type': 'application/json' };
    expect((await two.ask('/api/streams/register', { method: 'POST', headers, text })).status).toBe(201);
    expect((await list())[0]?.['metadata']).toEqual({ t: '中'.repeat(16_000) });
  });

  test('is refused when the user has as many streams as are allowed, live and reserved ones together', async () => {
    const streamId = await reservedId();
    await reservedId();
    const { encoder } = await openEncoder(two.router.wsUrl, two.anna.token);
    const before = (await two.router.stats())['streams'];
    expect(before.reserved).toBe(2);
    const refused = await reserve();
    expect([refused.status, refused.code]).toEqual([429, 'ROUTING_ERROR']);
    expect(refused.message).toContain('3 streams');
    const fourth = await TestClient.open(`${two.router.wsUrl}/streams/register?token=${two.anna.token}`);
    fourth.send({ type: 'register', clientType: 'mobile' });
    await expectRefusal(fourth, { code: 'ROUTING_ERROR' });
    expect((await two.router.stats())['streams']).toEqual({ refused: before.refused + 2, reserved: 2 });
    // A reserved one goes live all the same, and the other user has room of their own.
    fourth.send({ type: 'register', clientType: 'mobile', streamId });
    expect((await fourth.next('success'))['streamId']).toBe(streamId);
    await reservedId({}, two.bob);
    await Promise.all([encoder.close(), fourth.close()]);
  });
});

function deep(levels: number): object {
  return levels === 0 ? {} : { deeper: deep(levels - 1) };
}

describe('the paths that name the user', () => {
  const path = (rest = '') => `/api/users/${two.anna.userId}/streams${rest}`;
  const asAnna = () => ({ headers: bearer(two.anna) });

  test('list live and reserved streams, and show one of them', async () => {
    const reservedStream = await reservedId({ deviceName: 'Front door', metadata: { camera: 'front' } });
    const register = { metadata: { deviceName: 'Phone', zone: 2 } };
    const { encoder, streamId: live } = await openEncoder(two.router.wsUrl, two.anna.token, { register });
    const { status, json } = await two.ask(path(), asAnna());
    const times = { created_at: expect.stringMatching(ISO), last_seen: expect.stringMatching(ISO) };
    const rows = [
      {
        stream_id: reservedStream,
        status: 'offline',
        device_name: 'Front door',
        device_type: null,
        reserved: true,
        metadata: { camera: 'front' },
        ...times,
      },
      {
        stream_id: live,
        status: 'online',
        device_name: 'Phone',
        device_type: null,
        reserved: false,
        metadata: { deviceName: 'Phone', zone: 2 },
        ...times,
      },
    ];
    expect([status, json]).toEqual([200, { user_id: two.anna.userId, streams: rows }]);
    for (const row of rows) {
      const one = await two.ask(path(`/${row.stream_id}`), asAnna());
      expect([one.status, one.json]).toEqual([200, { user_id: two.anna.userId, ...row }]);
    }
    await encoder.close();
  });

  test('end a stream that is only reserved, and all streams, reserved ones among them', async () => {
    const [first, second] = [await reservedId(), await reservedId()];
    const end = await two.ask(path(`/${first}`), { method: 'DELETE', ...asAnna() });
    expect(end.json).toEqual({ user_id: two.anna.userId, stream_id: first, status: 'deleted' });
    for (const method of ['GET', 'DELETE']) {
      const gone = await two.ask(path(`/${first}`), { method, ...asAnna() });
      expect([gone.status, gone.code]).toEqual([404, 'NOT_FOUND']);
    }
    const { encoder, streamId: live } = await openEncoder(two.router.wsUrl, two.anna.token, {
      register: { streamId: second },
    });
    const third = await reservedId();
    const all = await two.ask(`/api/users/${two.anna.userId}`, { method: 'DELETE', ...asAnna() });
    expect(all.json).toEqual({ user_id: two.anna.userId, deleted: [live, third] });
    expect((await encoder.closed).code).toBe(4404);
    expect(await list()).toEqual([]);
    // The names are nobody's any more.
    const { streamId, encoder: bobs } = await openEncoder(two.router.wsUrl, two.bob.token, {
      register: { streamId: first },
    });
    expect(streamId).toBe(first);
    await bobs.close();
  });

  test('show and end no other user’s reserved stream', async () => {
    const streamId = await reservedId();
    for (const method of ['GET', 'DELETE']) {
      for (const { userId } of [two.anna, two.bob]) {
        const asked = { method, headers: bearer(two.bob) };
        const { status, code } = await two.ask(`/api/users/${userId}/streams/${streamId}`, asked);
        expect([method, status, code]).toEqual([method, 403, 'UNAUTHORIZED']);
      }
    }
    expect((await list()).map(({ id }) => id)).toEqual([streamId]);
  });
});

test('an offer of WebRTC is answered with what to use instead', async () => {
  const body = { sdp: 'v=0\r\n', type: 'offer', user_id: two.anna.userId, stream_metadata: { camera: 'front_door' } };
  const { status, code, message } = await two.ask('/api/offer', { method: 'POST', headers: bearer(two.anna), body });
  expect([status, code]).toEqual([501, 'NOT_IMPLEMENTED']);
  expect(message).toContain('/streams/register');
  expect((await two.ask('/api/offer', { method: 'POST', body })).status).toBe(401);
});

describe('what one may watch beside one’s own', () => {
  test('is nothing, where each watches their own', async () => {
    const { encoder, streamId } = await openEncoder(two.router.wsUrl, two.anna.token);
    const ofBob = await two.ask('/api/streams/list?watchable=true', { headers: bearer(two.bob) });
    expect(ofBob.json['streams']).toEqual([]);
    const ofAnna = await two.ask('/api/streams/list?watchable=true', { headers: bearer(two.anna) });
    expect(ofAnna.json['streams']).toContainEqual(expect.objectContaining({ id: streamId, own: true }));
    await encoder.close();
  });

  test('is every live stream, where everybody may watch: by its name, without what its owner says of it', async () => {
    const open = await startTwoUsers({ STREAM_ACCESS: 'authenticated' });
    const metadata = { deviceName: 'Dock 4', wifi: 'secret' };
    const { encoder, streamId } = await openEncoder(open.router.wsUrl, open.anna.token, { register: { metadata } });
    const streamsOf = async (path: string) => (await open.ask(path, { headers: bearer(open.bob) })).json['streams'];
    expect(await streamsOf('/api/streams/list?watchable=true')).toEqual([
      {
        id: streamId,
        deviceName: 'Dock 4',
        deviceType: null,
        status: 'online',
        lastSeen: expect.stringMatching(ISO),
        createdAt: expect.stringMatching(ISO),
        reserved: false,
        metadata: {},
        own: false,
      },
    ]);
    for (const path of ['/api/streams/list', '/api/streams/list?watchable=false'])
      expect(await streamsOf(path)).toEqual([]);
    const { status, json } = await open.ask('/api/streams/list?watchable=yes', { headers: bearer(open.bob) });
    expect([status, json['error']['code']]).toEqual([400, 'INVALID_MESSAGE']);
    await encoder.close();
    await open.stop();
  });
});
