import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { readWalk } from '../../src/demo/walk.ts';
import { sha256 } from '../interop/walk-files.ts';
import { frameOf, openViewer, type TestEncoding } from '../support/client.ts';
import { auditFrames } from '../support/frame-account.ts';
import {
  ask,
  BROWSER,
  bearer,
  handled,
  is,
  openCamera,
  pathOf,
  play,
  send,
  startRouter,
} from '../support/mjpeg-world.ts';
import { pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';

const walk = readWalk();

describe('what a player is shown', () => {
  let router: TestRouter;
  let anna: Account;

  beforeAll(async () => {
    router = await startTestRouter({ env: { STREAM_MAX_FPS: '1000' } });
    anna = await router.signUp();
  });
  afterAll(() => router.stop());

  test.each<TestEncoding>(['msgpack', 'json'])(
    'the very pictures that a camera sends in %s, from the newest one on, each as soon as it is there',
    async (encoding) => {
      const { encoder, streamId } = await openCamera(router, anna, encoding);
      encoder.send(frameOf(encoder, streamId, walk[0] as Buffer, { timestamp: 1729943200123 }));
      await handled(encoder);
      const player = await play(router, anna, streamId);
      expect(player.http.headers.get('content-type')).toBe('multipart/x-mixed-replace; boundary=frame');
      const first = await player.next('the newest picture');
      expect(Object.fromEntries(first.headers)).toEqual({
        'content-type': 'image/jpeg',
        'content-length': `${walk[0]?.length}`,
        'x-timestamp': '1729943200123',
      });
      for (const jpeg of walk.slice(1, 30)) {
        encoder.send(frameOf(encoder, streamId, jpeg));
        await player.next('the next picture');
        await player.http.until('the boundary after it', () => player.rest === '--frame\r\n');
      }
      expect(player.parts.map(({ jpeg }) => sha256(jpeg))).toEqual(walk.slice(0, 30).map(sha256));
    },
  );

  test('to a browser the head of the next picture comes with each one, since Chromium waits for that', async () => {
    const { encoder, streamId } = await openCamera(router, anna);
    const player = await play(router, anna, streamId, { headers: BROWSER });
    await player.http.until('the first boundary', () => player.rest === '--frame\r\n');
    for (const jpeg of walk.slice(0, 10)) {
      encoder.send(frameOf(encoder, streamId, jpeg));
      await player.next('the next picture');
      const head = '--frame\r\nContent-Type: image/jpeg\r\n\r\n';
      await player.http.until('the head after it', () => player.rest === head);
    }
    expect(player.parts.map(({ jpeg }) => sha256(jpeg))).toEqual(walk.slice(0, 10).map(sha256));
    expect(player.parts.every(({ headers }) => [...headers.keys()].join() === 'content-type')).toBe(true);
  });

  test('the first picture of a stream that has none yet', async () => {
    const { encoder, streamId } = await openCamera(router, anna);
    const player = await play(router, anna, streamId);
    send(encoder, streamId, 7);
    expect(pictureNumber((await player.next('the first picture')).jpeg)).toBe(7);
  });

  test('two pictures a second of a camera that sends twenty, the newest ones, with ?fps=2', async () => {
    const { encoder, streamId } = await openCamera(router, anna);
    const player = await play(router, anna, streamId, { query: '?fps=2' });
    let number = 0;
    const began = performance.now();
    const stop = steadily(20, () => {
      number += 1;
      send(encoder, streamId, number);
    });
    onTestFinished(stop);
    for (let shown = 0; shown < 8; shown += 1) await player.next('a picture');
    const seconds = (performance.now() - began) / 1000;
    // One at once, and half a one that was saved up; then 2 a second.
    expect(player.parts.length - 1.5).toBeLessThanOrEqual(2 * seconds + 1);
    expect(seconds).toBeGreaterThan(2.5);
    stop();
    await player.http.until('the newest one is the last', () =>
      is(number)(player.parts.at(-1)?.jpeg ?? Buffer.alloc(8)),
    );
  });

  test('a tenth of a picture a second with ?fps=0.1', async () => {
    const { encoder, streamId } = await openCamera(router, anna);
    send(encoder, streamId, 1);
    const player = await play(router, anna, streamId, { query: '?fps=0.1' });
    await player.next('the first picture');
    for (let number = 2; number <= 50; number += 1) {
      send(encoder, streamId, number);
      await handled(encoder);
    }
    expect(player.parts).toHaveLength(1);
  });

  test('HEAD tells the type, and ends', async () => {
    const { streamId } = await openCamera(router, anna);
    const response = await fetch(router.httpUrl + pathOf(streamId), { method: 'HEAD', headers: bearer(anna) });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('multipart/x-mixed-replace; boundary=frame');
    expect((await router.stats())['totalVideoConsumers']).toBe(0);
  });

  test.each(['0', '0.09', '60.5', '61', '1000', '-1', 'abc', '', '1e1', 'NaN', '+5', '5&fps=6', '0x5'])(
    'nothing but the reason with ?fps=%s',
    async (fps) => {
      const { streamId } = await openCamera(router, anna);
      const answer = await ask(router, pathOf(streamId, `?fps=${fps}`), bearer(anna));
      expect([answer.status, answer.code]).toEqual([400, 'INVALID_MESSAGE']);
      expect(answer.text).toContain('fps: ');
    },
  );

  test('nothing without a session, of a stream that is not live, or that is another’s; nor to who posts', async () => {
    const { streamId } = await openCamera(router, anna);
    const bob = await router.signUp();
    const wrong = await Promise.all([
      ask(router, pathOf(streamId)),
      ask(router, pathOf(streamId), { authorization: 'Bearer nobodys' }),
      ask(router, pathOf(streamId), bearer(bob)),
      ask(router, pathOf('not-there'), bearer(anna)),
      ask(router, pathOf(streamId), bearer(anna), 'POST'),
    ]);
    expect(wrong.map(({ status, code }) => [status, code])).toEqual([
      [401, 'AUTH_REQUIRED'],
      [401, 'AUTH_REQUIRED'],
      [403, 'UNAUTHORIZED'],
      [404, 'NOT_FOUND'],
      [405, 'METHOD_NOT_ALLOWED'],
    ]);
    expect(wrong.at(-1)?.headers.get('allow')).toBe('GET, HEAD');
  });
});

describe('as a viewer like every other', () => {
  test('it counts in /stats, keeps its camera going at the rate it asks for, and is gone when it leaves', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const { encoder, streamId } = await openCamera(router, anna, 'msgpack', { understands: ['throttle'] });
    expect(await encoder.next('throttle')).toMatchObject({ reason: 'demand', maxFps: 1 });
    const slow = await play(router, anna, streamId, { query: '?fps=2.5' });
    expect(await encoder.next('throttle')).toMatchObject({ reason: 'demand', maxFps: 3 });
    const quick = await play(router, anna, streamId);
    expect(await encoder.next('throttle')).toMatchObject({ reason: 'demand', maxFps: 1000 });
    const stats = { totalVideoConsumers: 2, totalAlertConsumers: 1, totalConnections: 3 };
    expect(await router.stats()).toMatchObject(stats);
    quick.close();
    slow.close();
    expect(await encoder.next('throttle')).toMatchObject({ reason: 'demand', maxFps: 1 });
    expect(await router.stats()).toMatchObject({ totalVideoConsumers: 0, totalConnections: 1 });
  });

  test('a stream with as many viewers as allowed takes no more, on either door, until one has left', async () => {
    const router = await startRouter({ MAX_VIEWERS_PER_STREAM: '2' });
    const anna = await router.signUp();
    const { streamId } = await openCamera(router, anna);
    const viewer = await openViewer(router.wsUrl, anna.token, streamId);
    const player = await play(router, anna, streamId);
    const refused = await ask(router, pathOf(streamId), bearer(anna));
    expect([refused.status, refused.code]).toEqual([503, 'TOO_MANY_CONNECTIONS']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await router.stats())['viewers'].refused).toBe(1);
    player.close();
    await until('it is gone', async () => (await router.stats())['totalVideoConsumers'] === 1);
    await play(router, anna, streamId);
    await viewer.close();
  });

  const limits: [string, string, string][] = [
    ['an address', 'MAX_CONNECTIONS_PER_IP', 'perAddress'],
    ['a user', 'MAX_CONNECTIONS_PER_USER', 'perUser'],
    ['all', 'MAX_CONNECTIONS', 'total'],
  ];
  test.each(limits)(
    'it is one of the connections of %s: there are no more than allowed',
    async (_name, variable, cause) => {
      const router = await startRouter({ [variable]: '3' });
      const anna = await router.signUp();
      const { streamId } = await openCamera(router, anna);
      const player = await play(router, anna, streamId);
      const viewer = await openViewer(router.wsUrl, anna.token, streamId);
      const refused = await ask(router, pathOf(streamId), bearer(anna));
      expect([refused.status, refused.code]).toEqual([503, 'TOO_MANY_CONNECTIONS']);
      expect((await router.stats())['connections'].refused[cause]).toBe(1);
      // A snapshot lasts no time.
      expect((await ask(router, `/streams/${streamId}/snapshot.jpg`, bearer(anna))).status).toBe(404);
      await viewer.close();
      await until('there is room', async () => (await router.stats())['totalConnections'] === 2);
      await play(router, anna, streamId);
      player.close();
      await until('there is room again', async () => (await router.stats())['totalConnections'] === 2);
      await play(router, anna, streamId);
    },
  );

  test('an address from which too many attempts have failed has to wait', async () => {
    const router = await startRouter({ MAX_AUTH_FAILURES_PER_IP: '2', SESSION_CACHE_MS: '0' });
    const anna = await router.signUp();
    const { streamId } = await openCamera(router, anna);
    for (const _attempt of [1, 2])
      expect((await ask(router, pathOf(streamId), { authorization: 'Bearer wrong' })).status).toBe(401);
    const limited = await ask(router, pathOf(streamId), bearer(anna));
    expect([limited.status, limited.code]).toEqual([429, 'RATE_LIMITED']);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('whoever comes, stalls and goes, every frame is accounted for', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const { encoder, streamId } = await openCamera(router, anna);
    const account = auditFrames(router.stats, 10);
    let number = 0;
    const stop = steadily(60, () => {
      number += 1;
      send(encoder, streamId, number, 60_000);
    });
    onTestFinished(stop);
    const viewer = await openViewer(router.wsUrl, anna.token, streamId, { encoding: 'msgpack' });
    for (let round = 0; round < 4; round += 1) {
      const players = await Promise.all(
        ['', '?fps=5', '', '?fps=30'].map((query) => play(router, anna, streamId, { query })),
      );
      players[2]?.http.socket.pause();
      for (const player of players.slice(0, 2)) await player.next('a picture');
      const soFar = number;
      await players[0]?.next('a later picture', (jpeg) => pictureNumber(jpeg) > soFar);
      for (const player of players) player.close();
    }
    stop();
    await handled(encoder);
    await viewer.next((message) => message['type'] === 'video-frame' && pictureNumber(message['data']) === number);
    await until('all players are gone', async () => (await router.stats())['totalVideoConsumers'] === 1);
    await account.stop();
    expect(account.wrong).toEqual([]);
    expect((await router.stats())['frames'].inFlight).toBe(0);
  });
});
