import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { frameOf, openEncoder, type TestClient } from '../support/client.ts';
import { startTestRouter, type TestRouter, type TestRouterOptions } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { collectFaults } from './pages.ts';

const walk = readWalk();

/** A camera that plays the walk. */
export interface PlayingCamera {
  encoder: TestClient;
  streamId: string;
  alert(severity: string, message: string, metadata?: object): void;
  /** Stays connected. */
  pause(): void;
  close(): Promise<unknown>;
}

/** A router that ends with the test, unless it was stopped before. */
export async function startRouter(options: TestRouterOptions = {}): Promise<TestRouter> {
  const router = await startTestRouter(options);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= router.stop();
    return stopped;
  };
  onTestFinished(stop);
  return { ...router, stop };
}

/** Registers and sends so many frames a second, until the test ends. */
export async function playWalk(
  { wsUrl }: Pick<TestRouter, 'wsUrl'>,
  token: string,
  { streamId, deviceName, fps = 20 }: { streamId?: string; deviceName?: string; fps?: number } = {},
): Promise<PlayingCamera> {
  const metadata = deviceName === undefined ? {} : { metadata: { deviceName } };
  const register = { streamId, produces: ['video-frame', 'alert'], ...metadata };
  const registered = await openEncoder(wsUrl, token, { encoding: 'msgpack', register });
  const { encoder } = registered;
  let next = 0;
  const pause = steadily(fps, () => {
    if (encoder.socket.readyState !== encoder.socket.OPEN) return;
    encoder.send(frameOf(encoder, registered.streamId, walk[next % walk.length] as Buffer));
    next += 1;
  });
  const close = () => {
    pause();
    return encoder.close();
  };
  onTestFinished(() => {
    pause();
    encoder.socket.terminate();
  });
  return {
    ...registered,
    alert: (severity, message, alertMetadata = {}) =>
      encoder.send({ type: 'alert', streamId: registered.streamId, severity, message, metadata: alertMetadata }),
    pause,
    close,
  };
}

/** The page in a context of its own, which ends with the test; what the browser complains about makes the test fail. */
export async function openWall(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults = collectFaults(page);
  onTestFinished(async () => {
    await context.close();
    expect(faults).toEqual([]);
  });
  await page.goto(url);
  return page;
}

export function tileOf(page: Page, streamId: string): Locator {
  return page.locator(`[data-stream="${streamId}"]`);
}

/** Looks again and again until it is as it should be, on a busy machine too. */
export function soon<Value>(look: () => Value | Promise<Value>) {
  return expect.poll(look, { timeout: 20_000, interval: 50 });
}

/** How many frames a tile draws a second, over as many seconds. The tile counts, and says when it did. */
export async function drawnFps(tile: Locator, seconds: number): Promise<number> {
  // In one go: the tile may be rendered between two looks, and the last look is the one just behind that.
  const read = () =>
    tile.evaluate(({ dataset: { drawn, drawnAt } }: HTMLElement) => ({ drawn: Number(drawn), atMs: Number(drawnAt) }));
  const first = await read();
  let last = first;
  await expect
    .poll(
      async () => {
        last = await read();
        return last.atMs - first.atMs;
      },
      { timeout: seconds * 1_000 + 20_000, interval: 100 },
    )
    .toBeGreaterThanOrEqual(seconds * 1_000);
  return ((last.drawn - first.drawn) * 1_000) / (last.atMs - first.atMs);
}

/** As when another tab is before it: headless browsers say so only when told to. */
export async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);
}
