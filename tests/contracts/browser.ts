import type { Browser, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { noteSecret } from '../support/evidence.ts';
import type { Site } from '../support/web-app.ts';
import type { World } from './worlds.ts';

const DEADLINE_MS = 15_000;

/** A page, and what it complained about. */
export interface OpenPage {
  page: Page;
  /** Exceptions that it did not catch. */
  faults: string[];
}

/** An address of the router's own, where the browser sends the session's cookie by itself. Not the dashboard: that has connections of its own. */
export function ownAddress({ router }: World): string {
  return `${router.httpUrl}/health`;
}

/** Where a page that shows no token may be: where nobody is asked who they are also at `site`, as the originals were while they were written. */
export function pageAddress(world: World, site: Site): string {
  return world.cookie === undefined ? site.origin : ownAddress(world);
}

/** A page at `address` in a browser of the user's, with `script` run in it. */
export async function openPage(browser: Browser, world: World, address: string, script: string): Promise<OpenPage> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  if (world.cookie !== undefined) {
    noteSecret(world.cookie);
    const name = 'better-auth.session_token';
    await context.addCookies([{ name, value: world.cookie, domain: '127.0.0.1', path: '/' }]);
  }
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(address);
  await page.evaluate(script);
  return { page, faults };
}

/** Waits until `expression` is true in the page. */
export async function untilInPage({ page }: OpenPage, expression: string): Promise<void> {
  const options = { timeout: DEADLINE_MS, interval: 25, message: `never true in the page: ${expression}` };
  await expect.poll(() => page.evaluate(`Boolean(${expression})`), options).toBe(true);
}
