import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { openEncoder } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { bundle, openPage, untilInPage } from './pages.ts';
import { openLink } from './support.ts';

const walk = readWalk();
const PICTURE = 'document.querySelectorAll("img")';

describe.skipIf(!hasChromium())('React hooks, in Chromium, in strict mode', () => {
  let router: TestRouter;
  let browser: Browser;
  let script: string;

  beforeAll(async () => {
    router = await startTestRouter();
    browser = await launchChromium();
    // The development build of React: only that mounts everything twice in strict mode.
    script = await bundle(fileURLToPath(new URL('pages/react-page.ts', import.meta.url)), process.cwd(), 'development');
  });
  afterAll(async () => {
    await browser?.close();
    await router.stop();
  });

  test('show the picture, the status, the streams and the alerts, on one connection, and leave nothing behind', async () => {
    const link = await openLink(router.port);
    const { token } = await router.signUp();
    const camera = await playWalk(token, 'gate');
    const page = await openPage(browser, script);
    const knobs = { url: link.httpUrl, token, streamId: 'gate', pictures: 'url' };
    await page.evaluate(`mount(${JSON.stringify(knobs)})`);
    await untilInPage(page, `[...${PICTURE}].filter(({ naturalWidth }) => naturalWidth === 768).length === 2`);
    for (const _change of [1, 2, 3]) {
      await page.evaluate(`globalThis.lastSeen = ${PICTURE}[0].src`);
      await untilInPage(page, `${PICTURE}[0].src !== lastSeen && ${PICTURE}[0].naturalWidth === 768`);
    }
    await untilInPage(page, 'document.querySelector("figure").dataset.status === "streaming"');
    expect(await page.locator('#streams').textContent()).toBe('gate streaming');
    expect(await page.locator('#state').textContent()).toBe('open');
    expect(await page.locator('#more').textContent()).toBe('viewer');
    for (const message of ['One', 'Two', 'Three', 'Four']) camera.alert(message);
    await untilInPage(page, 'document.querySelector("#alerts").textContent === "Four, Three, Two"');
    // Strict mode has mounted everything twice; still one socket.
    expect(await page.evaluate('counts.mounts')).toBe(2);
    expect([link.accepted, await page.evaluate('counts.sockets')]).toEqual([1, 1]);

    // Each of the two has the picture it shows and the next one.
    expect(await page.evaluate('counts.mostUrls')).toBeLessThanOrEqual(4);
    await page.evaluate('turn({ pictures: "none" })');
    await untilInPage(page, 'counts.urls.size === 0');
    await page.evaluate('turn({ pictures: "url" })');
    await untilInPage(page, `${PICTURE}[1]?.naturalWidth === 768`);
    await page.evaluate('unmount()');
    await untilInPage(page, 'counts.urls.size === 0');
    await until('the connection is closed', () => link.connections === 0);
    expect(page.faults).toEqual([]);
  });

  test('draw on a canvas without rendering for each picture', async () => {
    const { token } = await router.signUp();
    await playWalk(token, 'yard');
    const page = await openPage(browser, script);
    const knobs = { url: router.httpUrl, token, streamId: 'yard', pictures: 'canvas' };
    await page.evaluate(`mount(${JSON.stringify(knobs)})`);
    await untilInPage(page, 'document.querySelector("canvas")?.width === 768');
    const pixels = 'document.querySelector("canvas").toDataURL()';
    for (const _change of [1, 2]) {
      await page.evaluate(`globalThis.lastSeen = ${pixels}`);
      await untilInPage(page, `${pixels} !== lastSeen`);
    }
    await page.evaluate('counts.renderings = { canvas: 0, url: 0 }');
    await untilInPage(page, 'counts.renderings.url >= 40');
    expect(await page.evaluate('counts.renderings.canvas')).toBeLessThan(10);
    // Only the other one, without a canvas, has an image.
    expect(await page.evaluate(`${PICTURE}.length`)).toBe(1);
    await untilInPage(page, 'document.querySelector("figure").dataset.age !== ""');
    expect(page.faults).toEqual([]);
  });

  test('another stream or another token shows nothing of the one before, and says why there is nothing', async () => {
    const [anna, bob] = [await router.signUp(), await router.signUp()];
    await playWalk(anna.token, 'bedroom');
    const page = await openPage(browser, script);
    const knobs = { url: router.httpUrl, token: anna.token, streamId: 'bedroom', pictures: 'url' };
    await page.evaluate(`mount(${JSON.stringify(knobs)})`);
    await untilInPage(page, `${PICTURE}[1]?.naturalWidth === 768`);
    await page.evaluate('turn({ streamId: "empty" })');
    await untilInPage(page, `${PICTURE}.length === 0 && document.querySelector("figure").dataset.status === "offline"`);
    await page.evaluate('turn({ streamId: "bedroom" })');
    await untilInPage(page, `${PICTURE}[1]?.naturalWidth === 768`);
    await page.evaluate(`turn({ token: ${JSON.stringify(bob.token)} })`);
    await untilInPage(page, 'document.querySelector("figcaption").textContent.includes("not yours to watch")');
    expect(await page.evaluate(`${PICTURE}.length`)).toBe(0);
    expect(await page.locator('#streams').textContent()).toBe('');
    await page.evaluate('turn({ token: "wrong" })');
    await untilInPage(page, 'document.querySelector("#state").textContent.startsWith("Not signed in")');
  });

  test('over a cut the page says so, and the picture goes on', async () => {
    const link = await openLink(router.port);
    const { token } = await router.signUp();
    await playWalk(token, 'barn');
    const page = await openPage(browser, script);
    const knobs = { url: link.httpUrl, token, streamId: 'barn', pictures: 'url' };
    await page.evaluate(`mount(${JSON.stringify(knobs)})`);
    await untilInPage(page, `${PICTURE}[0]?.naturalWidth === 768`);
    link.isAway = true;
    link.cut();
    await untilInPage(page, 'document.querySelector("#state").textContent === "The connection was lost"');
    link.isAway = false;
    await untilInPage(page, 'document.querySelector("#state").textContent === "open"');
    await page.evaluate(`globalThis.lastSeen = ${PICTURE}[0].src`);
    await untilInPage(page, `${PICTURE}[0].src !== lastSeen`);
  });

  /** A camera that plays the walk; ends with the test. */
  async function playWalk(token: string, streamId: string): Promise<{ alert: (message: string) => void }> {
    const register = { streamId, produces: ['video-frame', 'alert'] };
    const { encoder } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack', register });
    let sent = 0;
    const stop = steadily(15, () => {
      encoder.send({ type: 'video-frame', streamId, data: walk[sent % walk.length], timestamp: Date.now() });
      sent += 1;
    });
    onTestFinished(() => {
      stop();
      encoder.socket.terminate();
    });
    return { alert: (message) => encoder.send({ type: 'alert', streamId, severity: 'low', message }) };
  }
});
