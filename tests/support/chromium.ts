import { type Browser, chromium } from 'playwright-core';
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

/** A browser with a fresh profile. `flags`: beside those it always has. */
export function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: [...CHROMIUM_FLAGS, ...flags] });
}
