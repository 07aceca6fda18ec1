import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { hasChromium, launchWholeChromium } from '../support/chromium.ts';
import { productionProcess } from '../support/process.ts';
import { moves } from './pages.ts';
import { drawnFps, openWall, tileOf } from './wall-page.ts';

const PAGES = new URL('../../dist/dashboard/', import.meta.url);
const MAX_SCRIPT_BYTES = 40 * 1024;

const STREAMS = ['s1', 's2', 's3', 's4'];
const SECONDS = 10;
const MAX_AGE_P95_MS = 50;
const MIN_FPS = 28;

test('all scripts of the wall together are under 40 KB, as they are sent', () => {
  const page = readFileSync(new URL('index.html', PAGES), 'utf8');
  const scripts = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.js)"/g)].map(([, path]) => path ?? '');
  expect(scripts.length).toBeGreaterThan(0);
  const sizes = scripts.map((path) => gzipSync(readFileSync(new URL(path, PAGES)), { level: 9 }).length);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(MAX_SCRIPT_BYTES);
});

test.skipIf(!hasChromium())(
  'four cameras of 30 frames a second are drawn at their rate, 95 % of the frames less than 50 ms after the camera took them',
  async () => {
    const router = await productionProcess();
    const cameras = spawn(
      process.execPath,
      [fileURLToPath(new URL('wall-encoders.mjs', import.meta.url)), ...STREAMS],
      {
        env: { ...process.env, ROUTER_URL: `ws://127.0.0.1:${router.port}`, TOKEN: router.token },
        stdio: 'inherit',
      },
    );
    onTestFinished(() => void cameras.kill('SIGKILL'));
    const browser = await launchWholeChromium();
    onTestFinished(() => browser.close());
    const page = await openWall(browser, `http://127.0.0.1:${router.port}/?token=${router.token}`);
    for (const streamId of STREAMS) await moves(tileOf(page, streamId).locator('canvas'));

    const first = await measure(page);
    if (isGood(first)) return;
    // Another program may have wanted both cores just then.
    process.stderr.write(`\nThe wall was slow, load ${loadOf()}: ${JSON.stringify(first)}; measured once more.\n`);
    const second = await measure(page);
    expect(isGood(second), `load ${loadOf()}: ${JSON.stringify(second)}`).toBe(true);
  },
);

interface Measured {
  fps: number;
  ageP95Ms: number;
}

/** Of each tile, over ten seconds: as many as a tile remembers the ages of. */
async function measure(page: Page): Promise<Measured[]> {
  return Promise.all(
    STREAMS.map(async (streamId) => {
      const tile = tileOf(page, streamId);
      const fps = await drawnFps(tile, SECONDS);
      return { fps: Math.round(fps * 10) / 10, ageP95Ms: Number(await tile.getAttribute('data-age-p95')) };
    }),
  );
}

function isGood(measured: readonly Measured[]): boolean {
  return measured.every(({ fps, ageP95Ms }) => fps >= MIN_FPS && ageP95Ms < MAX_AGE_P95_MS);
}

function loadOf(): string {
  return `${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores`;
}
