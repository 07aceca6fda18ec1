import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';

const DEADLINE_MS = 20_000;

/** What the browser complains about from now on: errors of scripts, broken rules of the content security policy. What cannot be reached is none. */
export function collectFaults(page: Page): string[] {
  page.setDefaultTimeout(DEADLINE_MS);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    const isOfNetwork = /net::ERR_|WebSocket connection to|Failed to load resource/.test(message.text());
    if (message.type() === 'error' && !isOfNetwork) faults.push(message.text());
  });
  return faults;
}

/** Waits until a canvas has shown three different pictures. */
export async function moves(canvas: Locator): Promise<void> {
  const seen = new Set<string>();
  const look = async () => {
    seen.add(await canvas.evaluate((element) => (element as HTMLCanvasElement).toDataURL('image/jpeg', 0.5)));
    return seen.size;
  };
  await canvas.waitFor();
  await expect
    .poll(look, { timeout: DEADLINE_MS, interval: 50, message: 'the picture never moves' })
    .toBeGreaterThan(2);
}
