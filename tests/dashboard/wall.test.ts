import { createHmac } from 'node:crypto';
import pg from 'pg';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { FlakyLink } from '../support/flaky-link.ts';
import { moves } from './pages.ts';
import { openWall, playWalk, soon, startRouter, tileOf } from './wall-page.ts';

describe.skipIf(!hasChromium())('the wall, in Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test('shows a moving picture, the status and the alerts, and hides the token', async () => {
    const router = await startRouter();
    const { token } = await router.signUp();
    const camera = await playWalk(router, token, { deviceName: 'Front <i>door</i>' });
    const page = await openWall(browser, `${router.httpUrl}/?token=${token}`);
    const tile = tileOf(page, camera.streamId);
    await moves(tile.locator('canvas'));
    // One camera has the whole wall, and so all of its pixels.
    const size = () => tile.locator('canvas').evaluate((canvas: HTMLCanvasElement) => [canvas.width, canvas.height]);
    await soon(size).toEqual([768, 576]);
    expect(await tile.locator('.status').textContent()).toBe('streaming');
    // As text: what a camera says must not become part of the page.
    await tile.getByText('Front <i>door</i>').waitFor();
    expect(await page.locator('#connection').textContent()).toBe('Connected');
    await tile.getByText(/^\d+ fps · .* ms$/).waitFor();

    camera.alert('critical', 'Tür offen <b>!</b>');
    const alert = page.locator('#alerts li');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('Tür offen <b>!</b>');
    expect(await alert.getAttribute('data-severity')).toBe('critical');
    expect(await page.locator('#no-alerts').count()).toBe(0);

    expect(page.url()).toBe(`${router.httpUrl}/`);
    await page.reload();
    await moves(tile.locator('canvas'));
  });

  test('a wrong token brings up the sign-in form and the reason, and the right one typed there the picture', async () => {
    const router = await startRouter();
    const { token } = await router.signUp();
    const { streamId } = await playWalk(router, token);
    const page = await openWall(browser, `${router.httpUrl}/?token=wrong-token-of-nobody`);
    await page.getByText('Not signed in: A valid session token is required').waitFor();
    expect(page.url()).toBe(`${router.httpUrl}/`);
    await page.fill('[name=token]', token);
    await page.click('form button[type=submit]');
    await moves(tileOf(page, streamId).locator('canvas'));
    expect(await page.locator('form').count()).toBe(0);
  });

  test('who comes with nothing is asked to sign in; who signs out has to do it again after a reload', async () => {
    const router = await startRouter();
    const { token } = await router.signUp();
    const page = await openWall(browser, router.httpUrl);
    await page.getByText('Sign in to see your cameras.').waitFor();
    await page.fill('[name=token]', token);
    await page.check('[name=keep]');
    await page.click('form button[type=submit]');
    await page.getByText('No camera is live yet').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You have signed out.').waitFor();
    await page.reload();
    await page.getByText('Sign in to see your cameras.').waitFor();
  });

  test('where no camera is live it says what to do', async () => {
    const router = await startRouter();
    const { token } = await router.signUp();
    const page = await openWall(browser, `${router.httpUrl}/?token=${token}`);
    await page.getByText('in the router’s folder').waitFor();
    const command = await page.locator('pre').textContent();
    expect(command).toBe(`WATCHOUT_TOKEN=… npx --no watchout-router camera ./pictures --router ${router.httpUrl}`);
    await page.getByText('Make this device a camera').click();
    await page.waitForURL(`${router.httpUrl}/camera`);
  });

  test('a session that is revoked while somebody looks is explained, and a new one goes on', async () => {
    const router = await startRouter({ env: { SESSION_RECHECK_MS: '200' } });
    const owner = await router.signUp();
    const other = await router.accounts.signInAgain(owner);
    const { streamId } = await playWalk(router, owner.token);
    const page = await openWall(browser, `${router.httpUrl}/?token=${other.token}`);
    await moves(tileOf(page, streamId).locator('canvas'));
    const admin = new pg.Client({ connectionString: inject('databases').url });
    await admin.connect();
    onTestFinished(() => admin.end());
    await admin.query('DELETE FROM session WHERE token = $1', [other.token]);
    await page.getByText('Your session has ended').waitFor();
    expect(await page.locator('#connection').textContent()).toBe('Not signed in');
    await page.fill('[name=token]', owner.token);
    await page.click('form button[type=submit]');
    await moves(tileOf(page, streamId).locator('canvas'));
  });

  test('who is signed in to the web app needs no token here', async () => {
    const router = await startRouter();
    const { token } = await router.signUp();
    const { streamId } = await playWalk(router, token);
    const signature = createHmac('sha256', router.secret).update(token).digest('base64');
    const cookie = {
      name: 'better-auth.session_token',
      value: encodeURIComponent(`${token}.${signature}`),
      domain: '127.0.0.1',
      path: '/',
    };
    const page = await openWall(browser, `${router.httpUrl}/nothing-here`);
    await page.context().addCookies([cookie]);
    await page.goto(router.httpUrl);
    await moves(tileOf(page, streamId).locator('canvas'));
  });

  test('who has typed a token is let in by it, whatever cookie the browser has: one of nobody, or of somebody else', async () => {
    const router = await startRouter();
    const [anna, ben] = [await router.signUp(), await router.signUp()];
    await playWalk(router, anna.token, { streamId: 'annas' });
    await playWalk(router, ben.token, { streamId: 'bens' });
    const page = await openWall(browser, `${router.httpUrl}/nothing-here`);
    for (const value of ['of-another-project-on-this-host.c2lnbmF0dXJl', anna.cookie]) {
      const cookie = { name: 'better-auth.session_token', value, domain: '127.0.0.1', path: '/' };
      await page.context().addCookies([cookie]);
      await page.goto(`${router.httpUrl}/?token=${ben.token}`);
      await moves(tileOf(page, 'bens').locator('canvas'));
      expect(await page.locator('#streams > li').count()).toBe(1);
    }
  });

  test('a router that refuses at the upgrade lets in by token, and who has a wrong one reads that', async () => {
    const router = await startRouter({ env: { AUTH_REJECT_AT_UPGRADE: 'true' } });
    const { token } = await router.signUp();
    const page = await openWall(browser, `${router.httpUrl}/?token=wrong-token-of-nobody`);
    await page.getByText('Not signed in: A valid session token is required').waitFor();
    await page.fill('[name=token]', token);
    await page.click('form button[type=submit]');
    await page.getByText('No camera is live yet').waitFor();
  });

  test('after a restart of the router the cameras are found again without a reload, and meanwhile pictures are marked as old', async () => {
    const first = await startRouter();
    const { token } = await first.signUp();
    const link = await FlakyLink.open(first.port);
    onTestFinished(() => link.close());
    await playWalk(first, token, { streamId: 'front-door' });
    const page = await openWall(browser, `${link.httpUrl}/?token=${token}`);
    const tile = tileOf(page, 'front-door');
    await moves(tile.locator('canvas'));
    await first.stop();
    await tile.getByText(/^No connection: \d+ s old$/).waitFor();
    expect(await tile.getAttribute('data-old')).toBe('true');
    expect(await page.locator('#connection').textContent()).toContain('trying again');
    const tryNow = page.getByRole('button', { name: 'Try now' });
    await tryNow.waitFor();

    const second = await startRouter();
    link.leadTo(second.port);
    await playWalk(second, token, { streamId: 'front-door' });
    // The pause between attempts may end first.
    await tryNow.click({ timeout: 5_000 }).catch(() => undefined);
    await moves(tile.locator('canvas'));
    await tryNow.waitFor({ state: 'detached' });
    await soon(() => page.locator('#connection').textContent()).toBe('Connected');
    await soon(() => tile.getAttribute('data-old')).toBe('false');
    expect(await page.locator('#streams > li').count()).toBe(1);
  });

  test('a camera that stops and one that goes are both marked, stay, and come back by themselves', async () => {
    const router = await startRouter({ env: { STREAM_GRACE_MS: '200' } });
    const { token } = await router.signUp();
    const yard = await playWalk(router, token, { streamId: 'yard' });
    const gate = await playWalk(router, token, { streamId: 'gate' });
    const page = await openWall(browser, `${router.httpUrl}/?token=${token}`);
    for (const id of ['gate', 'yard']) await moves(tileOf(page, id).locator('canvas'));
    yard.pause();
    await gate.close();
    await tileOf(page, 'gate')
      .getByText(/^Offline since /)
      .waitFor();
    await tileOf(page, 'yard')
      .getByText(/^No picture for \d+ s$/)
      .waitFor();
    await soon(() => tileOf(page, 'yard').locator('.status').textContent()).toBe('online');
    expect(await page.locator('#streams > li').count()).toBe(2);

    await playWalk(router, token, { streamId: 'gate' });
    await moves(tileOf(page, 'gate').locator('canvas'));
    await soon(() => tileOf(page, 'gate').locator('.notice').count()).toBe(0);
    expect(await tileOf(page, 'gate').locator('.status').textContent()).toBe('streaming');
  });

  test('a link to a stream opens it, also another user’s who shows it; one who does not is named', async () => {
    const router = await startRouter({ env: { STREAM_GRACE_MS: '200' } });
    const [anna, ben] = [await router.signUp(), await router.signUp()];
    const hers = await playWalk(router, anna.token, { streamId: 'gate' });
    const own = await openWall(browser, `${router.httpUrl}/?stream=gate&token=${anna.token}`);
    await moves(own.locator('[data-stream=gate][data-open=true] canvas'));
    expect(own.url()).toBe(`${router.httpUrl}/?stream=gate`);
    const others = await openWall(browser, `${router.httpUrl}/?stream=gate&token=${ben.token}`);
    await others.getByText(/^gate cannot be shown: /).waitFor();
    expect(await others.locator('#streams > li').count()).toBe(0);

    // One that is not there is on the wall for as long as it is open.
    await own.goto(`${router.httpUrl}/?stream=nobody`);
    await tileOf(own, 'nobody').getByText('Offline', { exact: true }).waitFor();
    await own.getByRole('button', { name: 'Close nobody' }).click();
    await soon(() => own.locator('#streams > li').count()).toBe(1);
    // What was refused once may be allowed later.
    await others.getByRole('button', { name: 'Show the wall' }).click();
    await hers.close();
    await soon(async () => (await router.stats())['activeStreams'].length).toBe(0);
    await playWalk(router, ben.token, { streamId: 'gate' });
    await tileOf(others, 'gate').waitFor();
    await others.goBack();
    await moves(others.locator('[data-stream=gate][data-open=true] canvas'));
    expect(await others.getByText(/cannot be shown/).count()).toBe(0);

    const open = await startRouter({ env: { STREAM_ACCESS: 'authenticated' } });
    const [carl, dora] = [await open.signUp(), await open.signUp()];
    await playWalk(open, carl.token, { streamId: 'gate' });
    const shown = await openWall(browser, `${open.httpUrl}/?stream=gate&token=${dora.token}`);
    await moves(tileOf(shown, 'gate').locator('canvas'));
  });

  test('a guard who may watch everybody’s streams sees them on the wall, with their names and alerts; others see but their own', async () => {
    const router = await startRouter({ env: { STREAM_ACCESS: 'authenticated' } });
    const [owner, guard] = [await router.signUp(), await router.signUp()];
    const camera = await playWalk(router, owner.token, { streamId: 'dock', deviceName: 'Dock 4' });
    const page = await openWall(browser, `${router.httpUrl}/?token=${guard.token}`);
    const tile = tileOf(page, 'dock');
    await moves(tile.locator('canvas'));
    await tile.getByText('Dock 4').waitFor();
    camera.alert('high', 'Somebody at the dock');
    await page.locator('.toasts').getByText('Somebody at the dock').waitFor();

    const closed = await startRouter();
    const stranger = await closed.signUp();
    await playWalk(closed, (await closed.signUp()).token, { streamId: 'dock' });
    const theirs = await openWall(browser, `${closed.httpUrl}/?token=${stranger.token}`);
    await theirs.getByText('No camera').first().waitFor();
    expect(await theirs.locator('#streams > li').count()).toBe(0);
  });
});
