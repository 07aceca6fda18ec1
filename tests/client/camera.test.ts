import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, launchWholeChromium } from '../support/chromium.ts';
import { jpegOf, openViewer, type TestClient } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';
import { bundle, openPage, untilInPage } from './pages.ts';
import { openLink } from './support.ts';

/** A camera that shows a test picture, and a user who says yes. */
const FLAGS = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

describe.skipIf(!hasChromium())('a page that films, in Chromium', () => {
  let router: TestRouter;
  let browser: Browser;
  let script: string;

  beforeAll(async () => {
    router = await startTestRouter();
    browser = await launchWholeChromium(FLAGS);
    script = await bundle(fileURLToPath(new URL('pages/camera-page.ts', import.meta.url)), process.cwd());
  });
  afterAll(async () => {
    await browser?.close();
    await router.stop();
  });

  test('sends what the camera sees, no wider than it should be, as fast as somebody watches, and switches it off', async () => {
    const { token } = await router.signUp();
    const page = await openPage(browser, script);
    await page.evaluate(`connect('${router.httpUrl}', '${token}', 'phone')`);
    await page.evaluate(`film('device', { source: { width: 1280, height: 720 }, fps: 20, maxWidth: 320 })`);
    await untilInPage(page, 'page.encoder.stats.sent > 0');
    // Nobody watches.
    await untilInPage(page, 'page.camera.pace.fps === 1');
    const viewer = await openViewer(router.wsUrl, token, 'phone', { encoding: 'msgpack' });
    await until('pictures come', () => framesOf(viewer).length > 20);
    await untilInPage(page, 'page.camera.pace.fps > 5');
    expect(sizeOf(jpegOf(framesOf(viewer).at(-1) ?? {}))).toEqual({ width: 320, height: 180 });
    const ages = framesOf(viewer).map(({ timestamp }) => Date.now() - timestamp);
    expect(Math.min(...ages)).toBeLessThan(2_000);

    expect(await page.evaluate('page.camera.stream.getVideoTracks()[0].readyState')).toBe('live');
    await page.evaluate('globalThis.track = page.camera.stream.getVideoTracks()[0]; page.camera.stop()');
    expect(await page.evaluate('track.readyState')).toBe('ended');
    const sent = await page.evaluate('page.encoder.stats.sent');
    await until('the stream is quiet', () => viewer.messages.at(-1)?.['status'] === 'online');
    expect(await page.evaluate('page.encoder.stats.sent')).toBe(sent);
    expect(page.faults).toEqual([]);
    await viewer.close();
  });

  test('on a slow network films fewer and then worse pictures, and none that is old arrives', async () => {
    const link = await openLink(router.port);
    link.uploadBitsPerSecond = 600_000;
    const { token } = await router.signUp();
    const page = await openPage(browser, script);
    await page.evaluate(`connect('${link.httpUrl}', '${token}', 'hill')`);
    const viewer = await openViewer(router.wsUrl, token, 'hill', { encoding: 'msgpack' });
    await page.evaluate(`film('painted', { fps: 20, quality: 0.9 })`);
    await untilInPage(page, 'page.camera.pace.quality < 0.9');
    expect(await page.evaluate('page.camera.pace.fps')).toBe(5);
    const before = framesOf(viewer).length;
    const ages: number[] = [];
    await until('pictures come', () => {
      const newest = framesOf(viewer).at(-1);
      if (framesOf(viewer).length > before + ages.length) ages.push(Date.now() - newest?.['timestamp']);
      return ages.length > 3;
    });
    // One of them takes almost a second.
    expect(Math.max(...ages)).toBeLessThan(4_000);
    await viewer.close();
  });

  test('a camera that has frozen, or that another app has taken, sends nothing, is not shown as live, and goes on by itself', async () => {
    const { token } = await router.signUp();
    const page = await openPage(browser, script);
    await page.evaluate(`connect('${router.httpUrl}', '${token}', 'call')`);
    const viewer = await openViewer(router.wsUrl, token, 'call', { encoding: 'msgpack' });
    await page.evaluate(`film('painted', { fps: 10 })`);
    await until('pictures come', () => framesOf(viewer).length > 3);
    expect(await page.evaluate('page.camera.sight')).toBe('moving');
    await page.evaluate('mute(true)');
    expect(await page.evaluate('page.camera.sight')).toBe('muted');
    await until('the stream is quiet', () => viewer.messages.at(-1)?.['status'] === 'online');
    await page.evaluate('pauseVideo()');
    await page.evaluate('mute(false)');
    const before = framesOf(viewer).length;
    await until('pictures come again', () => framesOf(viewer).length > before + 3);
    const atFreeze = await page.evaluate('page.freeze(); page.encoder.stats.sent');
    await untilInPage(page, 'page.camera.sight === "still"');
    // The last picture of all, and one that was being made.
    expect(await page.evaluate('page.encoder.stats.sent')).toBeLessThanOrEqual(Number(atFreeze) + 2);
    await viewer.close();
  });

  test('says when the camera was taken away, and films nothing without a connection', async () => {
    const link = await openLink(router.port);
    const { token } = await router.signUp();
    const page = await openPage(browser, script);
    await page.evaluate(`connect('${link.httpUrl}', '${token}', 'desk')`);
    await page.evaluate(`film('painted', { fps: 10 })`);
    await untilInPage(page, 'page.encoder.stats.sent > 0');
    link.isAway = true;
    link.cut();
    await untilInPage(page, 'page.attempts > 2');
    const { replaced } = (await page.evaluate('page.encoder.stats')) as { replaced: number };
    await untilInPage(page, 'page.attempts > 8');
    expect(await page.evaluate('page.encoder.stats.replaced')).toBe(replaced);
    // As the browser does it when the device is unplugged.
    await page.evaluate('page.camera.stream.getVideoTracks()[0].dispatchEvent(new Event("ended"))');
    expect(await page.evaluate('page.ended')).toBe(1);
  });
});

function framesOf(viewer: TestClient) {
  return viewer.messages.filter(({ type }) => type === 'video-frame');
}

/** From the frame header of a baseline JPEG. */
function sizeOf(jpeg: Buffer): { width: number; height: number } {
  const header = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  return { height: jpeg.readUInt16BE(header + 5), width: jpeg.readUInt16BE(header + 7) };
}
