import { createHmac } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Server as TcpServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { frameOf, openEncoder, type TestClient } from '../support/client.ts';
import { startTestRouter, type TestRouter, type TestRouterOptions } from '../support/router.ts';

const CLIENTS = fileURLToPath(new URL('browser-clients.js', import.meta.url));
const DEADLINE_MS = 15_000;
const FRAME_INTERVAL_MS = 50;

const walk = readWalk();

describe.skipIf(!hasChromium())('in Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test('the original phone and web app clients, run in pages, show the picture and both hear the alert', async () => {
    const ml = await serve(answerEveryFrameWithAnAlert);
    const router = await startRouter({ env: { ML_SERVICE_URL: ml } });
    const { token } = await router.signUp();
    const pictures = walk.slice(0, 10).map((jpeg) => jpeg.toString('base64'));

    const phonePage = await openPage(router.httpUrl, { script: CLIENTS });
    const register = `${router.wsUrl}/streams/register?token=${token}`;
    await phonePage.evaluate(`startPhone(${JSON.stringify(register)}, ${JSON.stringify(pictures)})`);
    await until(phonePage, 'phone.streamId');
    const streamId = String(await phonePage.evaluate('phone.streamId'));
    expect(streamId).toMatch(/^stream_\w{24,}$/);

    const appPage = await openPage(router.httpUrl, { script: CLIENTS });
    const subscribe = `${router.wsUrl}/streams/subscribe?token=${token}`;
    await appPage.evaluate(`startWebApp(${JSON.stringify(subscribe)}, ${JSON.stringify(streamId)})`);
    await until(appPage, 'app.shown.length >= 5 && document.querySelector("#video-feed").naturalWidth === 768');
    await until(appPage, 'app.alerts.length > 0');
    await until(phonePage, 'phone.alerts.length > 0');

    const shown = (await appPage.evaluate('app.shown')) as string[];
    // In the order of the walk, whichever of its pictures was the first, and not a character changed.
    const from = pictures.indexOf(String(shown[0]));
    expect(shown).toEqual(shown.map((_picture, index) => pictures[(from + index) % pictures.length]));
    expect(await appPage.evaluate('app.successes')).toEqual(['Subscription successful']);
    expect(await appPage.evaluate('app.statuses.at(-1)')).toBe('streaming');
    expect(await appPage.evaluate('app.alerts[0]')).toBe('HIGH: Suspicious activity detected');
    expect(await phonePage.evaluate('phone.alerts[0]')).toEqual({
      severity: 'high',
      message: 'Suspicious activity detected',
    });
    for (const [page, client] of [[phonePage, 'phone'] as const, [appPage, 'app'] as const]) {
      expect(await page.evaluate(`[${client}.errors, ${client}.closed]`)).toEqual([[], null]);
    }
  });

  test('the original clients learn from the error message and the close code that their token is no good', async () => {
    const router = await startRouter();
    const page = await openPage(router.httpUrl, { script: CLIENTS });
    await page.evaluate(`startPhone('${router.wsUrl}/streams/register?token=wrong', [])`);
    await page.evaluate(`startWebApp('${router.wsUrl}/streams/subscribe', 'stream_any')`);
    await until(page, 'phone.closed && app.closed');
    for (const client of ['phone', 'app']) {
      expect(await page.evaluate(`${client}.errors[0].code`)).toBe('AUTH_REQUIRED');
      expect(await page.evaluate(`${client}.closed`)).toEqual({ code: 1008, reason: 'Unauthorized' });
    }
  });

  test('no other site can use a sign-in to the web app', async () => {
    const router = await startRouter();
    const { token } = await router.signUp();
    const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'json' });
    playWalk(encoder, streamId);
    const context = await newContext();
    const signature = createHmac('sha256', router.secret).update(token).digest('base64');
    const value = encodeURIComponent(`${token}.${signature}`);
    // Cookies know no ports: this one goes to every server on 127.0.0.1, and comes from every page of one.
    await context.addCookies([{ name: 'better-auth.session_token', value, domain: '127.0.0.1', path: '/' }]);
    const own = await openPage(router.httpUrl, { context, script: CLIENTS });
    await own.evaluate(`startWebApp('${router.wsUrl}/streams/subscribe', ${JSON.stringify(streamId)})`);
    await until(own, 'app.shown.length > 0');

    const otherSite = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><body>another site');
    });
    const foreign = await openPage(otherSite, { context, script: CLIENTS });
    await foreign.evaluate(`startWebApp('${router.wsUrl}/streams/subscribe', ${JSON.stringify(streamId)})`);
    await until(foreign, 'app.closed');
    expect(await foreign.evaluate('app.closed.code')).toBe(1008);
    expect(await foreign.evaluate('app.shown.length')).toBe(0);
    await encoder.close();
  });

  async function newContext(): Promise<BrowserContext> {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    return context;
  }

  async function openPage(
    url: string,
    { context, script }: { context?: BrowserContext; script?: string } = {},
  ): Promise<Page> {
    const page = await (context ?? (await newContext())).newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    if (script !== undefined) await page.addInitScript({ path: script });
    await page.goto(url);
    return page;
  }
});

/** A router that ends with the test, unless it was stopped before. */
async function startRouter(options: TestRouterOptions = {}): Promise<TestRouter> {
  const router = await startTestRouter(options);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= router.stop();
    return stopped;
  };
  onTestFinished(stop);
  return { ...router, stop };
}

/** Plays the walk in a loop until the encoder is closed. */
function playWalk(encoder: TestClient, streamId: string): void {
  let next = 0;
  const timer = setInterval(() => {
    if (encoder.socket.readyState !== encoder.socket.OPEN) return;
    encoder.send(frameOf(encoder, streamId, walk[next % walk.length] as Buffer));
    next += 1;
  }, FRAME_INTERVAL_MS);
  onTestFinished(() => clearInterval(timer));
}

/** Waits until `expression` is true in the page. */
async function until(page: Page, expression: string): Promise<void> {
  // Not `page.waitForFunction`: it evaluates text inside the page, which the dashboard's security policy forbids.
  const options = { timeout: DEADLINE_MS, interval: 25, message: `never true in the page: ${expression}` };
  await expect.poll(() => page.evaluate(`Boolean(${expression})`), options).toBe(true);
}

/** An HTTP server of the test's own, on a free port. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  onTestFinished(() => server.closeAllConnections());
  return listen(server);
}

async function listen(server: TcpServer): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An ML service as in the original document, that finds everything suspicious. */
const answerEveryFrameWithAnAlert: RequestListener = (request, response) => {
  let body = '';
  request.setEncoding('latin1').on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    if (request.url !== '/analyze') return response.writeHead(404).end();
    const { streamId } = JSON.parse(body) as { streamId: string };
    const alert = {
      type: 'alert',
      streamId,
      severity: 'high',
      message: 'Suspicious activity detected',
      timestamp: Date.now(),
    };
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ alert }));
  });
};
