import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasChromium, launchChromium, launchWholeChromium } from '../support/chromium.ts';
import { FlakyLink } from '../support/flaky-link.ts';
import { startTestMlService } from '../support/ml-service.ts';
import { hide, openWall, playWalk, soon, startRouter, tileOf } from './wall-page.ts';

describe.skipIf(!hasChromium())('alerts on the wall, in Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  async function world(options: Parameters<Browser['newContext']>[0] = {}, where = browser) {
    const router = await startRouter();
    const { token } = await router.signUp();
    const gate = await playWalk(router, token, { streamId: 'gate', deviceName: 'Gate', fps: 5 });
    const yard = await playWalk(router, token, { streamId: 'yard', deviceName: 'Yard', fps: 5 });
    const open = () => openWall(where, `${router.httpUrl}/?token=${token}`, options);
    const page = await open();
    await tileOf(page, 'gate').getByText('Gate', { exact: true }).waitFor();
    return { router, token, gate, yard, page, open };
  }

  test('one comes as a toast and in the list, once, also after a reload; its box is drawn over the picture for a moment', async () => {
    const { gate, yard, page } = await world();
    await tileOf(page, 'gate').locator('.rate').waitFor();
    gate.alert('high', 'Person at the gate', { bbox: { x: 100, y: 200, w: 50, h: 80 }, objectType: 'Person' });
    const toast = page.locator('.toast', { hasText: 'Person at the gate' });
    await toast.waitFor();
    expect(await toast.getAttribute('role')).toBe('alert');
    const box = tileOf(page, 'gate').locator('.boxes rect');
    await box.waitFor();
    expect(await box.evaluate((rect) => ['x', 'y', 'width', 'height'].map((name) => rect.getAttribute(name)))).toEqual([
      '100',
      '200',
      '50',
      '80',
    ]);
    expect(await tileOf(page, 'gate').locator('.boxes text').textContent()).toBe('Person');
    await soon(() => box.count()).toBe(0);

    yard.alert('low', 'Cat');
    const calm = page.locator('.toast', { hasText: 'Cat' });
    await calm.waitFor();
    expect(await calm.getAttribute('role')).toBe('status');
    expect(await page.locator('#alerts .message').allTextContents()).toEqual(['Cat', 'Person at the gate']);
    await page.reload();
    await soon(() => page.locator('#alerts .message').allTextContents()).toEqual(['Cat', 'Person at the gate']);
    expect(await page.locator('.toast').count()).toBe(0);
    yard.alert('low', 'Dog');
    await soon(() => page.locator('#alerts .message').allTextContents()).toEqual(['Dog', 'Cat', 'Person at the gate']);
  });

  test('a toast leads to its stream; of a flood four are shown, the critical one stays, and the rest is counted', async () => {
    const { gate, yard, page } = await world();
    yard.alert('critical', 'Fire');
    await page.locator('.toast', { hasText: 'Fire' }).waitFor();
    for (let number = 1; number <= 15; number += 1) gate.alert('low', `Leaf ${number}`);
    await page.getByText('and 12 more').waitFor();
    expect(await page.locator('.toast .message').allTextContents()).toEqual(['Leaf 15', 'Leaf 14', 'Leaf 13', 'Fire']);
    // As in browsers that say nothing when what has the focus is taken away.
    await page.evaluate("addEventListener('focusout', (event) => event.stopImmediatePropagation(), true)");
    await page.getByRole('button', { name: 'Dismiss: Leaf 14' }).press('Enter');
    await soon(() => page.locator('.toast .message').count()).toBe(3);
    // The button that had the focus is gone, and holds nothing back any more.
    await soon(() => page.locator('.toast .message').allTextContents()).toEqual(['Fire']);
    await page.getByText('and 12 more').click();
    await soon(() => page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Alerts');
    await page.locator('.toast .message', { hasText: 'Fire' }).click();
    await page.locator('[data-stream=yard][data-open=true]').waitFor();
    await soon(() => page.locator('.toast', { hasText: 'Fire' }).count()).toBe(0);
  });

  test('muted, they come into the list alone', async () => {
    const { gate, page } = await world();
    gate.alert('high', 'One');
    await page.locator('.toast', { hasText: 'One' }).waitFor();
    await page.getByRole('button', { name: 'Mute' }).click();
    await soon(() => page.locator('.toast').count()).toBe(0);
    gate.alert('critical', 'Two');
    await page.locator('#alerts .message', { hasText: 'Two' }).waitFor();
    expect(await page.locator('.toast').count()).toBe(0);
    await page.reload();
    expect(await page.getByRole('button', { name: 'Mute' }).getAttribute('aria-pressed')).toBe('true');
  });

  test('the list is filtered by severity, stream, text and time', async () => {
    const { gate, yard, page } = await world();
    const messages = page.locator('#alerts .message');
    gate.alert('high', 'Person');
    gate.alert('low', 'Cat');
    yard.alert('low', 'Dog');
    await soon(() => messages.count()).toBe(3);
    await page.locator('.filters summary').click();
    await page.getByLabel('low').uncheck();
    await soon(() => messages.allTextContents()).toEqual(['Person']);
    await page.getByText('2 others are kept out by the filter.').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.locator('[name=stream]').selectOption({ label: 'Yard' });
    await soon(() => messages.allTextContents()).toEqual(['Dog']);
    await page.getByLabel('Text').fill('nothing like this');
    await page.getByText('None of them fits the filter.').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByLabel('Text').fill('gate');
    await soon(async () => (await messages.allTextContents()).toSorted()).toEqual(['Cat', 'Person']);
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByLabel('Time').selectOption('the last 15 minutes');
    await soon(() => messages.count()).toBe(3);
    // Time goes on, and nothing else happens.
    await page.evaluate(() => {
      const now = Date.now.bind(Date);
      Date.now = () => now() + 16 * 60_000;
    });
    await soon(() => messages.count()).toBe(0);
  });

  test('older ones are fetched page by page, and none of them twice', async () => {
    const { gate, page, open } = await world();
    for (let number = 1; number <= 70; number += 1) gate.alert('low', `no. ${number}`);
    await page.locator('#alerts .message', { hasText: 'no. 70' }).waitFor();
    const later = await open();
    await soon(() => later.locator('#alerts li').count()).toBe(50);
    await later.getByRole('button', { name: 'Older alerts' }).click();
    await soon(() => later.locator('#alerts li').count()).toBe(70);
    const expected = Array.from({ length: 70 }, (_, number) => `no. ${70 - number}`);
    expect(await later.locator('#alerts .message').allTextContents()).toEqual(expected);
    expect(await later.getByRole('button', { name: 'Older alerts' }).count()).toBe(0);
  });

  test('an alert that is opened shows the picture that was seen, with the box in it, how long it took, and what the service said', async () => {
    let isFirst = true;
    const ml = await startTestMlService(({ body }) => {
      const alerts = isFirst
        ? [
            {
              streamId: body['frames'][0].streamId,
              severity: 'high',
              message: 'Person',
              metadata: { personCount: 2, bbox: { x: 10, y: 20, w: 100, h: 200 } },
            },
          ]
        : [];
      isFirst = false;
      return { status: 200, body: { alerts } };
    });
    onTestFinished(() => ml.stop());
    const router = await startRouter({ env: { ML_SERVICE_URL: ml.url, ML_PROTOCOL: 'batch' } });
    const { token } = await router.signUp();
    const camera = await playWalk(router, token, { streamId: 'gate', fps: 5 });
    const page = await openWall(browser, `${router.httpUrl}/?token=${token}`);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const seen = page.locator('#alerts li', { hasText: 'Person' });
    await seen.waitFor();
    expect(asked.filter((path) => path.endsWith('frame.jpg'))).toEqual([]);
    await seen.locator('.head').click();
    const image = seen.locator('.evidence img');
    await soon(() => image.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(768);
    expect(await image.getAttribute('alt')).toContain('Person');
    await seen.locator('.boxes rect').waitFor();
    expect(await seen.locator('.boxes').getAttribute('viewBox')).toBe('0 0 768 576');
    await seen.getByText(/^Seen \d.* after the camera took the picture\.$/).waitFor();
    expect(await seen.locator('dl').textContent()).toContain('person count2');
    const url = await image.getAttribute('src');
    await seen.locator('.head').click();
    await soon(() => image.count()).toBe(0);
    // A picture that nobody sees any more takes no memory.
    const load = `new Promise((done) => Object.assign(new Image(), { onload: () => done('there'), onerror: () => done('gone'), src: ${JSON.stringify(url)} }))`;
    expect(await page.evaluate(load)).toBe('gone');

    camera.alert('low', 'Without a picture');
    const other = page.locator('#alerts li', { hasText: 'Without a picture' });
    await other.locator('.head').click();
    await other.getByText('No picture was kept.').waitFor();
  });

  test('those of a cut come when the connection is back; what the router has forgotten is said', async () => {
    const first = await startRouter();
    const { token } = await first.signUp();
    const link = await FlakyLink.open(first.port);
    onTestFinished(() => link.close());
    const camera = await playWalk(first, token, { streamId: 'gate', fps: 5 });
    const page = await openWall(browser, `${link.httpUrl}/?token=${token}`);
    camera.alert('low', 'Before');
    await page.locator('#alerts .message', { hasText: 'Before' }).waitFor();
    link.isAway = true;
    link.cut();
    await soon(() => page.locator('#connection').textContent()).toContain('No connection');
    camera.alert('high', 'Meanwhile');
    link.isAway = false;
    await soon(() => page.locator('#alerts .message').allTextContents()).toEqual(['Meanwhile', 'Before']);
    expect(await page.getByText('has forgotten some alerts').count()).toBe(0);

    // Another router remembers nothing of the first.
    await first.stop();
    const second = await startRouter();
    link.leadTo(second.port);
    await page.getByText('has forgotten some alerts').waitFor();
  });

  test('while nobody looks they are counted in the title, and on a phone on the tab of the list', async () => {
    const { gate, page } = await world({ viewport: { width: 390, height: 844 } });
    const tab = page.getByRole('button', { name: 'Alerts' });
    gate.alert('low', 'One');
    await soon(() => tab.textContent()).toBe('Alerts1 new');
    await tab.click();
    await soon(() => tab.textContent()).toBe('Alerts');
    await hide(page, true);
    gate.alert('low', 'Two');
    gate.alert('low', 'Three');
    await soon(() => page.title()).toBe('(2) Watchout');
    await hide(page, false);
    await soon(() => page.title()).toBe('Watchout');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });

  test('the sound is off until it is switched on, and then remembered', async () => {
    const { gate, page } = await world();
    await page.evaluate(() => {
      const start = OscillatorNode.prototype.start;
      OscillatorNode.prototype.start = function (...when) {
        document.documentElement.dataset['tones'] = String(Number(document.documentElement.dataset['tones'] ?? 0) + 1);
        start.apply(this, when);
      };
    });
    const tones = async () => Number((await page.getAttribute('html', 'data-tones')) ?? 0);
    gate.alert('critical', 'Silent');
    await page.locator('#alerts .message', { hasText: 'Silent' }).waitFor();
    expect(await tones()).toBe(0);
    await page.getByRole('button', { name: 'Sound' }).click();
    expect(await tones()).toBe(1);
    // A critical one is not silent behind a harmless one; that one's sound is one tone, and its own are three.
    gate.alert('low', 'Leaf');
    gate.alert('critical', 'Fire');
    await page.locator('#alerts .message', { hasText: 'Fire' }).waitFor();
    expect(await tones()).toBeGreaterThanOrEqual(4);
    const before = await tones();
    const message = `Loud ${randomUUID()}`;
    // One sound a second, however many alerts there are.
    await soon(async () => {
      gate.alert('critical', message);
      return tones();
    }).toBeGreaterThanOrEqual(before + 3);
    await page.reload();
    expect(await page.getByRole('button', { name: 'Sound' }).getAttribute('aria-pressed')).toBe('true');
  });

  test('a desktop notification calls who does not look, says what it is, and leads to the stream', async () => {
    const whole = await launchWholeChromium();
    onTestFinished(() => whole.close());
    const { gate, page } = await world({ permissions: ['notifications'] }, whole);
    await page.evaluate(() => {
      const Real = Notification;
      class Recorded extends Real {
        constructor(title: string, options?: NotificationOptions) {
          super(title, options);
          document.documentElement.dataset['notice'] = `${title} / ${options?.body}`;
          document.addEventListener('click-notice', () => this.dispatchEvent(new Event('click')));
        }
      }
      window.Notification = Recorded;
    });
    expect(await page.getByRole('button', { name: 'Notify me' }).count()).toBe(0);
    gate.alert('high', 'Seen by who looks');
    await page.locator('.toast').waitFor();
    expect(await page.getAttribute('html', 'data-notice')).toBeNull();
    await hide(page, true);
    gate.alert('high', 'Person');
    await soon(() => page.getAttribute('html', 'data-notice')).toBe('HIGH: Person / Gate');
    await page.evaluate("document.dispatchEvent(new Event('click-notice'))");
    await page.locator('[data-stream=gate][data-open=true]').waitFor({ state: 'attached' });

    // As on phones: it is allowed, and does not work.
    await page.addInitScript(() => {
      const Broken = class {
        static permission = 'default';
        static requestPermission = async () => 'granted';
        constructor() {
          throw new TypeError('Illegal constructor. Use ServiceWorkerRegistration.showNotification() instead.');
        }
      };
      Object.assign(window, { Notification: Broken });
    });
    await page.reload();
    await page.getByRole('button', { name: 'Notify me' }).click();
    await page.getByText('This browser lets pages show no notifications').waitFor();
  });
});
