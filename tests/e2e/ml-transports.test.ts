import { once } from 'node:events';
import { decode, encode } from '@msgpack/msgpack';
import { createClient } from '@redis/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { readWalk } from '../../src/demo/walk.ts';
import { frameOf, openEncoder, openViewer, type TestMessage } from '../support/client.ts';
import { startTestMlService } from '../support/ml-service.ts';
import { hasRedisServer, makePrivateRedis } from '../support/private-redis.ts';
import { startTestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

const jpeg = readWalk()[0] as Buffer;

/** A service somewhere: what it was sent, and a way for its alerts. */
interface Service {
  env: Record<string, string>;
  pictures: Buffer[];
  /** Number of the first picture. */
  firstSeq: () => number;
  /** `alert` reaches the router with the next frame, or at once. */
  alert: (alert: object) => void;
}

async function overHttp(): Promise<Service> {
  const pictures: Buffer[] = [];
  let firstSeq = 0;
  let waiting: object[] = [];
  const service = await startTestMlService(({ body }) => {
    for (const frame of body['frames'] as TestMessage[]) {
      firstSeq ||= frame['seq'];
      pictures.push(Buffer.from(frame['data']));
    }
    const alerts = waiting;
    waiting = [];
    return { status: 200, body: { alerts } };
  });
  onTestFinished(() => service.stop());
  return {
    // With the token frames are kept for alerts that come later.
    env: { ML_SERVICE_URL: service.url, ML_PROTOCOL: 'batch', ML_SERVICE_TOKEN: 'the-token-of-the-service' },
    pictures,
    firstSeq: () => firstSeq,
    alert: (alert) => void waiting.push(alert),
  };
}

async function overWebSocket(): Promise<Service> {
  const pictures: Buffer[] = [];
  let firstSeq = 0;
  let router: WebSocket | undefined;
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 64 * 1024 * 1024 });
  server.on('connection', (socket) => {
    router = socket;
    socket.on('message', (data: Buffer) => {
      const { frames } = decode(data) as { frames: TestMessage[] };
      for (const frame of frames) {
        firstSeq ||= frame['seq'];
        pictures.push(Buffer.from(frame['data']));
      }
    });
  });
  onTestFinished(() => {
    router?.terminate();
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return {
    env: { ML_SERVICE_WS_URL: `ws://127.0.0.1:${address.port}`, ML_PROTOCOL: 'batch' },
    pictures,
    firstSeq: () => firstSeq,
    alert: (alert) => router?.send(JSON.stringify(alert)),
  };
}

async function overRedis(): Promise<Service> {
  const redis = await makePrivateRedis();
  await redis.start();
  const pictures: Buffer[] = [];
  let firstSeq = 0;
  const reader = createClient({ url: redis.url }).on('error', () => undefined);
  const writer = createClient({ url: redis.url }).on('error', () => undefined);
  await Promise.all([reader.connect(), writer.connect()]);
  await reader.subscribe(
    'video-frames',
    (message: Buffer) => {
      const frame = decode(message) as TestMessage;
      firstSeq ||= frame['seq'];
      pictures.push(Buffer.from(frame['data']));
    },
    true,
  );
  onTestFinished(async () => {
    reader.destroy();
    writer.destroy();
    await redis.remove();
  });
  return {
    env: { ML_REDIS_URL: redis.url },
    pictures,
    firstSeq: () => firstSeq,
    alert: (alert) => void writer.publish('ml-alerts', Buffer.from(encode(alert))),
  };
}

const ways = [
  { name: 'HTTP', start: overHttp },
  { name: 'a WebSocket', start: overWebSocket },
  ...(hasRedisServer() ? [{ name: 'Redis', start: overRedis }] : []),
];

describe.each(ways)('an ML service over $name', ({ start }) => {
  test('is sent the pictures bit for bit, and its alert reaches camera and dashboard; a bad one is counted', async () => {
    const service = await start();
    const router = await startTestRouter({ env: service.env });
    onTestFinished(() => router.stop());
    const { token } = await router.signUp();
    const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
    const viewer = await openViewer(router.wsUrl, token, streamId);
    const sendUntil = async (what: string, condition: () => boolean | Promise<boolean>) => {
      await until(what, async () => {
        encoder.send(frameOf(encoder, streamId, jpeg));
        return condition();
      });
    };
    await sendUntil('a picture arrives', () => service.pictures.length > 0);
    expect(service.pictures[0]?.equals(jpeg)).toBe(true);

    service.alert({ streamId: 'nobody-s', severity: 'high', message: 'Lost' });
    service.alert({ streamId, severity: 'high', message: 'Person', seq: service.firstSeq() });
    await sendUntil('both are judged', async () => {
      const { alerts } = (await router.stats())['ml'];
      return alerts.accepted === 1 && alerts.refused === 1;
    });
    for (const client of [viewer, encoder]) {
      const alert = await client.next('alert');
      expect(alert).toMatchObject({
        streamId,
        severity: 'high',
        message: 'Person',
        frame: { seq: expect.any(Number) },
      });
      const url = `${router.httpUrl}/api/alerts/${alert['id']}/frame.jpg`;
      const served = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      expect(Buffer.from(await served.arrayBuffer()).equals(jpeg)).toBe(true);
    }
  });
});
