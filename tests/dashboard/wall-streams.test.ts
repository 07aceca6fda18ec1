import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { moves } from './pages.ts';
import { drawnFps, hide, openWall, playWalk, soon, startRouter, tileOf } from './wall-page.ts';

const PHONE = { width: 390, height: 844 };

describe.skipIf(!hasChromium())('the tiles of the wall, in Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  /** A router with so many cameras, named so that their order is that of their numbers, and the page. */
  async function wallOf(
    cameras: number,
    { fps = 20, ...options }: Parameters<Browser['newContext']>[0] & { fps?: number } = {},
  ) {
    const router = await startRouter();
    const { token } = await router.signUp();
    const numbers = Array.from({ length: cameras }, (_, number) => number + 1);
    const playing = await Promise.all(
      numbers.map((number) => playWalk(router, token, { streamId: `s${number}`, deviceName: `Camera ${number}`, fps })),
    );
    const page = await openWall(browser, `${router.httpUrl}/?token=${token}`, options);
    for (const number of numbers)
      await tileOf(page, `s${number}`).getByText(`Camera ${number}`, { exact: true }).waitFor();
    return { router, token, page, playing };
  }

  test('six are thumbnails of a few frames a second; the one that is opened has its full rate, the others fewer still', async () => {
    const { page } = await wallOf(6);
    for (const id of ['s1', 's6']) await moves(tileOf(page, id).locator('canvas'));
    expect(await drawnFps(tileOf(page, 's2'), 3)).toBeLessThan(7);
    await tileOf(page, 's2').locator('.cover').click();
    await page.locator('[data-stream=s2][data-open=true]').waitFor();
    // Of 20, and of 2; a busy machine draws fewer, and never more.
    await soon(() => drawnFps(tileOf(page, 's2'), 2)).toBeGreaterThan(7);
    expect(await drawnFps(tileOf(page, 's1'), 3)).toBeLessThan(4);
    const [large, small] = await Promise.all(['s2', 's1'].map((id) => tileOf(page, id).boundingBox()));
    expect(large?.width).toBeGreaterThan((small?.width ?? 0) * 3);
  });

  test('two are at full rate, and the user’s choice holds after a reload', async () => {
    const { page } = await wallOf(2);
    await moves(tileOf(page, 's1').locator('canvas'));
    await soon(() => drawnFps(tileOf(page, 's1'), 2)).toBeGreaterThan(7);
    await page.getByLabel('Pictures').selectOption({ label: '1 a second' });
    await soon(() => drawnFps(tileOf(page, 's1'), 2)).toBeLessThan(3);
    await page.reload();
    expect(await page.getByLabel('Pictures').inputValue()).toBe('1');
  });

  test('what is not on the screen, or in a page that is hidden, is not sent', async () => {
    const { page, router } = await wallOf(5, { viewport: { width: 390, height: 500 } });
    await moves(tileOf(page, 's1').locator('canvas'));
    await tileOf(page, 's5').scrollIntoViewIfNeeded();
    await moves(tileOf(page, 's5').locator('canvas'));
    await page.evaluate('scrollTo(0, 0)');
    // Frames that were offered to somebody: of the one or two streams that can be seen.
    await soon(async () => {
      const before = (await router.stats())['frames'];
      const fps = await drawnFps(tileOf(page, 's1'), 2);
      const after = (await router.stats())['frames'];
      expect(fps).toBeGreaterThan(5);
      return (after.offered - before.offered) / (after.received - before.received);
    }).toBeLessThan(0.55);

    // A page behind another tab; headless browsers say so only when told to.
    await hide(page, true);
    await soon(async () => {
      const before = (await router.stats())['frames'];
      const received = async () => (await router.stats())['frames'].received;
      await soon(received).toBeGreaterThan(before.received + 50);
      return (await router.stats())['frames'].offered - before.offered;
    }).toBe(0);
    await hide(page, false);
    await moves(tileOf(page, 's1').locator('canvas'));
  });

  test('everything can be done with the keyboard, and the address follows', async () => {
    const { page, router } = await wallOf(4, { fps: 5 });
    const focused = () => page.evaluate('document.activeElement.getAttribute("aria-label")');
    await tileOf(page, 's1').locator('.cover').focus();
    expect(await focused()).toMatch(/^Camera 1, /);
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toMatch(/^Camera 2, /);
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toMatch(/^Camera 4, /);
    await page.keyboard.press('Home');
    expect(await focused()).toMatch(/^Camera 1, streaming, about \d+ frames a second\. Open$/);
    // One stop on the way through the page, however many tiles there are.
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.closest(".tiles")')).toBeNull();
    await page.keyboard.press('Shift+Tab');
    expect(await focused()).toMatch(/^Camera 1, /);

    await page.keyboard.press('Enter');
    await page.locator('[data-stream=s1][data-open=true]').waitFor();
    expect(page.url()).toBe(`${router.httpUrl}/?stream=s1`);
    expect(await focused()).toBe('Close Camera 1');
    await page.keyboard.press('ArrowRight');
    await page.locator('[data-stream=s2][data-open=true]').waitFor();
    expect(page.url()).toBe(`${router.httpUrl}/?stream=s2`);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await page.locator('[data-stream=s4][data-open=true]').waitFor();
    await page.keyboard.press('Escape');
    await soon(() => page.locator('[data-open=true]').count()).toBe(0);
    expect(page.url()).toBe(`${router.httpUrl}/`);
    expect(await focused()).toMatch(/^Camera 4, /);

    await page.goBack();
    await page.locator('[data-stream=s4][data-open=true]').waitFor();
    await page.getByRole('button', { name: 'Close Camera 4' }).click();
    // In a text field keys mean what they always mean.
    await page.locator('.filters summary').press('Enter');
    await page.getByLabel('Text').fill('ab');
    await page.getByLabel('Text').press('ArrowLeft');
    expect(await page.evaluate('document.activeElement.selectionStart')).toBe(1);
  });

  test('full screen goes on from stream to stream, shows alerts over them, and is left with the stream', async () => {
    const { page, playing } = await wallOf(3, { fps: 10 });
    const isFull = () => page.evaluate('document.fullscreenElement !== null');
    const inTheMiddle = () =>
      page.evaluate('document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest("li")?.dataset.stream');
    await tileOf(page, 's1').locator('.cover').click();
    await page.getByRole('button', { name: 'Full screen' }).click();
    await soon(isFull).toBe(true);
    await soon(inTheMiddle).toBe('s1');
    await page.getByRole('button', { name: 'Next stream' }).click();
    await soon(inTheMiddle).toBe('s2');
    await moves(tileOf(page, 's2').locator('canvas'));
    expect(await tileOf(page, 's2').boundingBox()).toEqual(await page.locator('html').boundingBox());
    expect(await Promise.all(['s1', 's3'].map((id) => tileOf(page, id).isVisible()))).toEqual([false, false]);
    playing[2]?.alert('high', 'Somebody at the third');
    await page.locator('.toast .message', { hasText: 'Somebody at the third' }).click();
    await soon(inTheMiddle).toBe('s3');
    expect(await isFull()).toBe(true);
    await page.getByRole('button', { name: 'Close Camera 3' }).click();
    await soon(isFull).toBe(false);
    await soon(() => tileOf(page, 's1').isVisible()).toBe(true);
  });

  test('on a phone it is one column that never scrolls sideways, with large buttons, and alerts in a tab of their own', async () => {
    const { page } = await wallOf(3, { viewport: PHONE, fps: 5 });
    const [first, second] = await Promise.all(['s1', 's2'].map((id) => tileOf(page, id).boundingBox()));
    expect(first?.x).toBe(second?.x);
    expect(first?.width).toBeGreaterThan(340);
    await expectNoSidewaysScroll(page);
    await tileOf(page, 's1').locator('.cover').click();
    await page.locator('[data-stream=s1][data-open=true]').waitFor();
    await expectNoSidewaysScroll(page);
    for (const name of ['Next stream', 'Close Camera 1']) {
      const box = await page.getByRole('button', { name }).boundingBox();
      expect(Math.min(box?.width ?? 0, box?.height ?? 0), name).toBeGreaterThanOrEqual(44);
    }
    const alerts = page.getByRole('button', { name: 'Alerts' });
    expect((await alerts.boundingBox())?.height).toBeGreaterThanOrEqual(44);
    await alerts.click();
    await page.getByText('None yet.').waitFor();
    expect(await page.locator('#streams').isVisible()).toBe(false);
    await expectNoSidewaysScroll(page);
  });

  test('everything that can be pressed has a name, every picture words in its place', async () => {
    const { page } = await wallOf(2, { fps: 5 });
    await expectNames(page);
    await tileOf(page, 's1').locator('.cover').click();
    await page.locator('[data-stream=s1][data-open=true]').waitFor();
    await expectNames(page);
    expect(await page.locator('h1').count()).toBe(1);
    expect(await page.getAttribute('html', 'lang')).toBe('en');
  });
});

async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const [scroll, client] = (await page.evaluate(
    '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
  )) as [number, number];
  expect(scroll).toBe(client);
}

async function expectNames(page: Page): Promise<void> {
  const nameless = await page.evaluate(() => {
    const names = (element: Element) =>
      element.getAttribute('aria-label') ??
      (element instanceof HTMLInputElement || element instanceof HTMLSelectElement
        ? element.labels?.[0]?.textContent
        : element.textContent);
    const pressed = [...document.querySelectorAll('button, a, input, select, summary, canvas')];
    const pictures = [...document.querySelectorAll('img:not([alt])')];
    return [...pressed.filter((element) => !names(element)?.trim()), ...pictures].map(({ outerHTML }) => outerHTML);
  });
  expect(nameless).toEqual([]);
}
