import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { frameOf, openEncoder, type TestClient } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { openSite, sendPage } from '../support/web-app.ts';

const walk = readWalk().slice(0, 8);
const DEADLINE_MS = 15_000;
/** What one frame more takes at 10 fps would not show; a picture that waits for the next one would. */
const AT_ONCE_MS = 2_000;

/** Knows the pictures of the walk, and tells which of them an `<img>` shows: by every fourth of its pixels. */
const SCRIPT = `
globalThis.pictures = ${JSON.stringify(walk.map((jpeg) => jpeg.toString('base64')))};
globalThis.print = (image) => {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0;
  for (let at = 0; at < data.length; at += 16) sum = (Math.imul(sum, 31) + data[at]) | 0;
  return sum;
};
globalThis.watch = async (url) => {
  globalThis.prints = [];
  for (const picture of pictures) {
    const image = new Image();
    image.src = 'data:image/jpeg;base64,' + picture;
    await image.decode();
    prints.push(print(image));
  }
  const image = document.createElement('img');
  image.id = 'live';
  image.crossOrigin = 'anonymous';
  image.src = url;
  document.body.append(image);
};
globalThis.shown = () => {
  const image = document.querySelector('#live');
  return image.naturalWidth === 0 ? -1 : prints.indexOf(print(image));
};`;

describe.skipIf(!hasChromium())('live.mjpeg in an <img> of Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  async function world(env: Record<string, string> = {}) {
    const site = await openSite();
    onTestFinished(() => site.close());
    site.serve(sendPage);
    const router = await startTestRouter({ env: { ALLOWED_ORIGINS: site.origin, ...env } });
    onTestFinished(() => router.stop());
    const { token } = await router.signUp();
    const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
    onTestFinished(() => encoder.socket.terminate());
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.addInitScript(SCRIPT);
    await page.goto(site.origin);
    const url = `${router.httpUrl}/streams/${streamId}/live.mjpeg?token=${token}`;
    return { router, encoder, streamId, page, url };
  }

  function send(encoder: TestClient, streamId: string, index: number): void {
    encoder.send(frameOf(encoder, streamId, walk[index] as Buffer));
  }

  async function shows(page: Page, index: number, withinMs = AT_ONCE_MS): Promise<void> {
    const options = { timeout: withinMs, interval: 20, message: `never shown: picture ${index}` };
    await expect.poll(() => page.evaluate('shown()'), options).toBe(index);
  }

  async function isWatched(router: TestRouter): Promise<void> {
    const options = { timeout: DEADLINE_MS, interval: 20 };
    await expect.poll(async () => (await router.stats())['totalVideoConsumers'], options).toBe(1);
  }

  test('each picture shows as soon as it is there, also when no other one follows; the last one stays', async () => {
    const { router, encoder, streamId, page, url } = await world({ STREAM_GRACE_MS: '100' });
    send(encoder, streamId, 0);
    await page.evaluate(`watch(${JSON.stringify(url)})`);
    await shows(page, 0, DEADLINE_MS);
    for (const index of [3, 1, 7, 2]) {
      send(encoder, streamId, index);
      await shows(page, index);
    }
    await encoder.close();
    await expect.poll(async () => (await router.stats())['activeStreams'], { timeout: DEADLINE_MS }).toEqual([]);
    await shows(page, 2);
  });

  test('the first picture of a camera that has taken its time', async () => {
    const { router, encoder, streamId, page, url } = await world();
    await page.evaluate(`watch(${JSON.stringify(url)})`);
    await isWatched(router);
    send(encoder, streamId, 5);
    await shows(page, 5);
  });

  test('a moving picture, of a camera that sends ten a second', async () => {
    const { encoder, streamId, page, url } = await world();
    let number = 0;
    onTestFinished(
      steadily(10, () => {
        number += 1;
        send(encoder, streamId, number % walk.length);
      }),
    );
    await page.evaluate(`watch(${JSON.stringify(url)})`);
    await expect.poll(() => page.evaluate('shown()'), { timeout: DEADLINE_MS }).not.toBe(-1);
    const seen = new Set<unknown>();
    const look = async () => seen.add(await page.evaluate('shown()')).size;
    await expect.poll(look, { timeout: DEADLINE_MS, interval: 20 }).toBeGreaterThan(walk.length / 2);
    expect(seen).not.toContain(-1);
  });
});
