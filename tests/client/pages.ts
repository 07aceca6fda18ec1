import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { expect, onTestFinished, vi } from 'vitest';

const DEADLINE_MS = 20_000;

/** What vite makes of a module for a page: one file, minified. `root`: where it looks for packages. `mode`: of React's two builds. */
export async function bundle(entry: string, root: string, mode = 'production'): Promise<string> {
  // vite goes by it as well, and under vitest it is neither of the two.
  vi.stubEnv('NODE_ENV', mode);
  const built = await build({
    root,
    mode,
    configFile: false,
    logLevel: 'silent',
    build: { write: false, modulePreload: false, rolldownOptions: { input: entry } },
  });
  vi.unstubAllEnvs();
  const [output] = Array.isArray(built) ? built : [built];
  if (output === undefined || !('output' in output)) throw new Error('vite has made nothing');
  expect(output.output.map(({ type }) => type)).toEqual(['chunk']);
  return output.output[0].code;
}

/** A page with this script in it, in a browser of its own kind; ends with the test. What the browser complains about is in `faults`. */
export async function openPage(browser: Browser, script: string, body = ''): Promise<Page & { faults: string[] }> {
  const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>${body}<script type="module" src="/page.js"></script>`;
  const server = createServer(({ url }, response) => {
    const isScript = url === '/page.js';
    response
      .writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
      .end(isScript ? script : html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return Object.assign(page, { faults });
}

/** Waits until `expression` is true in the page. */
export async function untilInPage(page: Page, expression: string): Promise<void> {
  const options = { timeout: DEADLINE_MS, interval: 25, message: `never true in the page: ${expression}` };
  await expect.poll(() => page.evaluate(`Boolean(${expression})`), options).toBe(true);
}
