import { existsSync } from 'node:fs';
import { type Browser, type BrowserServer, chromium } from 'playwright-core';
import { hasTool } from './tools.ts';

const CHROMIUM = '/usr/bin/chromium';
const HEADLESS_SHELL = '/usr/bin/chromium-headless-shell';
const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Whether Debian's Chromium is here; said where it is not, an error in CI. */
export function hasChromium(): boolean {
  return hasTool('Chromium', CHROMIUM, ['--version']);
}

let shared: Promise<BrowserServer> | undefined;

/**
 * A browser; each context in it is a fresh profile. It is one for all files that this worker runs, and who closes it closes their own contexts: to start one takes as
 * much CPU as most tests in it. Where Debian's headless shell is, it is that: the same engine without the windows around it, at a third of the CPU
 * (tests/dashboard/wall*: 44 s for 116).
 */
export async function launchChromium(): Promise<Browser> {
  const executablePath = existsSync(HEADLESS_SHELL) ? HEADLESS_SHELL : CHROMIUM;
  shared ??= chromium.launchServer({ executablePath, args: CHROMIUM_FLAGS, host: '127.0.0.1' });
  return chromium.connect((await shared).wsEndpoint());
}

/** The browser as people have it, windows and all, for one test: notifications, cameras, and how fast it draws. `flags`: beside those it always has. */
export function launchWholeChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: [...CHROMIUM_FLAGS, ...flags] });
}
