import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { SEVERITIES } from '../../proto/messages.ts';
import type { Account } from '../../src/demo/accounts.ts';
import type { Answer } from '../support/ask.ts';
import { frameOf, openEncoder, type TestMessage } from '../support/client.ts';
import { startTestMlService } from '../support/ml-service.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { alertOf, bearer, SERVICE_TOKEN, startTwoUsers, type TwoUsers } from '../support/two-users.ts';

let two: TwoUsers;
beforeAll(async () => {
  two = await startTwoUsers();
});
afterAll(() => two.stop());

/** The ML service posts alerts. */
async function post(...alerts: object[]): Promise<void> {
  const headers = { authorization: `Bearer ${SERVICE_TOKEN}` };
  const { json } = await two.ask('/alerts', { method: 'POST', headers, body: alerts });
  expect(json).toEqual({ accepted: alerts.length, refused: [] });
}

function get(query: string, account: Account): Promise<Answer> {
  return two.ask(`/api/alerts${query === '' ? '' : `?${query}`}`, { headers: bearer(account) });
}

async function alertsIn(query: string, account: Account): Promise<TestMessage[]> {
  const { status, json } = await get(query, account);
  expect([status, json['source']]).toEqual([200, 'memory']);
  return json['alerts'];
}

const messages = async (query: string, account: Account) =>
  (await alertsIn(query, account)).map(({ message }) => message);

/** Somebody with a stream: nobody else's alerts are theirs. */
async function openOwner(streamId?: string): Promise<{ owner: Account; streamId: string; end: () => Promise<void> }> {
  const owner = await two.router.signUp();
  const opened = await openEncoder(two.router.wsUrl, owner.token, { register: { streamId } });
  const end = async () => {
    const headers = bearer(owner);
    expect((await two.ask(`/api/users/${owner.userId}`, { method: 'DELETE', headers })).status).toBe(200);
    await opened.encoder.closed;
  };
  return { owner, streamId: opened.streamId, end };
}

