import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Frame, SubscribeOptions } from '../../src/client/index.ts';
import { openEncoder } from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SlowLink } from '../support/slow-link.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { nowMs } from '../support/watcher.ts';
import { HurriedWorld, newViewer, openLink, quantile, statesOf, untilOpen } from './support.ts';

/** `FULL=1`: as long and as slow as it is promised. Otherwise a line that is four times as fast shows the same sooner. */
const { bitsPerSecond, seconds } =
  process.env['FULL'] === '1' ? { bitsPerSecond: 1_000_000, seconds: 60 } : { bitsPerSecond: 4_000_000, seconds: 8 };
const FRAME_BYTES = 100_000;

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter();
});
afterAll(() => router.stop());

test(`on a line of ${bitsPerSecond / 1e6} Mbit/s pictures of 100 KB are new, with nothing said about a window`, async () => {
  const link = await SlowLink.open(router.port, bitsPerSecond);
  onTestFinished(() => link.close());
  const transferMs = (FRAME_BYTES * 8_000) / bitsPerSecond;
  const { token, film } = await openCamera('slope');
  const viewer = newViewer({ url: `ws://127.0.0.1:${link.port}`, token });
  const ages: number[] = [];
  viewer.subscribe('slope', { onFrame: ({ timestamp }) => ages.push(nowMs() - timestamp) });
  await untilOpen(viewer);
  const camera = film(10, FRAME_BYTES);
  await until('the time is over', () => camera.sent > 10 * seconds, seconds * 2_000);
  camera.stop();
  const [half, p95, max] = [0.5, 0.95, 1].map((part) => Math.round(quantile(ages, part)));
  say(
    `${bitsPerSecond / 1e6} Mbit/s down: ${ages.length} of ${camera.sent} pictures, age p50 ${half} ms, p95 ${p95} ms, max ${max} ms; one takes ${transferMs} ms`,
  );
  // With two frames on their way each would be older by one transfer.
  expect(p95).toBeLessThanOrEqual(1.5 * transferMs + 100);
  expect(ages.length).toBeGreaterThan((seconds * 1_000 * 0.6) / transferMs);
}, 120_000);

test('over a long way a second picture is sent before the first is acknowledged', async () => {
  const link = await openLink(router.port);
  link.delayMs = 50;
  const { token, film } = await openCamera('abroad');
  const watch = async (options: SubscribeOptions) => {
    const viewer = newViewer({ url: link.wsUrl, token });
    const frames: Frame[] = [];
    viewer.subscribe('abroad', { onFrame: (frame) => frames.push(frame), ...options });
    await untilOpen(viewer);
    return { viewer, frames: () => frames.length };
  };
  const [chosen, one] = [await watch({}), await watch({ window: 1 })];
  const camera = film(30, 5_000);
  await until('it has measured the way', () => camera.sent > 45);
  const before = [chosen.frames(), one.frames()] as const;
  await until('three seconds have passed', () => camera.sent > 135);
  const fps = [(chosen.frames() - before[0]) / 3, (one.frames() - before[1]) / 3] as const;
  say(
    `round trip ${Math.round(chosen.viewer.rttMs ?? 0)} ms: ${fps[0].toFixed(1)} fps, with a window of 1 ${fps[1].toFixed(1)} fps`,
  );
  expect(chosen.viewer.rttMs).toBeGreaterThan(95);
  expect(fps[0]).toBeGreaterThan(fps[1] * 1.5);
});

test('a connection that is silently dead is noticed and replaced, and the page is told', async () => {
  const link = await openLink(router.port);
  const { token, film } = await openCamera('tunnel');
  const world = new HurriedWorld();
  const viewer = newViewer({ url: link.wsUrl, token, world });
  const states = statesOf(viewer);
  const numbers: number[] = [];
  viewer.subscribe('tunnel', { onFrame: ({ data }) => numbers.push(pictureNumber(data)) });
  await untilOpen(viewer);
  const camera = film(10, 1_000);
  await until('pictures come', () => numbers.length > 3);
  link.stall();
  await until('it is noticed', () => viewer.state.name !== 'open');
  const deadAt = camera.sent;
  link.goOn();
  await until('new pictures come', () => (numbers.at(-1) ?? 0) > deadAt);
  camera.stop();
  expect(states.find(({ name }) => name === 'waiting')).toMatchObject({
    reason: 'The connection was lost',
    code: 1006,
  });
});

test('a quiet connection is left alone: the router need send nothing for hours', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const world = new HurriedWorld();
  const viewer = newViewer({ url: link.wsUrl, token, world });
  const states = statesOf(viewer);
  viewer.subscribe('nobody', {});
  await untilOpen(viewer);
  await until('twenty looks at the clock', () => world.looks >= 20);
  expect(states.map(({ name }) => name)).toEqual(['connecting', 'open']);
  expect(link.accepted).toBe(1);
});

test('while a router is away the page is told why and until when, and then everything comes back', async () => {
  const link = await openLink(router.port);
  const { token, film } = await openCamera('hill');
  // Not every WebSocket says that it was cut off while it connected.
  const viewer = newViewer({ url: link.wsUrl, token, connectTimeoutMs: 500 });
  const states = statesOf(viewer);
  const frames: Frame[] = [];
  viewer.subscribe('hill', { onFrame: (frame) => frames.push(frame) });
  await untilOpen(viewer);
  film(20, 1_000);
  link.isAway = true;
  link.cut();
  await until('it tries again and again', () => states.filter(({ name }) => name === 'connecting').length > 5);
  const waits = states.filter((state) => state.name === 'waiting');
  expect(waits[0]).toMatchObject({ reason: 'The connection was lost' });
  expect(waits.every(({ retryInMs }) => retryInMs >= 0 && retryInMs <= 100)).toBe(true);
  const before = frames.length;
  link.isAway = false;
  await until('pictures come', () => frames.length > before + 3);
});

async function openCamera(streamId: string) {
  const { token } = await router.signUp();
  const { encoder } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack', register: { streamId } });
  onTestFinished(() => void encoder.socket.terminate());
  const film = (fps: number, bytes: number) => {
    let sent = 0;
    const stop = steadily(fps, () => {
      sent += 1;
      encoder.send({ type: 'video-frame', streamId, data: numberedPicture(sent, bytes), timestamp: nowMs() });
    });
    onTestFinished(stop);
    return {
      get sent() {
        return sent;
      },
      stop,
    };
  };
  return { token, film };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
