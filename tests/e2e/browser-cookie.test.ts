import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { frameOf, openEncoder, type TestClient } from '../support/client.ts';
import { noteSecret } from '../support/evidence.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { openSite, type Site, sendPage, webAppWith } from '../support/web-app.ts';

/** The web app's client as its authors wrote it: a plain WebSocket that knows nothing of tokens. */
const CLIENTS = fileURLToPath(new URL('../interop/browser-clients.js', import.meta.url));
const DEADLINE_MS = 15_000;
const UNAUTHORIZED = { code: 1008, reason: 'Unauthorized' };

const { embeddedUrl, postgresUrl } = inject('databases');
const databaseUrl = postgresUrl ?? embeddedUrl;
const picture = readWalk()[0] as Buffer;

/** Who has signed up to the web app in a browser of their own, and has a camera that is signed in by itself. */
interface Person {
  context: BrowserContext;
  page: Page;
  camera: TestClient;
  streamId: string;
}

describe.skipIf(!hasChromium())('a person who signed in to the web app', () => {
  let browser: Browser;
  let pool: pg.Pool;
  let webApp: Site;
  let otherSite: Site;
  let router: TestRouter;

  beforeAll(async () => {
    webApp = await openSite();
    otherSite = await openSite();
    router = await startTestRouter({
      databaseUrl,
      env: { BETTER_AUTH_URL: webApp.origin, ALLOWED_ORIGINS: webApp.origin, SESSION_RECHECK_MS: '200' },
    });
    pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
    webApp.serve(await webAppWith(pool, router.secret, webApp.origin));
    otherSite.serve(sendPage);
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await router.stop();
    webApp.close();
    otherSite.close();
    await pool.end();
  });

  test('has a cookie that no script can read, and it alone opens the stream, bit for bit', async () => {
    const { context, page, camera, streamId } = await signUp();
    const [cookie] = await context.cookies();
    noteSecret(cookie?.value);
    expect(cookie).toMatchObject({ name: 'better-auth.session_token', httpOnly: true, domain: '127.0.0.1' });
    expect(await page.evaluate('document.cookie')).toBe('');

    await watch(page, streamId);
    await until(page, 'app.statuses.length > 0');
    camera.send(frameOf(camera, streamId, picture));
    await until(page, 'app.shown.length > 0 && document.querySelector("#video-feed").naturalWidth > 0');
    expect(await page.evaluate('app.shown')).toEqual([picture.toString('base64')]);
    expect(await page.evaluate('[app.successes, app.errors, app.closed]')).toEqual([
      ['Subscription successful'],
      [],
      null,
    ]);
  });

  test('buys a ticket from the web app’s page, and it opens one connection, not two', async () => {
    const { context, page, camera, streamId } = await signUp();
    const bought = await post(page, `${router.httpUrl}/api/tickets`);
    expect(bought).toMatchObject({
      status: 201,
      body: { ticket: expect.any(String), expiresInMs: expect.any(Number) },
    });
    const { ticket } = bought['body'] as { ticket: string };

    // Where there is no cookie, so that nothing but the ticket can open the door.
    await context.clearCookies();
    await watch(page, streamId, `?ticket=${ticket}`);
    await until(page, 'app.statuses.length > 0');
    camera.send(frameOf(camera, streamId, picture));
    await until(page, 'app.shown.length > 0');
    expect(await page.evaluate('app.shown')).toEqual([picture.toString('base64')]);

    await watch(page, streamId, `?ticket=${ticket}`);
    await until(page, 'app.closed');
    expect(await page.evaluate('app.errors.map(({ code }) => code)')).toEqual(['AUTH_REQUIRED']);
    expect(await page.evaluate('app.closed')).toEqual(UNAUTHORIZED);
    expect(await page.evaluate('app.shown')).toEqual([]);
  });

  test('is refused a ticket’s second use also where the cookie is there', async () => {
    const { page, streamId } = await signUp();
    const ticket = await buyTicket(page);
    await watch(page, streamId, `?ticket=${ticket}`);
    await until(page, 'app.successes.length > 0');
    await watch(page, streamId, `?ticket=${ticket}`);
    await until(page, 'app.closed');
    expect(await page.evaluate('app.errors[0].code')).toBe('AUTH_REQUIRED');
    expect(await page.evaluate('app.closed')).toEqual(UNAUTHORIZED);
  });

  test('gets the newest picture by fetch, bit for bit, and learns in words why another user’s is refused', async () => {
    const { page, camera, streamId } = await signUp();
    const stranger = await signUp();
    await watch(page, streamId);
    await until(page, 'app.statuses.length > 0');
    camera.send(frameOf(camera, streamId, picture));
    await until(page, 'app.shown.length > 0');
    const url = `${router.httpUrl}/streams/${streamId}/snapshot.jpg`;
    const snapshot = await page.evaluate(`fetch('${url}', { credentials: 'include' }).then(async (answer) => ({
      status: answer.status,
      type: answer.headers.get('content-type'),
      bytes: [...new Uint8Array(await answer.arrayBuffer())],
    }))`);
    expect(snapshot).toEqual({ status: 200, type: 'image/jpeg', bytes: [...picture] });

    const refused = await stranger.page.evaluate(
      `fetch('${url}', { credentials: 'include' }).then(async (answer) => [answer.status, (await answer.json()).error.code])`,
    );
    expect(refused).toEqual([403, 'UNAUTHORIZED']);
    await watch(stranger.page, streamId);
    await until(stranger.page, 'app.errors.length > 0');
    expect(await stranger.page.evaluate('app.errors[0].code')).toBe('UNAUTHORIZED');
  });

  const strangers: [string, () => string][] = [
    // The browser brings the cookie along, and the router must not take it.
    ['another site on the same host', () => otherSite.origin],
    // The browser keeps the cookie to itself.
    ['another site on another host', () => `http://localhost:${otherSite.port}`],
    ['the web app itself by its other name', () => `http://localhost:${webApp.port}`],
  ];
  test.each(strangers)('is not watched by %s', async (_name, originOf) => {
    const { context, camera, streamId } = await signUp();
    camera.send(frameOf(camera, streamId, picture));
    const page = await openPage(context, originOf());
    expect(await page.evaluate('location.origin')).toBe(originOf());
    const before = await turnedAway();

    await watch(page, streamId);
    await until(page, 'app.closed');
    expect(await page.evaluate('app.errors.map(({ code }) => code)')).toEqual(['AUTH_REQUIRED']);
    expect(await page.evaluate('app.closed')).toEqual(UNAUTHORIZED);
    expect(await page.evaluate('[app.shown, app.successes]')).toEqual([[], []]);
    expect(await turnedAway()).toBe(before + 1);

    // The page is not told why, and neither is it sold anything.
    expect(await post(page, `${router.httpUrl}/api/tickets`)).toEqual({ failure: 'TypeError' });
    const url = `${router.httpUrl}/streams/${streamId}/snapshot.jpg`;
    const snapshot = `fetch('${url}', { credentials: 'include' }).then(() => 'readable', () => 'not readable')`;
    expect(await page.evaluate(snapshot)).toBe('not readable');
    expect(await turnedAway()).toBe(before + 3);
  });

  test.each(strangers)('has no picture shown on %s', async (_name, originOf) => {
    const { context, page, camera, streamId } = await signUp();
    await watch(page, streamId);
    camera.send(frameOf(camera, streamId, picture));
    await until(page, 'app.shown.length > 0');
    const foreign = await openPage(context, originOf());
    const outcome = await foreign.evaluate(`new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve('shown');
      image.onerror = () => resolve('not shown');
      image.src = '${router.httpUrl}/streams/${streamId}/snapshot.jpg';
    })`);
    expect(outcome).toBe('not shown');
  });

  test('and signs out there is cut off here, with a word why; the camera, signed in by itself, is not', async () => {
    const { context, page, camera, streamId } = await signUp();
    const ticket = await buyTicket(page);
    const tab = await openPage(context, webApp.origin);
    for (const each of [page, tab]) {
      await watch(each, streamId);
      await until(each, 'app.statuses.length > 0');
    }
    expect(await post(tab, '/api/auth/sign-out', {})).toMatchObject({ status: 200, body: { success: true } });
    for (const each of [page, tab]) {
      await until(each, 'app.closed');
      expect(await each.evaluate('app.errors.map(({ code }) => code)')).toEqual(['AUTH_REQUIRED']);
      expect(await each.evaluate('app.closed')).toEqual(UNAUTHORIZED);
    }

    for (const query of ['', `?ticket=${ticket}`]) {
      await watch(page, streamId, query);
      await until(page, 'app.closed');
      expect(await page.evaluate('[app.errors[0].code, app.successes.length]')).toEqual(['AUTH_REQUIRED', 0]);
    }
    expect(await post(page, `${router.httpUrl}/api/tickets`)).toMatchObject({
      status: 401,
      body: { error: { code: 'AUTH_REQUIRED' } },
    });
    camera.send({ type: 'heartbeat' });
    await camera.next('heartbeat');
  });

  /** Signs somebody new up from a page of the web app, as its form would do it. */
  async function signUp(): Promise<Person> {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await openPage(context, webApp.origin);
    const name = `anna-${randomBytes(6).toString('hex')}`;
    const account = { email: `${name}@example.invalid`, password: randomBytes(8).toString('hex') };
    expect(await post(page, '/api/auth/sign-up/email', { name, ...account })).toMatchObject({ status: 200 });

    const signedIn = await fetch(`${webApp.origin}/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: webApp.origin },
      body: JSON.stringify(account),
    });
    const { token } = (await signedIn.json()) as { token: string };
    const { encoder: camera, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
    onTestFinished(() => camera.socket.terminate());
    return { context, page, camera, streamId };
  }

  /** How many were refused for what they showed, or did not. */
  async function turnedAway(): Promise<number> {
    const { unauthorized, noCredentials } = (await router.stats())['connections'].refused;
    return unauthorized + noCredentials;
  }

  async function buyTicket(page: Page): Promise<string> {
    const bought = await post(page, `${router.httpUrl}/api/tickets`);
    expect(bought).toMatchObject({
      status: 201,
      body: { ticket: expect.any(String), expiresInMs: expect.any(Number) },
    });
    const { ticket } = bought['body'] as { ticket: string };
    noteSecret(ticket);
    return ticket;
  }

  /** From the page, with the web app's own client. It keeps what it hears in `app`. */
  async function watch(page: Page, streamId: string, query = ''): Promise<void> {
    const url = `${router.wsUrl}/streams/subscribe${query}`;
    await page.evaluate(`document.querySelector('#video-feed')?.remove()`);
    await page.evaluate(`startWebApp(${JSON.stringify(url)}, ${JSON.stringify(streamId)})`);
  }
});

async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  await page.addInitScript({ path: CLIENTS });
  await page.goto(url);
  return page;
}

/** What the page gets to see of the answer; of one that it may not read, what `fetch` threw. */
function post(page: Page, url: string, body?: object): Promise<Record<string, unknown>> {
  const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const options = { method: 'POST', credentials: 'include', ...(body === undefined ? {} : json) };
  return page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(
    async (answer) => ({ status: answer.status, body: await answer.json() }),
    (error) => ({ failure: error.name }),
  )`);
}

/** Waits until `expression` is true in the page. */
async function until(page: Page, expression: string): Promise<void> {
  const options = { timeout: DEADLINE_MS, interval: 25, message: `never true in the page: ${expression}` };
  await expect.poll(() => page.evaluate(`Boolean(${expression})`), options).toBe(true);
}
