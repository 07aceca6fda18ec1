import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { renderHtml } from '../../bench/load/html.ts';
import { readUplot } from '../../bench/load/page/uplot.ts';
import type { LoadReport, Percentiles, Sample } from '../../bench/load/report.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';

const DEADLINE_MS = 15_000;
const HOSTILE = `</script></style><!--"'><img src=x onerror="document.title='owned'">`;
/** Of page.css, as pixels: the first two causes of drops. */
const ORANGE = 0xff_00_4e_c4;
const BLUE = 0xff_b2_72_00;
const NOTHING: Percentiles = { count: 0, p50: 0, p90: 0, p95: 0, p99: 0, max: 0 };

test('without the package that draws, the error says what to install', () => {
  expect(() => readUplot('file:///nowhere/html.js')).toThrow('npm install --include=dev');
});

test('text of the report is text wherever it stands in the page', () => {
  const page = renderHtml(hostileReport());
  expect(page).not.toContain('<img');
  expect(page.match(/<script/g)).toHaveLength(3);
  expect(page.match(/<\/script/g)).toHaveLength(3);
});

test('not quite all frames are not 100 %', () => {
  const page = renderHtml({ ...report(), frames: { ...report().frames, delivered: 99_999, expected: 100_000 } });
  expect(page).toContain('99.99\u00a0%');
});

describe.skipIf(!hasChromium())('in Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test('a run is drawn in four charts, from the file alone, in the light and in the dark', async () => {
    const { page, faults, requests, url } = await open(report());
    const pictures: (readonly number[])[][] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const isDrawn = async () => JSON.stringify(await drawnColors(page)) !== JSON.stringify(pictures[0]);
      await expect.poll(isDrawn, { timeout: DEADLINE_MS }).toBe(true);
      pictures.push(await drawnColors(page));
    }
    for (const picture of pictures) {
      expect(picture).toHaveLength(4);
      for (const colors of picture) expect(colors.length).toBeGreaterThan(2);
    }
    expect(requests).toEqual([url]);
    expect(faults).toEqual([]);
  });

  test('pointing at a second reads it in every chart, also where bars are stacked', async () => {
    const { page, faults } = await open(report());
    const plot = page.locator('#plot-throughput .u-over');
    const { width, height } = (await plot.boundingBox()) ?? { width: 0, height: 0 };
    await plot.hover({ position: { x: width / 2, y: height / 2 } });
    await expect.poll(() => legend(page, 'throughput')).toContain('second\n5\n');
    expect(await legend(page, 'throughput')).toContain('delivered\n105\u00a0frames/s');
    expect(await legend(page, 'latency')).toContain('p99\n1,500\u00a0ms');
    expect(await legend(page, 'drops')).toContain('slow\n30\u00a0frames/s');
    expect(await legend(page, 'drops')).toContain('rate\n30\u00a0frames/s');
    expect(await legend(page, 'router')).toContain('CPU\n50\u00a0%');

    // As many of one as of the other: what is not on top of the other is hidden by it.
    const drops = async () => (await drawnColors(page))[2];
    expect(await drops()).toEqual(expect.arrayContaining([ORANGE, BLUE]));
    await page.locator('#legend-drops th', { hasText: 'rate' }).click();
    await expect.poll(drops).not.toContain(BLUE);
    expect(await drops()).toContain(ORANGE);
    await plot.hover({ position: { x: width / 2, y: height / 2 } });
    await expect.poll(() => legend(page, 'drops')).toContain('slow\n30\u00a0frames/s');
    expect(faults).toEqual([]);
  });

  test('the page fits a phone and a wide screen, and the charts with it', async () => {
    const { page } = await open(report());
    for (const width of [1600, 400]) {
      await page.setViewportSize({ width, height: 900 });
      const rights = `[...document.querySelectorAll('.uplot')].map((plot) => plot.getBoundingClientRect().right)`;
      await expect.poll(() => page.evaluate(`Math.max(...${rights})`), { timeout: DEADLINE_MS }).toBeLessThan(width);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    }
  });

  test('a warning is seen, and hostile text is read as text', async () => {
    const { page, faults } = await open(hostileReport());
    const warnings = page.getByRole('region', { name: 'Read these figures with care' });
    expect(await warnings.isVisible()).toBe(true);
    expect(await warnings.getByRole('listitem').textContent()).toBe(HOSTILE);
    expect(await page.getByRole('table', { name: 'Error messages' }).getByRole('rowheader').textContent()).toBe(
      HOSTILE,
    );
    expect(await page.locator('#legend-drops').textContent()).toContain(HOSTILE);
    expect(await page.title()).toBe(`Load test: ${HOSTILE}`);
    expect(await page.locator('img').count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test('what is not known is said in words, not drawn', async () => {
    const silent = report((sample) => ({
      ...sample,
      routerCpu: undefined,
      routerResidentBytes: undefined,
      dropped: {},
    }));
    const { page, faults } = await open({ ...silent, router: undefined });
    await expect.poll(() => drawnColors(page)).toHaveLength(2);
    const words = await page.locator('.charts').textContent();
    expect(words).toContain('The router does not tell, so nothing is known of dropped frames.');
    expect(words).toContain('The router does not tell its CPU time and its memory.');
    expect(faults).toEqual([]);

    const calm = { cpuSeconds: 1, cpuMicrosPerFrame: 1, maxResidentBytes: 1, dropped: { slow: 0 } };
    const other = await open({ ...silent, router: calm });
    expect(await other.page.locator('.charts').textContent()).toContain('No frame was dropped.');
  });

  test('a run in which nothing arrived, and one that was not recorded, are pages, too', async () => {
    const dead = report((sample) => ({ ...sample, delivered: 0, deliveredBytes: 0, latency: NOTHING, dropped: {} }));
    const { page, faults } = await open({ ...dead, latency: { fromSchedule: NOTHING, fromSend: NOTHING } });
    expect(await page.locator('.charts').textContent()).toContain('No frame arrived, so no latency was measured.');
    // Zero milliseconds would look splendid.
    expect(await page.locator('.figures div', { hasText: 'p99' }).locator('.value').textContent()).toBe('–');
    expect(faults).toEqual([]);

    const unrecorded = await open({ ...dead, timeline: [] });
    expect(await unrecorded.page.locator('.charts').textContent()).toContain('No second of this run was recorded.');
    expect(unrecorded.faults).toEqual([]);
  });

  async function open(of: LoadReport): Promise<{ page: Page; faults: string[]; requests: string[]; url: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'load-report-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'report.html');
    await writeFile(file, renderHtml(of));
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    page.setDefaultTimeout(DEADLINE_MS);
    const faults: string[] = [];
    const requests: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => faults.push(message.text()));
    page.on('request', (request) => requests.push(request.url()));
    const url = pathToFileURL(file).href;
    await page.goto(url);
    return { page, faults, requests, url };
  }
});

