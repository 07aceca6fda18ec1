import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import type { TestClient } from '../support/client.ts';
import { openSite, type Site, sendPage } from '../support/web-app.ts';
import { type OpenPage, openPage, pageAddress, untilInPage } from './browser.ts';
import { play } from './play.ts';
import { MODES, openClient, openPhone, openWorld, raise, type World } from './worlds.ts';

const SCRIPT = readFileSync(new URL('pages/plain.js', import.meta.url), 'utf8');
const [jpeg = Buffer.alloc(0), drawn = Buffer.alloc(0)] = readWalk();

const ANOMALY = {
  type: 'anomaly_detected',
  result: {
    person_id: 7,
    frame_number: 31,
    score: -1.5,
    is_abnormal: true,
    classification: 'Abnormal',
    confidence: 'High',
    bbox: { x: 4, y: 8, w: 90, h: 210 },
  },
  frame_format: 'jpeg',
};

describe.skipIf(!hasChromium())('in Chromium', () => {
  let browser: Browser;
  let site: Site;

  beforeAll(async () => {
    [browser, site] = await Promise.all([launchChromium(), openSite()]);
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

    play('dashboard at one door', async () => {
      const { streamId, send } = await openPhone(world);
      const opened = await openPage(browser, world, pageAddress(world, site), SCRIPT);
      const hello = { type: 'subscribe', clientType: 'dashboard', streamId, consumes: ['video-frame', 'alert'] };
      const who = { userId: 'user-1', token: world.token };
      await evaluate(opened, `watch('${world.router.wsUrl}/ws', ${JSON.stringify({ ...hello, ...who })})`);
      for (const picture of [jpeg, drawn]) {
        send(picture);
        const shown = JSON.stringify(`data:image/jpeg;base64,${picture.toString('base64')}`);
        await untilInPage(
          opened,
          `(({ src, naturalWidth }) => src === ${shown} && naturalWidth === 768)(document.images[0])`,
        );
      }
      await raise(world, { streamId, severity: 'high', message: 'Person' });
      await untilInPage(opened, 'watched.alerts.length > 0');
      expect(await evaluate(opened, 'watched.alerts')).toEqual([['high', 'Person']]);
      expect(opened.faults).toEqual([]);
    });

    play('alerts of a user', async () => {
      const { opened, userId } = await listeningPage();
      const { streamId } = await phoneOf(userId);
      const annotated_frame = drawn.toString('base64');
      await raise(world, { ...ANOMALY, stream_id: streamId, user_id: 'whoever', annotated_frame });
      await untilInPage(opened, 'page.anomalies.length > 0');
      const [anomaly] = (await evaluate(opened, 'page.anomalies')) as object[];
      expect(anomaly).toMatchObject({ ...ANOMALY, stream_id: streamId, user_id: userId, annotated_frame });
    });

    play('page that adds a camera', async () => {
      const { opened } = await listeningPage();
      const outcome = await evaluate(opened, add('front'));
      expect(outcome).toMatch(/setRemoteDescription/);
      expect(await evaluate(opened, 'page.offers')).toEqual([refusedOffer()]);
      expect(await evaluate(opened, 'page.cameras.size')).toBe(0);
    });

    play('page with several cameras', async () => {
      const { opened, userId } = await listeningPage();
      for (const camera of ['front', 'back']) await evaluate(opened, add(camera));
      expect(await evaluate(opened, 'page.offers')).toEqual([refusedOffer(), refusedOffer()]);
      const cameras = [await phoneOf(userId), await phoneOf(userId)];
      for (const { streamId } of cameras) await raise(world, { ...ANOMALY, stream_id: streamId });
      await untilInPage(opened, 'page.anomalies.length === 2');
      const streams = await evaluate(opened, 'page.anomalies.map((anomaly) => anomaly.stream_id)');
      expect(streams).toEqual(cameras.map(({ streamId }) => streamId));
      expect(opened.faults).toEqual([]);
    });

    play('page that shows alerts', async () => {
      const { opened, userId } = await listeningPage();
      const { phone, streamId } = await phoneOf(userId);
      // The service that draws its own picture, and the plain one whose alert the router knows the frame of.
      await raise(world, { ...ANOMALY, stream_id: streamId, annotated_frame: drawn.toString('base64') });
      const service = await openClient(world, `/ws${world.serviceQuery}`);
      service.send({ type: 'subscribe', clientType: 'ml-service', streamId, consumes: ['video-frame'] });
      await service.next('status');
      phone.send({ type: 'video-frame', streamId, data: jpeg.toString('base64'), timestamp: 1_800_000_000_000 });
      await service.next('video-frame');
      service.send({ type: 'alert', streamId, severity: 'high', message: 'Person', timestamp: 1_800_000_000_000 });
      await untilInPage(opened, 'page.anomalies.length === 2');
      await evaluate(opened, 'page.anomalies.forEach((anomaly) => page.show(anomaly))');
      await untilInPage(opened, '[...document.images].every(({ naturalWidth }) => naturalWidth === 768)');
      const sources = await evaluate(opened, '[...document.images].map(({ src }) => src)');
      expect(sources).toEqual([drawn, jpeg].map((picture) => `data:image/jpeg;base64,${picture.toString('base64')}`));
      const captions = await evaluate(
        opened,
        '[...document.querySelectorAll("figcaption")].map((one) => one.textContent)',
      );
      expect(captions).toEqual(['a camera: person 7, High', expect.stringMatching(/^a camera: .*, High$/)]);
      expect(opened.faults).toEqual([]);
    });

    play('page that closes cameras', async () => {
      const { opened, userId } = await listeningPage();
      const [one, two, three] = [await phoneOf(userId), await phoneOf(userId), await phoneOf(userId)];
      expect(await evaluate(opened, `page.remove('${one.streamId}')`)).toBe(200);
      expect((await one.phone.closed).code).toBe(4404);
      for (const { phone } of [two, three]) expect(phone.socket.readyState).toBe(phone.socket.OPEN);
      expect(await evaluate(opened, 'page.disconnect()')).toBe(200);
      for (const { phone } of [two, three]) expect((await phone.closed).code).toBe(4404);
      expect(opened.faults).toEqual([]);
    });

    play('page with the client class', async () => {
      const { opened, userId } = await listeningPage();
      const [own, other] = [await phoneOf(userId), await phoneOfSomebodyElse()];
      await evaluate(opened, add('front'));
      for (const { streamId } of [other, own]) await raise(world, { ...ANOMALY, stream_id: streamId });
      await untilInPage(opened, 'page.anomalies.length > 0');
      expect(await evaluate(opened, 'page.anomalies.map((anomaly) => anomaly.stream_id)')).toEqual([own.streamId]);
      // Another's stream is no stream of this user's, whatever the path says.
      expect(await evaluate(opened, `page.remove('${other.streamId}')`)).toBe(403);
      expect(await evaluate(opened, `page.remove('${own.streamId}')`)).toBe(200);
      expect(await evaluate(opened, 'page.disconnect()')).toBe(200);
      await untilInPage(opened, 'page.socket.readyState === WebSocket.CLOSED');
      expect((await own.phone.closed).code).toBe(4404);
      expect(other.phone.socket.readyState).toBe(other.phone.socket.OPEN);
      expect(opened.faults).toEqual([]);
    });

    play('page with a session id', async () => {
      for (const name of ['session_id', 'user_id']) {
        const opened = await openPage(browser, world, pageAddress(world, site), SCRIPT);
        await evaluate(
          opened,
          `offerAndListen('${world.router.httpUrl}', '${name}').then((way) => { globalThis.way = way; })`,
        );
        expect(await evaluate(opened, '[way.status, way.id]')).toEqual([501, undefined]);
        // A router that asks nobody takes it for the name of a user, who has no alerts.
        if (mode === 'with AUTH_MODE=insecure-dev') {
          await untilInPage(opened, 'way.socket.readyState === WebSocket.OPEN');
          continue;
        }
        expect(await evaluate(opened, 'way.closed')).toBe(1008);
        expect(await evaluate(opened, 'way.heard.map(({ type, code }) => [type, code])')).toEqual([
          ['error', 'UNAUTHORIZED'],
        ]);
      }
    });

    /** A page of the anomaly detection whose alerts socket is open. Where nobody is asked who they are, its user is one that it made up. */
    async function listeningPage(): Promise<{ opened: OpenPage; userId: string }> {
      const userId = mode === 'with a session' ? world.userId : `user_${crypto.randomUUID()}`;
      const opened = await openPage(browser, world, pageAddress(world, site), SCRIPT);
      const made = `globalThis.page = new Anomalies('${world.router.httpUrl}', '${userId}')`;
      expect(await evaluate(opened, `(${made}).listen()`)).toBe('open');
      return { opened, userId };
    }

    function phoneOf(userId: string): Promise<Phone> {
      return registered(mode === 'with a session' ? `?token=${world.token}` : '', userId);
    }

    async function phoneOfSomebodyElse(): Promise<Phone> {
      const query = mode === 'with a session' ? `?token=${(await world.router.signUp()).token}` : '';
      return registered(query, 'somebody-else');
    }

    async function registered(query: string, userId: string): Promise<Phone> {
      const phone = await openClient(world, `/ws${query}`);
      phone.send({ type: 'register', clientType: 'mobile', produces: ['video-frame'], userId });
      const { streamId } = await phone.next('success');
      return { phone, streamId };
    }
  });
});

interface Phone {
  phone: TestClient;
  streamId: string;
}

function evaluate({ page }: OpenPage, expression: string): Promise<unknown> {
  return page.evaluate(expression);
}

/** Answers in words how it failed. */
function add(camera: string): string {
  return `page.add({ camera: '${camera}' }).then(() => 'added', ({ message }) => message)`;
}

function refusedOffer(): object {
  const message = expect.stringMatching(/WebRTC.*\/streams\/register/);
  return { status: 501, body: { error: { code: 'NOT_IMPLEMENTED', message } } };
}
