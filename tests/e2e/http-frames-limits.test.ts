import { Agent, request } from 'node:http';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startEmbeddedDatabase } from '../../src/demo/embedded-database.ts';
import { readWalk } from '../../src/demo/walk.ts';
import { jpegOf, openViewer } from '../support/client.ts';
import {
  bearer,
  begin,
  beginMany,
  bodyOf,
  CHUNKED,
  isNumbered,
  JPEG,
  MIXED,
  newName,
  pathOf,
  post,
  startRouter,
} from '../support/http-camera.ts';
import { numberedPicture } from '../support/pictures.ts';
import { until } from '../support/until.ts';

const walk = readWalk();

describe('limits', () => {
  test('a picture of exactly the largest size is taken; a byte more gets 413, alone or among others', async () => {
    const router = await startRouter({ MAX_PAYLOAD_BYTES: '100000' });
    const anna = await router.signUp();
    const name = newName();
    const viewer = await openViewer(router.wsUrl, anna.token, name, { encoding: 'msgpack' });
    const [largest, larger] = [numberedPicture(1, 100_000), numberedPicture(2, 100_001)];
    expect((await post(router, anna, pathOf(name), largest)).status).toBe(204);
    expect(jpegOf(await viewer.next('video-frame')).equals(largest)).toBe(true);
    const tooLarge = [413, 'PAYLOAD_TOO_LARGE'];
    const said = await post(router, anna, pathOf(name), larger);
    expect([said.status, said.code]).toEqual(tooLarge);
    const unsaid = begin(router, pathOf(name), { headers: { ...bearer(anna), ...JPEG, ...CHUNKED } });
    unsaid.sendChunk(larger);
    await unsaid.answer();
    expect([unsaid.status, unsaid.code]).toEqual(tooLarge);
    const many = await post(router, anna, pathOf(name), bodyOf([numberedPicture(3, 500), larger]), MIXED);
    expect([many.status, many.code]).toEqual(tooLarge);
    await viewer.next(isNumbered(3));
  });

  test('pictures over the rate: 429 to who posts them one by one, a count for who sends many; the others arrive', async () => {
    const router = await startRouter({ STREAM_MAX_FPS: '5' });
    const anna = await router.signUp();
    const name = newName();
    const answers = [];
    for (let number = 1; number <= 15; number += 1) {
      answers.push(await post(router, anna, pathOf(name), numberedPicture(number, 500)));
    }
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited.length).toBeGreaterThan(0);
    expect(
      limited.every((answer) => answer.code === 'RATE_LIMITED' && Number(answer.headers.get('retry-after')) > 0),
    ).toBe(true);
    expect(answers.filter(({ status }) => status === 204).length + limited.length).toBe(15);
    const pictures = Array.from({ length: 20 }, (_, index) => numberedPicture(100 + index, 500));
    const { frames } = JSON.parse((await post(router, anna, pathOf(newName()), bodyOf(pictures), MIXED)).text);
    expect(frames).toEqual({
      received: 20,
      accepted: expect.any(Number),
      rejected: { rate: expect.any(Number), invalid: 0 },
    });
    expect(frames.accepted).toBeGreaterThanOrEqual(5);
    expect(frames.rejected.rate).toBeGreaterThan(5);
    expect(frames.accepted + frames.rejected.rate).toBe(20);
    const stats = (await router.stats())['frames'];
    expect([stats.received, stats.rejected.rate]).toEqual([35, frames.rejected.rate + limited.length]);
  });

  test('a user with as many streams as allowed registers no more, either way', async () => {
    const router = await startRouter({ MAX_STREAMS_PER_USER: '1' });
    const anna = await router.signUp();
    expect((await post(router, anna, pathOf(newName()), walk[0] as Buffer)).status).toBe(204);
    for (const headers of [JPEG, MIXED]) {
      const refused = await post(router, anna, pathOf(newName()), walk[0] as Buffer, headers);
      expect([refused.status, refused.code]).toEqual([429, 'ROUTING_ERROR']);
    }
    expect(await router.stats()).toMatchObject({ totalProducers: 1, totalConnections: 0, streams: { refused: 2 } });
  });

  test('a request that lasts is one of the connections of its user; a picture takes its turn after it', async () => {
    const router = await startRouter({ MAX_CONNECTIONS_PER_USER: '1' });
    const anna = await router.signUp();
    const upload = beginMany(router, anna, newName(), [walk[0] as Buffer]);
    await until('it is there', async () => (await router.stats())['totalConnections'] === 1);
    const refused = await post(router, anna, pathOf(newName()), walk[0] as Buffer);
    expect([refused.status, refused.code]).toEqual([503, 'TOO_MANY_CONNECTIONS']);
    expect((await router.stats())['connections'].refused.perUser).toBe(1);
    upload.sendChunk('');
    await upload.answer();
    for (let times = 0; times < 3; times += 1) {
      expect((await post(router, anna, pathOf(newName()), walk[0] as Buffer)).status).toBe(204);
    }
  });

  test('an address from which too many attempts have failed has to wait', async () => {
    const router = await startRouter({ MAX_AUTH_FAILURES_PER_IP: '2' });
    const anna = await router.signUp();
    for (const _attempt of [1, 2]) {
      const answer = await begin(router, pathOf('a'), {
        headers: { ...JPEG, authorization: 'Bearer x' },
        body: walk[0] as Buffer,
      }).answer();
      expect(answer.status).toBe(401);
    }
    const limited = await post(router, anna, pathOf('a'), walk[0] as Buffer);
    expect([limited.status, limited.code]).toEqual([429, 'RATE_LIMITED']);
  });

  test('a name that the web app knows as another’s is not registered, either way', async () => {
    // Its own: the web app's table is in no other test's database.
    const database = await startEmbeddedDatabase();
    onTestFinished(() => database.stop());
    const router = await startRouter({ STREAM_OWNERS: 'video_stream' }, database.url);
    const admin = new pg.Pool({ connectionString: database.url, max: 1 });
    onTestFinished(() => admin.end());
    await admin.query('CREATE TABLE video_stream (id text PRIMARY KEY, "userId" text)');
    const [anna, bob] = [await router.signUp(), await router.signUp()];
    const name = `stream-${crypto.randomUUID()}`;
    await admin.query('INSERT INTO video_stream (id, "userId") VALUES ($1, $2)', [name, anna.userId]);
    const body = bodyOf([walk[0] as Buffer]);
    expect((await post(router, bob, pathOf(name), walk[0] as Buffer)).status).toBe(403);
    expect((await post(router, bob, pathOf(name), body, MIXED)).status).toBe(403);
    expect((await post(router, anna, pathOf(name), body, MIXED)).status).toBe(200);
  });
});

