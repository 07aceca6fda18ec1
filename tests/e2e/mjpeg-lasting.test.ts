import pg from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { auditFrames } from '../support/frame-account.ts';
import { MjpegPlayer } from '../support/mjpeg.ts';
import { ask, BROWSER, bearer, is, openCamera, pathOf, play, send, startRouter } from '../support/mjpeg-world.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { SlowLink } from '../support/slow-link.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';

const CLOSE_MS = 10_000;

describe('who does not read', () => {
  test.each([
    { kind: 'small pictures', bytes: 9_000 },
    { kind: 'large pictures', bytes: 200_000 },
    { kind: 'small pictures for a browser', bytes: 9_000, headers: BROWSER },
    { kind: 'large pictures for a browser', bytes: 200_000, headers: BROWSER },
  ])(
    'skips to the newest one when it reads again, and is kept no more than one for meanwhile: $kind',
    async ({ bytes, headers = {} }: { bytes: number; headers?: Record<string, string> }) => {
      const router = await startRouter();
      const anna = await router.signUp();
      const { encoder, streamId } = await openCamera(router, anna);
      const account = auditFrames(router.stats, 4);
      const stalled = await play(router, anna, streamId, { headers });
      const quick = await play(router, anna, streamId);
      stalled.http.socket.pause();
      let sent = 0;
      const frames = async () => (await router.stats())['frames'];
      // The kernel takes some megabytes before the router sees that nobody reads.
      while ((await frames()).dropped.slow < 300) {
        for (let burst = 0; burst < 5; burst += 1) {
          sent += 1;
          send(encoder, streamId, sent, bytes);
          await quick.next(`picture ${sent}`, is(sent));
        }
      }
      const whileStalled = await frames();
      // One on its way, and the newest, which is held back.
      expect(whileStalled.inFlight).toBe(2);
      stalled.http.socket.resume();
      await stalled.next('the newest picture', is(sent));
      // What lay in the kernel, one that waited in the router, and the newest.
      const numbers = stalled.parts.map(({ jpeg }) => pictureNumber(jpeg));
      expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
      expect(numbers.at(-1)).toBe(sent);
      expect(numbers).toHaveLength(whileStalled.delivered - sent + 2);
      expect(
        stalled.parts.every(({ jpeg }, index) => jpeg.equals(numberedPicture(numbers[index] as number, bytes))),
      ).toBe(true);

      send(encoder, streamId, sent + 1, bytes);
      await stalled.next('the next picture', is(sent + 1));
      await quick.next('the next picture', is(sent + 1));
      await until('all have arrived', async () => (await frames()).inFlight === 0);
      await account.stop();
      expect(account.wrong).toEqual([]);
      const { offered, delivered, dropped } = await frames();
      expect(offered).toBe(2 * (sent + 1));
      expect(delivered).toBe(stalled.parts.length + quick.parts.length);
      expect(dropped).toEqual({ slow: offered - delivered, fps: 0, closed: 0 });
    },
  );

  test('anything at all is sent away after half a minute, and not before; who reads slowly goes on for as long as they like', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const { encoder, streamId } = await openCamera(router, anna);
    // So slow that its line takes longer than the socket library bears to stand still.
    const link = await SlowLink.open(router.port, 400_000);
    onTestFinished(() => link.close());
    const slow = await MjpegPlayer.open(link.port, pathOf(streamId), bearer(anna));
    onTestFinished(() => slow.close());
    const stalled = await play(router, anna, streamId);
    stalled.http.socket.pause();
    let number = 0;
    const stop = steadily(20, () => {
      number += 1;
      send(encoder, streamId, number, 60_000);
    });
    onTestFinished(stop);
    const frames = async () => (await router.stats())['frames'];
    await until('both lines are full', async () => {
      const { dropped, inFlight } = await frames();
      return dropped.slow > 0 && inFlight === 4;
    });
    const [fullAt, { length }] = [performance.now(), slow.parts];
    await until('one of them is gone', async () => (await router.stats())['totalVideoConsumers'] === 1, 50_000);
    const seconds = (performance.now() - fullAt) / 1000;
    expect(seconds).toBeGreaterThan(25);
    expect(seconds).toBeLessThan(40);
    expect((await frames()).dropped.closed).toBe(2);
    expect(slow.parts.length).toBeGreaterThan(length + 10);
    stop();
    link.bitsPerSecond = Number.POSITIVE_INFINITY;
    await slow.next('the newest picture', is(number));
    expect((await frames()).inFlight).toBe(0);
  });
});

