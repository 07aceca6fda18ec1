import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { filmSteadily, newEncoder, openLink, quantile, untilOpen, watch } from './support.ts';

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter();
});
afterAll(() => router.stop());

describe('while the network stands still', () => {
  test('no more than half a second of pictures gets stuck in it, and what comes after is new', async () => {
    const fps = 30;
    const stallMs = 2_500;
    const link = await openLink(router.port);
    const { token } = await router.signUp();
    const encoder = newEncoder({ url: link.wsUrl, token, streamId: 'porch' });
    await untilOpen(encoder);
    const watcher = await watch(router, token, 'porch');
    const film = filmSteadily(encoder, fps, 50_000);
    await until('pictures come', () => watcher.frames.length >= fps);

    const stalledMs = Date.now();
    link.stall();
    await until('the stall is over', () => Date.now() - stalledMs > stallMs);
    const goneOnMs = Date.now();
    link.goOn();
    await until('new pictures come', () => (watcher.frames.at(-1)?.sentMs ?? 0) > goneOnMs + 500);
    film.stop();

    const after = watcher.frames.filter(({ atMs }) => atMs > goneOnMs);
    const stuck = after.filter(({ sentMs }) => sentMs < goneOnMs - 500);
    const longestMs = Math.max(...stuck.map(({ sentMs }) => sentMs)) - stalledMs;
    process.stdout.write(`stall of ${stallMs} ms: ${stuck.length} old pictures came after it, of ${longestMs} ms\n`);
    expect(longestMs).toBeLessThan(1_000);
    expect(encoder.stats.replaced).toBeGreaterThan((stallMs / 1_000 - 1.2) * fps);
    // In order, none twice.
    const numbers = watcher.frames.map(({ number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
    await watcher.close();
  });

  test('never more than one picture lies in the socket, and the one that waits is the newest', async () => {
    const bytes = 6_000_000;
    const link = await openLink(router.port);
    const { token } = await router.signUp();
    const encoder = newEncoder({ url: link.wsUrl, token, streamId: 'shed' });
    await untilOpen(encoder);
    const watcher = await watch(router, token, 'shed');
    link.stall();
    let most = 0;
    let sent = 0;
    const film = steadily(10, () => {
      sent += 1;
      encoder.send(numberedPicture(sent, bytes));
      most = Math.max(most, encoder.bufferedBytes);
    });
    await until('twenty were taken', () => sent >= 20);
    film();
    // More than the kernel takes, so that there is something to see; and one frame, not two.
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(bytes + 1_000);
    expect(encoder.stats.sent).toBe(1);
    link.goOn();
    await until('the last one is there', () => watcher.frames.at(-1)?.number === sent);
    expect(watcher.frames.map(({ number }) => number)).toEqual([1, sent]);
    await watcher.close();
  });
});

test('on a line that carries a third of what the camera makes, pictures are new all the time', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: link.wsUrl, token, streamId: 'barn' });
  await untilOpen(encoder);
  const watcher = await watch(router, token, 'barn');
  const bytes = 50_000;
  link.uploadBitsPerSecond = 4_000_000;
  const transferMs = (bytes * 8_000) / link.uploadBitsPerSecond;
  const film = filmSteadily(encoder, 30, bytes);
  await until('some seconds have passed', () => film.sent >= 150);
  film.stop();
  const ages = watcher.frames.map(({ atMs, sentMs }) => atMs - sentMs);
  const [half, p95] = [quantile(ages, 0.5), quantile(ages, 0.95)].map(Math.round);
  process.stdout.write(
    `4 Mbit/s up, 12 wanted: ${ages.length} of ${film.sent} pictures, age p50 ${half} ms, p95 ${p95} ms\n`,
  );
  expect(quantile(ages, 0.95)).toBeLessThan(5 * transferMs + 200);
  // Not by leaving the line idle.
  expect(ages.length).toBeGreaterThan((0.6 * film.sent * 1_000) / 30 / transferMs);
  await watcher.close();
});