describe('whatever happens on the way', () => {
  test('pictures whose sender must be looked up first arrive as they were, alone and in large bodies', async () => {
    const router = await startRouter({ SESSION_CACHE_MS: '0' });
    const anna = await router.signUp();
    const name = newName();
    const viewer = await openViewer(router.wsUrl, anna.token, name, { encoding: 'msgpack' });
    for (const number of [1, 2, 3]) {
      const jpeg = numberedPicture(number, 1_500_000);
      expect((await post(router, anna, pathOf(name), jpeg)).status).toBe(204);
      expect(jpegOf(await viewer.next('video-frame')).equals(jpeg)).toBe(true);
    }
    const pictures = Array.from({ length: 20 }, (_, index) => numberedPicture(10 + index, 200_000));
    expect((await post(router, anna, pathOf(name), bodyOf(pictures), MIXED)).status).toBe(200);
    for (const jpeg of pictures) expect(jpegOf(await viewer.next('video-frame')).equals(jpeg)).toBe(true);
    await viewer.close();
  });

  test.each([
    ['a known session', '30000'],
    ['a session that must be looked up', '0'],
  ])('requests of %s that break off anywhere leave nothing behind', async (_name, cacheMs) => {
    const router = await startRouter({ MAX_CONNECTIONS_PER_USER: '4', SESSION_CACHE_MS: cacheMs });
    const anna = await router.signUp();
    const name = newName();
    for (const [headers, whole] of [
      [JPEG, walk[0] as Buffer],
      [MIXED, bodyOf(walk.slice(0, 2))],
      [{ 'content-type': 'video/x-motion-jpeg' }, Buffer.concat(walk.slice(0, 2))],
    ] as const) {
      for (const bytes of [0, 1, 9, 100, 20_000, 33_300, 60_000]) {
        const length = { 'content-length': `${whole.length}` };
        const http = begin(router, pathOf(name), { headers: { ...bearer(anna), ...headers, ...length } });
        http.socket.end(whole.subarray(0, bytes));
        await http.closed();
      }
    }
    await until('all are gone', async () => (await router.stats())['totalConnections'] === 0);
    for (let times = 0; times < 5; times += 1) {
      expect((await post(router, anna, pathOf(name), walk[0] as Buffer)).status).toBe(204);
    }
    const opened = await Promise.all(Array.from({ length: 4 }, () => beginMany(router, anna, newName())));
    for (const _upload of opened)
      await until('all four are in', async () => (await router.stats())['totalConnections'] === 4);
    expect(router.logLines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  test('pictures follow each other on one connection', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const [name, agent] = [newName(), new Agent({ keepAlive: true, maxSockets: 1 })];
    onTestFinished(() => agent.destroy());
    const sockets = new Set<unknown>();
    const postOn = (body: Buffer, type: string) =>
      new Promise<number>((resolve, reject) => {
        const headers = { ...bearer(anna), 'content-type': type, 'content-length': body.length };
        const sent = request(router.httpUrl + pathOf(name), { method: 'POST', agent, headers }, (response) => {
          sockets.add(response.socket);
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        });
        sent.on('error', reject);
        sent.end(body);
      });
    // Refusals in between, of bodies that are read to their end all the same.
    for (const [body, type, status] of [
      [walk[0] as Buffer, 'image/jpeg', 204],
      [Buffer.alloc(3_000_000), 'image/png', 415],
      [walk[1] as Buffer, 'image/jpeg', 204],
      [Buffer.alloc(3_000_000), 'image/jpeg', 400],
      [Buffer.concat(walk.slice(0, 3)), 'video/x-motion-jpeg', 200],
      // The one before took over from who posts, and is over.
      [walk[2] as Buffer, 'image/jpeg', 204],
    ] as const) {
      expect([await postOn(body, type), type]).toEqual([status, type]);
    }
    expect(sockets.size).toBe(1);
  });
});
