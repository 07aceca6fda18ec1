import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { until } from '../support/until.ts';
import { openSite, type Site, sendPage } from '../support/web-app.ts';
import { type OpenPage, openPage, ownAddress, pageAddress, untilInPage } from './browser.ts';
import { play } from './play.ts';
import { MODES, openPhone, openWorld, raise, type World } from './worlds.ts';

const PICTURE = 'document.querySelector("img")';
const walk = readWalk();

/** The pages and React, as one script for a browser. */
async function bundle(): Promise<string> {
  const entry = fileURLToPath(new URL('pages/react.jsx', import.meta.url));
  const built = await build({
    configFile: false,
    logLevel: 'error',
    // As for production, whatever this process is.
    oxc: { jsx: { runtime: 'automatic', development: false } },
    define: { 'process.env.NODE_ENV': '"production"' },
    build: { write: false, lib: { entry, name: 'pages', formats: ['iife'] } },
  });
  const [{ output } = { output: [] }] = Array.isArray(built) ? built : [];
  const [chunk] = output;
  if (chunk?.type !== 'chunk') throw new Error('vite made no script');
  return chunk.code;
}

describe.skipIf(!hasChromium())('in Chromium', () => {
  let browser: Browser;
  let site: Site;
  let script: string;

  beforeAll(async () => {
    [browser, site, script] = await Promise.all([launchChromium(), openSite(), bundle()]);
    site.serve(sendPage);
  });
  afterAll(async () => {
    await browser?.close();
    site.close();
  });

  describe.each(MODES)('%s', (mode) => {
    let world: World;
    beforeAll(async () => {
      world = await openWorld(mode);
    });
    afterAll(() => world.router.stop());

    async function show(name: string, properties: object): Promise<OpenPage> {
      const opened = await openPage(browser, world, pageAddress(world, site), script);
      await opened.page.evaluate(`show('${name}', ${JSON.stringify(properties)})`);
      return opened;
    }

    /** The player of a stream at `address`: it waits, then shows each picture that is sent; when it is gone nobody watches. */
    async function showsTheStream(address: string): Promise<void> {
      const { streamId, send } = await openPhone(world);
      const opened = await show('Player', { address: `${world.router.wsUrl}${address}`, streamId });
      await untilInPage(opened, 'document.querySelector("p")?.textContent === "waiting"');
      for (const jpeg of walk.slice(0, 2)) {
        send(jpeg);
        const shown = `data:image/jpeg;base64,${jpeg.toString('base64')}`;
        await untilInPage(opened, `${PICTURE}?.naturalWidth === 768 && ${PICTURE}.src === ${JSON.stringify(shown)}`);
      }
      const consumers = async () => (await world.router.stats())['totalVideoConsumers'];
      expect(await consumers()).toBe(1);
      await opened.page.evaluate('leave()');
      await until('nobody watches any more', async () => (await consumers()) === 0);
      expect(opened.faults).toEqual([]);
    }

    play('React viewer with a token', () => showsTheStream(`/streams/subscribe?token=${world.token}`));

    play('React viewer with a cookie', () => showsTheStream('/api/streams/ws'));

    play('React list of streams', async () => {
      await openPhone(world, undefined, { metadata: { deviceName: 'Nursery' } });
      // Its path has no host, so it must be the router's address, in any case.
      const opened = await openPage(browser, world, ownAddress(world), script);
      await opened.page.evaluate('show("Streams", {})');
      await untilInPage(opened, 'document.querySelector("ul")?.textContent.includes("Nursery is online")');
      expect(opened.faults).toEqual([]);
    });

    play('React alerts', async () => {
      const { streamId } = await openPhone(world, undefined, { consumes: [] });
      const opened = await show('Alerts', { address: `${world.router.wsUrl}/api/streams/ws` });
      await until('it is taken for a listener', async () => (await world.router.stats())['totalAlertConsumers'] > 0);
      await raise(world, { streamId, severity: 'high', message: 'Person' });
      await untilInPage(opened, 'document.querySelector("output")?.textContent === "Person (high)"');
      expect(opened.faults).toEqual([]);
    });
  });
});
