import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { frameOf, openEncoder, openViewer } from '../support/client.ts';
import { FlakyLink } from '../support/flaky-link.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { collectFaults } from './pages.ts';
import { soon } from './wall-page.ts';

const OPS_TOKEN = 'the-operator-of-this-dashboard';
const PHONE = { width: 390, height: 844 };

describe.skipIf(!hasChromium())('the ops page, in Chromium', () => {
  let router: TestRouter;
  let browser: Browser;

  beforeAll(async () => {
    const env = { OPS_TOKEN, VIEWER_BACKPRESSURE_BYTES: '65536', STREAM_GRACE_MS: '200', STREAM_MAX_FPS: '1000' };
    router = await startTestRouter({ env });
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await router.stop();
  });

  /** The page of this user, in a browser of their own. */
  async function openOps(
    { token }: Account,
    { httpUrl = router.httpUrl, viewport = { width: 1280, height: 800 } } = {},
  ): Promise<{ page: Page; faults: string[] }> {
    const context = await browser.newContext({ viewport });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const faults = collectFaults(page);
    await page.goto(`${httpUrl}/ops?token=${token}`);
    return { page, faults };
  }

  /** A camera that sends pictures of so many bytes, 50 a second. */
  async function startCamera({ token }: Account, streamId: string, bytes = 2_000): Promise<void> {
    const register = { streamId };
    const { encoder } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack', register });
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      encoder.send(frameOf(encoder, streamId, numberedPicture(sent, bytes)));
    }, 20);
    onTestFinished(() => {
      clearInterval(timer);
      encoder.socket.terminate();
    });
  }

  async function watch({ token }: Account, streamId: string, subscribe: object = {}) {
    const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack', subscribe });
    onTestFinished(() => viewer.socket.terminate());
    return viewer;
  }

  const rowOf = (page: Page, words: string) => page.locator('table.connections tbody tr').filter({ hasText: words });
  const shownIn = async (page: Page, chart: string, label: string) =>
    (await page.locator(`.chart:has(#${chart}-title) .line`).filter({ hasText: label }).locator('dd').textContent()) ??
    '';

  test('charts say what happens now, as text, too, and draw it', async () => {
    const anna = await router.signUp();
    const { page, faults } = await openOps(anna);
    await soon(() => shownIn(page, 'frames', 'from cameras')).toBe('0');
    const plot = page.locator('.chart:has(#frames-title) canvas');
    const before = await plot.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    await startCamera(anna, 'gate');
    await watch(anna, 'gate');
    const rateOf = async (label: string) => Number(await shownIn(page, 'frames', label));
    await soon(() => rateOf('from cameras')).toBeGreaterThan(20);
    await soon(() => rateOf('to viewers')).toBeGreaterThan(20);
    await soon(() => plot.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL())).not.toBe(before);
    expect(await shownIn(page, 'memory', 'all of it')).toMatch(/^[\d,]+$/);
    await page.getByText('Everything is delivered. 1 stream, 1 viewer.').waitFor();
    expect(page.url()).not.toContain(anna.token);
    expect(faults).toEqual([]);
  });

  test('the row of a stalled viewer says why, that of a silent page, too, and that of a good one that it is', async () => {
    const anna = await router.signUp();
    await startCamera(anna, 'yard', 100_000);
    const stalled = await watch(anna, 'yard');
    await watch(anna, 'yard', { window: 1 });
    stalled.socket.pause();
    const { page, faults } = await openOps(anna);
    const why = (words: string) => rowOf(page, words).first().waitFor();
    await why('Its network is slow');
    await why('The page has acknowledged nothing for');
    await rowOf(page, 'camera').getByText('Fine.').waitFor();
    await page.locator('#connection', { hasText: 'Some viewers are slow' }).waitFor();
    expect(await page.locator('table.connections tbody tr').count()).toBe(3);
    expect(faults).toEqual([]);
  });

  test('columns sort with the keyboard and say so, and the filter leaves what has its words', async () => {
    const anna = await router.signUp();
    await startCamera(anna, 'cellar');
    await watch(anna, 'cellar');
    const { page } = await openOps(anna);
    const head = page.locator('th', { has: page.getByRole('button', { name: 'Role' }) });
    await head.getByRole('button').focus();
    await page.keyboard.press('Enter');
    const roles = () =>
      page.locator('tbody td.role').evaluateAll((cells) => cells.map(({ firstChild }) => firstChild?.textContent));
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    expect(await roles()).toEqual(['camera', 'viewer']);
    await page.keyboard.press('Enter');
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    expect(await roles()).toEqual(['viewer', 'camera']);
    await page.getByLabel('Filter').fill('camera cellar');
    await soon(roles).toEqual(['camera']);
    await page.getByText('1 of 2 connections').waitFor();
  });

  test('whoever has OPS_TOKEN sees everybody’s with addresses, and a wrong one says so', async () => {
    const [anna, bob] = [await router.signUp(), await router.signUp()];
    await startCamera(bob, 'attic');
    const { page, faults } = await openOps(anna);
    await page.getByText('Nobody is connected.').waitFor();
    await page.getByText('Do you run this router?').click();
    const show = async (token: string) => {
      await page.getByLabel('OPS_TOKEN').fill(token);
      await page.getByRole('button', { name: 'See everybody’s connections' }).click();
    };
    await show('not-the-token-of-the-operator');
    await page.getByText('That is not the OPS_TOKEN of this router.').waitFor();
    await page.getByText('Nobody is connected.').waitFor();
    await show(OPS_TOKEN);
    await rowOf(page, 'attic').getByText('127.0.0.1').waitFor();
    await page.getByRole('button', { name: 'Only mine' }).click();
    await page.getByText('Nobody is connected.').waitFor();
    expect(faults).toEqual([]);
  });

  test('without a session the charts are there, and the table asks for one', async () => {
    const { page, faults } = await openOps({ ...(await router.signUp()), token: 'no-token-of-anybody' });
    await page.getByText('To see connections, show who you are.').waitFor();
    await soon(() => shownIn(page, 'frames', 'from cameras')).not.toBe('–');
    const anna = await router.signUp();
    await page.getByLabel('Session token').fill(anna.token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Nobody is connected.').waitFor();
    expect(faults).toEqual([]);
  });

  test('a router that stops is said to be gone, and found again when one is there at the same address', async () => {
    const first = await startTestRouter();
    const link = await FlakyLink.open(first.port);
    onTestFinished(() => link.close());
    const { page } = await openOps(await first.signUp(), { httpUrl: link.httpUrl });
    const said = page.locator('#headline');
    await said.filter({ hasText: 'All is well' }).waitFor();
    await first.stop();
    await said.filter({ hasText: /Router does not answer: last seen .+ ago, trying again\./ }).waitFor();
    await page.locator('#connection', { hasText: 'Router does not answer' }).waitFor();
    const second = await startTestRouter();
    onTestFinished(() => second.stop());
    link.leadTo(second.port);
    await said.filter({ hasText: 'All is well' }).waitFor();
  });

  test('on a phone the table is cards, and nothing is wider than the screen', async () => {
    const anna = await router.signUp();
    await startCamera(anna, 'a-stream-with-a-name-that-is-longer-than-a-phone-is-wide-by-far-and-then-some');
    const { page } = await openOps(anna, { viewport: PHONE });
    await page.locator('tbody tr').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(PHONE.width);
    const why = await page.locator('tbody td.why').first().boundingBox();
    expect((why?.x ?? 0) + (why?.width ?? 0)).toBeLessThanOrEqual(PHONE.width);
    expect(await page.getByRole('table').getByRole('row').count()).toBe(2);
    await page.getByText(/^1 connection: /).waitFor();
    // The numbers of a card stand in one line, whatever is above them.
    const heights = await page
      .locator('tbody tr')
      .first()
      .locator('td.numeric')
      .evaluateAll((cells) => cells.map((cell) => Number.parseFloat(getComputedStyle(cell, '::before').height)));
    expect(heights).toHaveLength(4);
    expect(new Set(heights).size).toBe(1);
  });
});