describe('the alerts of a user', () => {
  test('are there with all that was sent, the newest first, also when their stream has ended', async () => {
    const { owner, streamId, end } = await openOwner();
    const before = Date.now();
    const metadata = { confidence: 0.95, location: { x: 120, y: 350 }, text: 'a "quoted" \\ {brace}, ünï 🚨' };
    await post(alertOf(streamId, { message: 'First', metadata, timestamp: 1729943200000.5 }));
    await post(alertOf(streamId, { message: 'Second', severity: 'low' }));
    await end();
    const { json } = await get('', owner);
    expect(json).toEqual({
      alerts: [
        expect.objectContaining({ message: 'Second', severity: 'low', metadata: {} }),
        {
          type: 'alert',
          id: expect.any(String),
          streamId,
          severity: 'high',
          message: 'First',
          metadata,
          timestamp: 1729943200000.5,
          createdAt: expect.any(String),
        },
      ],
      nextCursor: null,
      source: 'memory',
    });
    for (const { createdAt, id } of json['alerts']) {
      expect(Date.parse(createdAt)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(createdAt)).toBeLessThanOrEqual(Date.now());
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect(await alertsIn(`streamId=${streamId}`, owner)).toEqual(json['alerts']);
  });

  test('are nobody else’s: the list of others is empty, and a stream of another is refused', async () => {
    const { owner, streamId, end } = await openOwner();
    await post(alertOf(streamId, { message: 'Hers' }));
    expect(await alertsIn('', two.bob)).toEqual([]);
    const before = await two.unauthorized();
    const refused = await get(`streamId=${streamId}`, two.bob);
    expect([refused.status, refused.code]).toEqual([403, 'UNAUTHORIZED']);
    await end();
    // The stream is gone, its alerts still are somebody's.
    expect((await get(`streamId=${streamId}`, two.bob)).status).toBe(403);
    expect(await two.unauthorized()).toBe(before + 2);
    expect(await messages(`streamId=${streamId}`, owner)).toEqual(['Hers']);
  });

  test('of a reserved stream are refused to others before there are any', async () => {
    const { json } = await two.ask('/api/streams/register', { method: 'POST', headers: bearer(two.anna) });
    expect((await get(`streamId=${json['streamId']}`, two.bob)).status).toBe(403);
    expect(await alertsIn(`streamId=${json['streamId']}`, two.anna)).toEqual([]);
  });

  test('stay theirs when the name of the stream is another’s later', async () => {
    const { owner: first, end } = await openOwner('shared-name');
    await post(alertOf('shared-name', { message: 'Of the first' }));
    await end();
    const { owner: second, end: endSecond } = await openOwner('shared-name');
    await post(alertOf('shared-name', { message: 'Of the second' }));
    expect(await messages('streamId=shared-name', second)).toEqual(['Of the second']);
    expect(await messages('', first)).toEqual(['Of the first']);
    expect((await get('streamId=shared-name', first)).status).toBe(403);
    await endSecond();
    expect(await messages('streamId=shared-name', first)).toEqual(['Of the first']);
    expect(await messages('streamId=shared-name', second)).toEqual(['Of the second']);
  });

  test('of a stream that nobody knows are none', async () => {
    expect((await get('streamId=never-there', two.anna)).json).toEqual({
      alerts: [],
      nextCursor: null,
      source: 'memory',
    });
  });

  test('may be asked for by every signed-in user where every one may watch', async () => {
    const open = await startTwoUsers({ STREAM_ACCESS: 'authenticated' });
    onTestFinished(() => open.stop());
    const { encoder, streamId } = await openEncoder(open.router.wsUrl, open.anna.token);
    const headers = { authorization: `Bearer ${SERVICE_TOKEN}` };
    await open.ask('/alerts', { method: 'POST', headers, body: alertOf(streamId) });
    const asBob = (query: string) => open.ask(`/api/alerts${query}`, { headers: bearer(open.bob) });
    expect((await asBob(`?streamId=${streamId}`)).json['alerts']).toHaveLength(1);
    expect((await asBob('')).json['alerts']).toEqual([]);
    await encoder.close();
  });
});

describe('filters', () => {
  let owner: Account;
  let door: string;
  let yard: string;
  beforeAll(async () => {
    const first = await openOwner();
    owner = first.owner;
    door = first.streamId;
    yard = (await openEncoder(two.router.wsUrl, owner.token)).streamId;
    for (const streamId of [door, yard]) {
      for (const severity of SEVERITIES) await post(alertOf(streamId, { severity, message: `${severity} alert` }));
    }
  });

  test('choose by stream and by one or several severities', async () => {
    const found = await alertsIn(`streamId=${door}`, owner);
    expect(found.map(({ severity, streamId }) => [severity, streamId])).toEqual(
      [...SEVERITIES].reverse().map((severity) => [severity, door]),
    );
    expect(await messages('severity=critical', owner)).toEqual(['critical alert', 'critical alert']);
    const two = ['high alert', 'low alert', 'high alert', 'low alert'];
    expect(await messages('severity=low,high', owner)).toEqual(two);
    expect(await messages('severity=high%2C%20low,low', owner)).toEqual(two);
    expect(await messages(`severity=medium&streamId=${yard}`, owner)).toEqual(['medium alert']);
  });

  test('choose by time, in ms or as ISO with any zone: from the first moment on, and before the last', async () => {
    const all = await alertsIn('', owner);
    const times = all.map(({ createdAt }) => createdAt as string);
    const atMs = (text = '') => Date.parse(text);
    const middle = times[3] ?? '';
    const since = all.filter(({ createdAt }) => atMs(createdAt) >= atMs(middle));
    const until = all.filter(({ createdAt }) => atMs(createdAt) < atMs(middle));
    const zoned = new Date(atMs(middle) + 2 * 60 * 60 * 1000).toISOString().replace('Z', '+02:00');
    for (const moment of [middle, `${atMs(middle)}`, zoned, encodeURIComponent(zoned)]) {
      expect(await alertsIn(`since=${moment}`, owner)).toEqual(since);
      expect(await alertsIn(`until=${moment}`, owner)).toEqual(until);
    }
    expect(since.length + until.length).toBe(8);
    expect(await alertsIn(`since=${times[0]}&until=${times[0]}`, owner)).toEqual([]);
    expect(await alertsIn('since=2020-01-31&until=9999-12-31', owner)).toEqual(all);
    expect(await alertsIn('until=0', owner)).toEqual([]);
  });

  test.each([
    ['streamId', ['', '%20', 'a/b', '*', 'x'.repeat(129), '%FF']],
    ['severity', ['', 'dire', 'high,', 'HIGH', 'low;high']],
    ['since', ['', 'yesterday', '2026-01-31T12:00:00', '2026-02-30', '1e3', '-1', '99999999999999999', 'foo%201']],
    ['until', ['now', '2026-01-31%2012:00', '12:00']],
    ['limit', ['', '0', '201', '-1', '1.5', '1e2', 'all', '99999999999999999999']],
    ['cursor', ['', 'x', '0', 'YmVmb3JlIA', 'YmVmb3JlICc7IERST1AgVEFCTEU', '%00']],
  ])('that are wrong are named: %s', async (name, values) => {
    for (const value of values) {
      const { status, code, message } = await get(`${name}=${value}`, owner);
      expect([value, status, code]).toEqual([value, 400, 'INVALID_MESSAGE']);
      expect(message?.startsWith(`${name}: `)).toBe(true);
    }
    const { status, message } = await get(`${name}=1&${name}=1`, owner);
    expect([status, message]).toEqual([400, `${name}: given more than once`]);
  });
});

describe('page by page', () => {
  test('every alert comes exactly once, while new ones come in; 50 at a time unless told otherwise', async () => {
    const { owner, streamId, end } = await openOwner();
    const numbered = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => alertOf(streamId, { message: String(from + index) }));
    await post(...numbered(1, 250));
    expect(await alertsIn('', owner)).toHaveLength(50);
    expect(await alertsIn('limit=200', owner)).toHaveLength(200);
    const seen: string[] = [];
    let cursor = '';
    let arrived = 250;
    for (let page = 0; cursor !== undefined; page += 1) {
      const { json } = await get(`limit=${30 + page}${cursor === '' ? '' : `&cursor=${cursor}`}`, owner);
      seen.push(...json['alerts'].map(({ message }: TestMessage) => message));
      cursor = json['nextCursor'] ?? undefined;
      await post(...numbered(arrived + 1, 7));
      arrived += 7;
      expect(seen.length).toBeLessThanOrEqual(250);
    }
    expect(seen).toEqual(Array.from({ length: 250 }, (_, index) => String(250 - index)));
    await end();
  });
});