describe('how long it goes on', () => {
  test('while the camera is silent: the newest picture comes again before a proxy loses patience, then the next ones', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const { encoder, streamId } = await openCamera(router, anna);
    const empty = await openCamera(router, anna);
    send(encoder, streamId, 1);
    const player = await play(router, anna, streamId);
    const waiting = await play(router, anna, empty.streamId);
    await player.next('the picture');
    expect(pictureNumber((await player.next('the same picture', () => true, 25_000)).jpeg)).toBe(1);
    send(encoder, streamId, 2);
    expect(pictureNumber((await player.next('the next picture')).jpeg)).toBe(2);
    // Who has seen nothing yet has had a header of its first picture meanwhile.
    send(empty.encoder, empty.streamId, 3);
    const first = await waiting.next('the first picture');
    expect([pictureNumber(first.jpeg), [...first.headers.keys()]]).toEqual([
      3,
      ['x-filler', 'content-type', 'content-length', 'x-timestamp'],
    ]);
    expect((await router.stats())['frames']).toMatchObject({ offered: 4, delivered: 4, inFlight: 0 });
  });

  test('through the grace of its camera, which comes back; until the stream is gone', async () => {
    const router = await startRouter({ STREAM_GRACE_MS: '1500' });
    const anna = await router.signUp();
    const { encoder, streamId } = await openCamera(router, anna);
    send(encoder, streamId, 1);
    const player = await play(router, anna, streamId);
    await player.next('the first picture');
    await encoder.close();
    const again = await openCamera(router, anna, 'msgpack', { streamId });
    send(again.encoder, streamId, 2);
    expect(pictureNumber((await player.next('a picture after the grace')).jpeg)).toBe(2);
    await again.encoder.close();
    await player.http.until('its end', () => player.http.isComplete);
    expect((await router.stats())['activeStreams']).toEqual([]);
    expect((await router.stats())['frames']).toMatchObject({ offered: 2, delivered: 2, inFlight: 0 });
  });

  test('until its stream is deleted', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const { encoder, streamId } = await openCamera(router, anna);
    send(encoder, streamId, 1);
    const player = await play(router, anna, streamId);
    await player.next('the picture');
    const path = `/api/users/${anna.userId}/streams/${streamId}`;
    expect((await ask(router, path, bearer(anna), 'DELETE')).status).toBe(200);
    await player.http.until('its end', () => player.http.isComplete);
    expect(await router.stats()).toMatchObject({ totalVideoConsumers: 0, totalConnections: 0 });
  });

  test('until its session is revoked; those of other sessions stay', async () => {
    const router = await startRouter({ SESSION_RECHECK_MS: '300' });
    const phone = await router.signUp();
    const lost = await router.accounts.signInAgain(phone);
    const { encoder, streamId } = await openCamera(router, phone);
    const [staying, going] = [await play(router, phone, streamId), await play(router, lost, streamId)];
    const admin = new pg.Pool({ connectionString: inject('databases').url, max: 1 });
    onTestFinished(() => admin.end());
    await admin.query('DELETE FROM session WHERE token = $1', [lost.token]);
    await going.http.until('its end', () => going.http.isComplete, CLOSE_MS);
    expect((await ask(router, pathOf(streamId), bearer(lost))).status).toBe(401);
    send(encoder, streamId, 1);
    expect(pictureNumber((await staying.next('a picture')).jpeg)).toBe(1);
  });

  test('until the router shuts down, which takes no more', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const { encoder, streamId } = await openCamera(router, anna);
    send(encoder, streamId, 1);
    const player = await play(router, anna, streamId);
    await player.next('the picture');
    const stopped = router.app.drain();
    await player.http.until('its end', () => player.http.isComplete);
    await stopped;
    await player.http.closed();
  });
});
