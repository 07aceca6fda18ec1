import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { untilInPage } from '../client/pages.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SERVICE_TOKEN } from '../support/two-users.ts';
import { openLink, playWalk, raise } from './example-world.ts';

const project = fileURLToPath(PROJECT_FOLDER);
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
const PIXELS = 'document.querySelector("canvas").toDataURL()';
const CONNECTION = 'document.querySelector("header [role=status]")?.textContent';

/** What `npm run build` of the example makes, with the project's own packages in the place of installed ones. Answers the folder. */
async function buildExample(work: string): Promise<string> {
  const root = join(work, 'react-page');
  const isOwn = (path: string) => !/[/\\](node_modules|dist)$/.test(path);
  cpSync(join(project, 'examples/react-page'), root, { recursive: true, filter: isOwn });
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(join(project, 'dist/client'), join(root, 'node_modules/watchout-router'));
  for (const name of ['react', 'react-dom']) {
    symlinkSync(join(project, 'node_modules', name), join(root, 'node_modules', name));
  }
  // vite goes by it as well, and under vitest it is neither of the two.
  vi.stubEnv('NODE_ENV', 'production');
  await build({ root, logLevel: 'error' });
  vi.unstubAllEnvs();
  return join(root, 'dist');
}

describe.skipIf(!hasChromium())('the React page of examples/, built by vite, in Chromium', () => {
  let router: TestRouter;
  let browser: Browser;
  let work: string;
  let site: Server;

  beforeAll(async () => {
    router = await startTestRouter({ env: { ML_SERVICE_TOKEN: SERVICE_TOKEN, STREAM_GRACE_MS: '100' } });
    browser = await launchChromium();
    work = mkdtempSync(join(tmpdir(), 'watchout-react-page-'));
    const folder = await buildExample(work);
    site = createServer(({ url = '/' }, response) => {
      const path = url.split('?')[0] === '/' ? '/index.html' : url;
      response.setHeader('content-type', TYPES[extname(path)] ?? 'text/plain').end(readFileSync(join(folder, path)));
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
    rmSync(work, { recursive: true, force: true });
    await router.stop();
  });

  /** The page, in a browser of its own kind; ends with the test. */
  async function open(fragment = '', options: object = {}): Promise<Page & { faults: string[] }> {
    const context = await browser.newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/${fragment}`);
    return Object.assign(page, { faults });
  }

  const addressed = (url: string, token: string) =>
    `#url=${encodeURIComponent(url)}&token=${encodeURIComponent(token)}`;

  test('a wall of moving pictures, and alerts as they are raised', async () => {
    const { token } = await router.signUp();
    await Promise.all(['hall', 'yard'].map((streamId) => playWalk(router, token, streamId)));
    const page = await open(addressed(router.httpUrl, token));
    await untilInPage(
      page,
      '[...document.querySelectorAll("canvas")].filter(({ width }) => width === 768).length === 2',
    );
    for (const _change of [1, 2, 3]) {
      await page.evaluate(`globalThis.lastSeen = ${PIXELS}`);
      await untilInPage(page, `${PIXELS} !== lastSeen`);
    }
    await untilInPage(page, `${CONNECTION} === 'Connected'`);
    await untilInPage(page, 'document.querySelector("figcaption").textContent.startsWith("hallstreaming")');
    await raise(router, 'yard', 'Somebody at the fence');
    await untilInPage(page, 'document.querySelector("li")?.textContent.startsWith("high Somebody at the fenceyard, ")');
    // Nobody shall copy it with the address; whoever loads the page anew is still signed in.
    expect(page.url()).not.toContain(token);
    await page.reload();
    await untilInPage(page, 'document.querySelectorAll("canvas").length === 2');
    expect(page.faults).toEqual([]);
  });

  test('over a cut it says so in words, tells each alert once, and the pictures go on', async () => {
    const { token } = await router.signUp();
    await playWalk(router, token, 'barn');
    const link = await openLink(router);
    const page = await open(addressed(link.httpUrl, token));
    await raiseAndSee(page, 'One');
    link.isAway = true;
    link.cut();
    await untilInPage(page, `${CONNECTION}.startsWith('The connection was lost. Trying again in ')`);
    await raise(router, 'barn', 'Two');
    link.isAway = false;
    await untilInPage(page, `${CONNECTION} === 'Connected'`);
    await raiseAndSee(page, 'Three');
    const heard =
      'JSON.stringify([...document.querySelectorAll("li")].map((one) => /One|Two|Three/.exec(one.textContent)[0]))';
    expect(JSON.parse(await page.evaluate(heard))).toEqual(['Three', 'Two', 'One']);
    await page.evaluate(`globalThis.lastSeen = ${PIXELS}`);
    await untilInPage(page, `${PIXELS} !== lastSeen`);
    expect(page.faults).toEqual([]);

    async function raiseAndSee(seen: Page, message: string): Promise<void> {
      await untilInPage(seen, 'document.querySelector("canvas")?.width === 768');
      await raise(router, 'barn', message);
      await untilInPage(seen, `document.querySelector("li")?.textContent.includes(${JSON.stringify(message)})`);
    }
  });

  test('whoever has no token is asked for one, a wrong one is said in words, and one can sign out', async () => {
    const { token } = await router.signUp();
    const page = await open();
    const fill = async (url: string, secret: string) => {
      await page.getByLabel('Router').fill(url);
      await page.getByLabel('Token').fill(secret);
      await page.getByRole('button', { name: 'Watch' }).click();
    };
    await fill('nonsense', token);
    await untilInPage(page, 'document.querySelector("[role=alert]")?.textContent.startsWith("The address must begin")');
    await fill(router.httpUrl, 'wrong-token-of-nobody');
    await untilInPage(page, `${CONNECTION}?.startsWith('Not signed in: ')`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await fill(router.httpUrl, token);
    await untilInPage(page, 'document.querySelector(".wall")?.textContent === "No stream is live. Start an encoder."');
    await playWalk(router, token, 'late');
    await untilInPage(page, 'document.querySelector("canvas")?.width === 768');
    expect(page.faults).toEqual([]);
  });

  test('on a phone as on a desk nothing sticks out, and the newest alert is in sight', async () => {
    const { token } = await router.signUp();
    const names = ['front-door', 'a-stream-with-a-name-that-is-much-longer-than-the-screen-of-a-phone-is-wide', 'yard'];
    await Promise.all(names.map((streamId) => playWalk(router, token, streamId, 5)));
    for (const viewport of [PHONE, DESKTOP]) {
      const page = await open(addressed(router.httpUrl, token), { viewport });
      await untilInPage(
        page,
        '[...document.querySelectorAll("canvas")].filter(({ width }) => width === 768).length === 3',
      );
      await raise(router, 'front-door', `Somebody with ${'very '.repeat(10)}long-${'winded-'.repeat(20)}ideas`);
      await untilInPage(page, 'document.querySelector("li")');
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
      const { bottom } = (await page.evaluate('document.querySelector("li").getBoundingClientRect().toJSON()')) as {
        bottom: number;
      };
      expect(bottom, 'the newest alert is on the screen').toBeLessThan(viewport.height);
    }
  });
});