test('an alert whose picture is kept says where it is', async () => {
  const ml = await startTestMlService(({ body }) => ({
    status: 200,
    body: {
      alerts: (body['frames'] as TestMessage[]).map(({ streamId, seq }) => ({
        streamId,
        seq,
        severity: 'high',
        message: 'Person',
      })),
    },
  }));
  onTestFinished(() => ml.stop());
  const watched = await startTwoUsers({ ML_SERVICE_URL: ml.url, ML_PROTOCOL: 'batch' });
  onTestFinished(() => watched.stop());
  const hers = await watched.openStream();
  const found = await hers.viewer.next('alert');
  const headers = bearer(watched.anna);
  const { json } = await watched.ask('/api/alerts', { headers });
  const [alert] = json['alerts'];
  expect(alert).toMatchObject({ id: found['id'], frame: found['frame'], frameUrl: expect.any(String) });
  const picture = await watched.ask(alert.frameUrl, { headers });
  expect([picture.status, pictureNumber(picture.body)]).toEqual([200, 1]);
  expect((await watched.ask(alert.frameUrl, { headers: bearer(watched.bob) })).status).toBe(403);
  await hers.end(watched);
});

test('alerts that an encoder sends are there as well', async () => {
  const owner = await two.router.signUp();
  const register = { produces: ['video-frame', 'alert'], consumes: ['alert'] };
  const { encoder, streamId } = await openEncoder(two.router.wsUrl, owner.token, { encoding: 'msgpack', register });
  encoder.send(frameOf(encoder, streamId, numberedPicture(1, 64)));
  encoder.send(alertOf(streamId, { message: 'From the camera' }));
  const { id } = await encoder.next('alert');
  expect(await alertsIn('', owner)).toMatchObject([{ id, message: 'From the camera' }]);
  await encoder.close();
});
