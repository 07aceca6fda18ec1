import { encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type ServerProcess, startServer } from '../../bench/support/server-process.ts';
import { openEncoder } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SlowLink } from '../support/slow-link.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { nowMs, Watcher } from '../support/watcher.ts';

/** `FULL=1`: as long and as slow as it is judged. Otherwise a line that is four times as fast shows the same sooner. */
const { bitsPerSecond, seconds } =
  process.env['FULL'] === '1' ? { bitsPerSecond: 1_000_000, seconds: 60 } : { bitsPerSecond: 4_000_000, seconds: 8 };
const FPS = 10;
const FRAME_BYTES = 100_000;
/** How long one frame takes to get through the line. */
const TRANSFER_MS = (FRAME_BYTES * 8_000) / bitsPerSecond;

let router: TestRouter;
let plainServer: ServerProcess;

beforeAll(async () => {
  router = await startTestRouter();
  plainServer = await startServer(new URL('../../dist/bench/servers/uws-publish.js', import.meta.url));
});
afterAll(async () => {
  plainServer.stop();
  await router.stop();
});

test(`on a line of ${bitsPerSecond / 1e6} Mbit/s a viewer with a window of 2 sees pictures at most ${2 * TRANSFER_MS + 200} ms old; beside a plain publish server it lags ever more`, async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const publisher = new WebSocket(`ws://127.0.0.1:${plainServer.port}/pub/${streamId}`);
  await new Promise((resolve) => publisher.once('open', resolve));
  const links: SlowLink[] = [];
  const watch = async (port: number, path: string, subscribe?: { streamId: string; window?: number }) => {
    const link = await SlowLink.open(port, bitsPerSecond);
    links.push(link);
    return new Watcher(`ws://127.0.0.1:${link.port}${path}`, subscribe);
  };
  const path = `/streams/subscribe?token=${token}`;
  const watchers = {
    'window 1': await watch(router.port, path, { streamId, window: 1 }),
    'window 2': await watch(router.port, path, { streamId, window: 2 }),
    'no window': await watch(router.port, path, { streamId }),
    'plain publish server': await watch(plainServer.port, `/sub/${streamId}`),
  };
  const { 'plain publish server': beside, ...ours } = watchers;
  await until('all watch', () => Object.values(ours).every(({ success }) => success !== undefined));

  let sent = 0;
  const stop = steadily(FPS, () => {
    sent += 1;
    const data = numberedPicture(sent, FRAME_BYTES);
    const frame = encode({ type: 'video-frame', streamId, data, timestamp: nowMs() });
    encoder.sendRaw(frame);
    publisher.send(frame);
  });
  await until('the time is over', () => sent > FPS * seconds, seconds * 2_000);
  stop();

  const ages = (watcher: Watcher) => watcher.frames.map(({ atMs, sentMs }) => atMs - sentMs);
  for (const [name, watcher] of Object.entries(watchers)) {
    const [half, p95, max] = [0.5, 0.95, 1].map((part) => `${Math.round(quantile(ages(watcher), part))} ms`);
    say(`${name}: ${watcher.frames.length} of ${sent} frames, age p50 ${half}, p95 ${p95}, max ${max}`);
  }
  const limitMs = 2 * TRANSFER_MS + 200;
  for (const windowed of [watchers['window 1'], watchers['window 2']]) {
    expect(quantile(ages(windowed), 0.95)).toBeLessThanOrEqual(limitMs);
    expect(windowed.errors).toEqual([]);
  }
  // Not by leaving the line idle.
  const passable = (seconds * 1_000) / TRANSFER_MS;
  expect(watchers['window 2'].frames.length).toBeGreaterThan(passable * 0.85);
  expect(watchers['window 1'].frames.length).toBeGreaterThan(passable * 0.6);

  const lag = ages(beside);
  expect(quantile(lag, 0.95)).toBeGreaterThan(3 * limitMs);
  const middle = Math.floor(lag.length / 2);
  expect(quantile(lag.slice(middle), 0.5)).toBeGreaterThan(1.5 * quantile(lag.slice(0, middle), 0.5));

  publisher.terminate();
  for (const link of links) link.close();
  await Promise.all([encoder.close(), ...Object.values(watchers).map(({ closed }) => closed)]);
}, 120_000);

/** The smallest value that is not below so much of them. */
function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

function say(line: string): void {
  process.stdout.write(`${bitsPerSecond / 1e6} Mbit/s, ${seconds} s, ${line}\n`);
}