/** For each canvas, the colors that cover more than a few pixels. An empty one has at most one, the transparent. */
function drawnColors(page: Page): Promise<number[][]> {
  return page.evaluate(`[...document.querySelectorAll('canvas')].map((canvas) => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const counts = new Map();
    for (const pixel of new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer))
      counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
    return [...counts].filter(([, count]) => count > 20).map(([pixel]) => pixel);
  })`);
}

function legend(page: Page, chart: string): Promise<string> {
  return page.locator(`#legend-${chart}`).innerText();
}

/** Eleven seconds, one of them without a frame; `change` is applied to each. */
function report(change: (sample: Sample) => Sample = (sample) => sample): LoadReport {
  const latency = { count: 1000, p50: 2, p90: 4, p95: 5, p99: 1500, max: 2000 };
  const timeline = Array.from({ length: 11 }, (_, second) =>
    change({
      second,
      sent: 10,
      delivered: second === 7 ? 0 : 100 + second,
      deliveredBytes: 3_400_000,
      alertsDelivered: 1,
      latency: second === 7 ? NOTHING : latency,
      routerCpu: 0.5,
      routerResidentBytes: 100 * 2 ** 20,
      dropped: second === 5 ? { slow: 30, rate: 30 } : {},
    }),
  );
  const viewers = { count: 10, delivered: 1000, latency };
  return {
    url: 'ws://127.0.0.1:3000',
    startedAt: '2025-11-21T11:10:00.000Z',
    load: '1 stream × 10 viewers, 34 KB at 10 fps, MessagePack',
    seconds: 11,
    connections: { encoders: 1, viewers: 10, failed: { timeout: 1 }, closed: { 4509: 2 } },
    frames: {
      sent: 110,
      skipped: 0,
      delivered: 1000,
      expected: 1100,
      deliveredPerSecond: 91,
      deliveredBytesPerSecond: 3_400_000,
    },
    latency: { fromSchedule: latency, fromSend: latency },
    viewers: {
      plain: viewers,
      windowed: viewers,
      slow: viewers,
      'slow-windowed': viewers,
      stalled: { ...viewers, latency: NOTHING },
    },
    alerts: { sent: 11, delivered: 11, expected: 11, latency },
    errors: { RATE_LIMITED: 3 },
    router: { cpuSeconds: 5, cpuMicrosPerFrame: 31, maxResidentBytes: 100 * 2 ** 20, dropped: { slow: 30, rate: 30 } },
    tool: { cpuSeconds: 3, busiest: 0.4, lateness: latency, warnings: [] },
    timeline,
  };
}

/** Every text and every name in it would like to be HTML. */
function hostileReport(): LoadReport {
  const calm = report((sample) => ({ ...sample, dropped: { [HOSTILE]: 1, constructor: 2 } }));
  const counts = { [HOSTILE]: 1 };
  return {
    ...calm,
    url: HOSTILE,
    startedAt: HOSTILE,
    load: HOSTILE,
    connections: { ...calm.connections, failed: counts, closed: counts },
    errors: counts,
    router: { cpuSeconds: 1, cpuMicrosPerFrame: 1, maxResidentBytes: 1, dropped: counts },
    tool: { ...calm.tool, warnings: [HOSTILE] },
  };
}
