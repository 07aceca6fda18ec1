import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasChromium, launchWholeChromium } from '../support/chromium.ts';
import { openEncoder, openViewer, type TestClient } from '../support/client.ts';
import { FlakyLink } from '../support/flaky-link.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';
import { collectFaults, moves } from './pages.ts';

/** A camera that shows a test picture, and a user who says yes. */
const FLAGS = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

describe.skipIf(!hasChromium())('the camera page, in Chromium', () => {
  let router: TestRouter;
  let browser: Browser;

  beforeAll(async () => {
    router = await startTestRouter({ env: { SESSION_RECHECK_MS: '200', STREAM_GRACE_MS: '200' } });
    browser = await launchWholeChromium(FLAGS);
  });
  afterAll(async () => {
    await browser?.close();
    await router.stop();
  });

  async function openContext(): Promise<BrowserContext> {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    return context;
  }

  /** The page, opened with this token in its address; what its user sees in the form is brought up to date. */
  async function openCamera(token: string, fields: Record<string, string>, httpUrl = router.httpUrl) {
    const page = await (await openContext()).newPage();
    const faults = collectFaults(page);
    await page.goto(`${httpUrl}/camera?token=${token}`);
    for (const [name, value] of Object.entries(fields)) await page.fill(`[name=${name}]`, value);
    return { page, faults };
  }

  test('a camera that is started here shows up on the wall of another browser, by its name, and goes when it is stopped', async () => {
    const { token } = await router.signUp();
    const wall = await (await openContext()).newPage();
    const wallFaults = collectFaults(wall);
    await wall.goto(`${router.httpUrl}/?token=${token}`);
    const { page, faults } = await openCamera(token, { name: 'Front door', streamId: 'front-door' });
    await page.click('text=Start');
    await page.getByText('Live', { exact: true }).waitFor();
    const tile = wall.locator('[data-stream="front-door"]');
    await moves(tile.locator('canvas'));
    await tile.getByText('Front door').waitFor();

    const opening = page.context().waitForEvent('page');
    await page.getByText('See it on the wall').click();
    const opened = await opening;
    faults.push(...collectFaults(opened));
    await moves(opened.locator('[data-stream="front-door"] canvas'));
    await opened.close();

    await page.click('text=Stop');
    await page.getByRole('button', { name: 'Start' }).waitFor();
    await tile.getByText('offline', { exact: true }).waitFor();
    expect([...faults, ...wallFaults]).toEqual([]);
  });

  test('says that nobody watches and films one picture a second, and films as fast as it can when somebody comes', async () => {
    const { token } = await router.signUp();
    const { page, faults } = await openCamera(token, { streamId: 'quiet' });
    await page.selectOption('[name=maxWidth]', '640');
    await page.click('text=Start');
    await page.getByText('Nobody watches just now').waitFor();
    const viewer = await openViewer(router.wsUrl, token, 'quiet', { encoding: 'msgpack' });
    await until('pictures come', () => framesOf(viewer).length > 10);
    await page.getByText('Nobody watches just now').waitFor({ state: 'detached' });
    await until('more than one a second is counted', async () => Number(await page.textContent('#sent-fps')) > 2);

    await page.click('text=Raise an alarm');
    const alert = await viewer.next('alert');
    expect(alert).toMatchObject({ severity: 'critical', streamId: 'quiet' });
    await page.locator('.alerts li').getByText('Alarm').waitFor();
    expect(faults).toEqual([]);
    await viewer.close();
  });

  test('a device that is started as it is, without a word in the form, is the same stream after a reload', async () => {
    const { token } = await router.signUp();
    const { page } = await openCamera(token, {});
    const streamId = await page.inputValue('[name=streamId]');
    await page.click('text=Start');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.reload();
    expect(await page.inputValue('[name=streamId]')).toBe(streamId);
  });

  test('a camera that another app has taken is not called live, and is again when it gives pictures', async () => {
    const { token } = await router.signUp();
    const { page } = await openCamera(token, { streamId: 'borrowed' });
    await page.click('text=Start');
    await page.getByText('Live', { exact: true }).waitFor();
    const mute = (isMuted: boolean) =>
      page.locator('video').evaluate((video: HTMLVideoElement, muted) => {
        const [track] = (video.srcObject as MediaStream).getVideoTracks();
        Object.defineProperty(track, 'muted', { configurable: true, value: muted });
      }, isMuted);
    await mute(true);
    await page.getByText('another app may be using it').waitFor();
    expect(await page.locator('#sent-fps').count()).toBe(0);
    expect(await page.getByText('Live', { exact: true }).count()).toBe(0);
    await mute(false);
    // As when the page is before the others again.
    await page.locator('video').evaluate((video: HTMLVideoElement) => {
      video.pause();
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await until('it shows on', () => page.locator('video').evaluate((video: HTMLVideoElement) => !video.paused));
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await page.getByText('another app may be using it').count()).toBe(0);
  });

  test('where the browser keeps nothing for pages, each of them works all the same, as long as it is open', async () => {
    const { token } = await router.signUp();
    const context = await openContext();
    await context.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        const get = () => {
          throw new DOMException('Access is denied for this document.', 'SecurityError');
        };
        Object.defineProperty(window, name, { get });
      }
    });
    const page = await context.newPage();
    const faults = collectFaults(page);
    await page.goto(`${router.httpUrl}/ops`);
    await page.getByText('Do you run this router?').waitFor();
    await page.goto(`${router.httpUrl}/?token=${token}`);
    await page.getByText('No camera is live yet').waitFor();
    await page.getByRole('button', { name: /^Colours/ }).click();
    await page.goto(`${router.httpUrl}/camera?token=${token}`);
    await page.fill('[name=streamId]', 'forgetful');
    await page.click('text=Start');
    await page.getByText('Live', { exact: true }).waitFor();
    expect(faults).toEqual([]);
  });

  test('a cut of the network is said, and survived; an alarm that is raised meanwhile waits, and is sent after it', async () => {
    const link = await FlakyLink.open(router.port);
    onTestFinished(() => link.close());
    const { token } = await router.signUp();
    const { page } = await openCamera(token, { streamId: 'tunnel' }, link.httpUrl);
    const viewer = await openViewer(router.wsUrl, token, 'tunnel', { encoding: 'msgpack' });
    await page.click('text=Start');
    await until('pictures come', () => framesOf(viewer).length > 2);
    link.isAway = true;
    link.cut();
    await page.getByText('No connection, trying again').waitFor();
    await page.getByText('Live', { exact: true }).waitFor({ state: 'detached' });
    await page.click('text=Raise an alarm');
    await page.getByText('The alarm waits for the connection.').waitFor();
    link.isAway = false;
    const before = framesOf(viewer).length;
    await until('pictures come again', () => framesOf(viewer).length > before);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText(/^Alarm sent at /).waitFor();
    expect(await viewer.next('alert')).toMatchObject({ severity: 'critical', streamId: 'tunnel' });

    link.isAway = true;
    link.cut();
    await page.getByText('No connection, trying again').waitFor();
    await page.click('text=Raise an alarm');
    await page.getByText('The alarm waits for the connection.').waitFor();
    await page.click('text=Stop');
    await page.getByRole('alert').getByText('The alarm was not sent').waitFor();
    await viewer.close();
  });

  test('a session that has ended is said, switches the camera off, and another one can be typed', async () => {
    const account = await router.signUp();
    const { page } = await openCamera(account.token, { streamId: 'ends' });
    await page.click('text=Start');
    await page.getByText('Live', { exact: true }).waitFor();
    await router.accounts.signOut(account);
    await page.getByText(/^Not signed in: /).waitFor();
    expect(await page.locator('video').count()).toBe(0);
    const { token } = await router.accounts.signInAgain(account);
    await page.fill('[name=token]', token);
    await page.click('button:text("Sign in")');
    await page.click('text=Start');
    await page.getByText('Live', { exact: true }).waitFor();
  });

  test('a stream that is another user’s is refused in words, and a new name helps', async () => {
    const { token: others } = await router.signUp();
    const { encoder } = await openEncoder(router.wsUrl, others, { register: { streamId: 'taken' } });
    const { token } = await router.signUp();
    const { page } = await openCamera(token, { streamId: 'taken' });
    await page.click('text=Start');
    await page
      .getByRole('alert')
      .getByText(/another|taken|user/i)
      .waitFor();
    await page.fill('[name=streamId]', 'mine');
    await page.click('text=Start');
    await page.getByText('Live', { exact: true }).waitFor();
    await encoder.close();
  });

  test('a browser that may not use its camera is told what to do', async () => {
    const unwilling = await launchWholeChromium(['--use-fake-device-for-media-stream', '--deny-permission-prompts']);
    onTestFinished(() => unwilling.close());
    const { token } = await router.signUp();
    const page = await (await unwilling.newContext()).newPage();
    await page.goto(`${router.httpUrl}/camera?token=${token}`);
    await page.click('text=Start');
    await page
      .getByRole('alert')
      .getByText(/may not use the camera/)
      .waitFor();
    expect((await router.stats())['activeStreams']).not.toContain(await page.inputValue('[name=streamId]'));
  });

  test('on a phone’s screen nothing is wider than the screen, and everything has a name', async () => {
    const { token } = await router.signUp();
    const { page } = await openCamera(token, { streamId: 'pocket' });
    await page.setViewportSize({ width: 390, height: 844 });
    await expectFits(page);
    await page.keyboard.press('Enter');
    await page.focus('[name=name]');
    await page.keyboard.press('Enter');
    await page.getByText('Live', { exact: true }).waitFor();
    await expectFits(page);
  });
});

async function expectFits(page: Page): Promise<void> {
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
  for (const control of await page.locator('button, a, input, select').all()) {
    const { name, height } = await control.evaluate((element: HTMLInputElement) => ({
      name: element.getAttribute('aria-label') ?? (element.textContent || element.labels?.[0]?.textContent) ?? '',
      height: element.getBoundingClientRect().height,
    }));
    expect(name.trim(), await control.evaluate((element) => element.outerHTML)).not.toBe('');
    expect(height, name).toBeGreaterThanOrEqual(18);
  }
}

function framesOf(viewer: TestClient) {
  return viewer.messages.filter(({ type }) => type === 'video-frame');
}
