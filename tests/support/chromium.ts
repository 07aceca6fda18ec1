import { type Browser, type BrowserServer, chromium } from 'playwright-core';
import { hasTool } from './tools.ts';

const CHROMIUM = '/usr/bin/chromium';
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

const launchOptions = (flags: readonly string[]) => ({
  executablePath: CHROMIUM,
  args: [...CHROMIUM_FLAGS, ...flags],
});

let shared: Promise<BrowserServer> | undefined;

/**
 * A browser; each context in it is a fresh profile. `flags`: beside those it always has, for one of its own. Without any it is the one of all files that this
 * worker runs, since to start one takes as much CPU as most tests in it: who closes it closes their own contexts.
 */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  if (flags.length > 0) return chromium.launch(launchOptions(flags));
  shared ??= chromium.launchServer({ ...launchOptions([]), host: '127.0.0.1' });
  return chromium.connect((await shared).wsEndpoint());
}
