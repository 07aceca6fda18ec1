import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createClient } from '@redis/client';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { ForeignProgram } from '../interop/foreign-program.ts';
import { sha256, walkFiles } from '../interop/walk-files.ts';
import { jpegOf, type TestClient, type TestMessage } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import { hasRedisServer, makePrivateRedis } from '../support/private-redis.ts';
import { hasTool } from '../support/tools.ts';
import { until } from '../support/until.ts';
import { play } from './play.ts';
import { MODES, openClient, openDashboard, openPhone, openWorld, type World } from './worlds.ts';

/** Debian's, since that is where Debian's packages are; the first `python3` in PATH may be another one. */
const PYTHON = '/usr/bin/python3';
const hasPython = hasTool('Python 3 with websocket-client', PYTHON, ['-c', 'import websocket']);
const ML_CLIENT = fileURLToPath(new URL('python_ml_client.py', import.meta.url));

const jpeg = numberedPicture(1, 30_000);
const FOUND = { confidence: 0.9, objectType: 'person' };

/** Both hear the same one. */
async function alertAt(...clients: TestClient[]): Promise<TestMessage> {
  const [alert = {}, ...others] = await Promise.all(clients.map((client) => client.next('alert')));
  for (const other of others) expect(other['id']).toBe(alert['id']);
  return alert;
}

describe.each(MODES)('%s', (mode) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(mode);
  });
  afterAll(() => world.router.stop());

  play('ML service as a client at one door', async () => {
    const { phone, streamId, send } = await openPhone(world);
    const dashboard = await openDashboard(world, streamId);
    const service = await openService(streamId);
    send(jpeg);
    const frame = await service.next('video-frame');
    expect([frame['streamId'], jpegOf(frame).equals(jpeg)]).toEqual([streamId, true]);
    const alert = { severity: 'high', message: 'Suspicious', metadata: FOUND, timestamp: Date.now() };
    service.send({ type: 'alert', streamId, ...alert });
    expect(await alertAt(phone, dashboard)).toMatchObject({ streamId, ...alert });
    // What it does not know would be analysed, or break it.
    expect(service.messages.map(({ type }) => type)).toEqual(['success', 'status', 'status', 'video-frame']);
  });

  play('all three at one door', async () => {
    const streamId = 'the-only-one';
    const first = { streamId, userId: 'user-1', token: world.token };
    const dashboard = await openClient(world, '/ws');
    dashboard.send({ type: 'subscribe', clientType: 'dashboard', consumes: ['video-frame', 'alert'], ...first });
    expect((await dashboard.next('status'))['status']).toBe('offline');
    const service = await openService(streamId);
    const phone = await openClient(world, '/ws');
    phone.send({ type: 'register', clientType: 'mobile', produces: ['video-frame'], consumes: ['alert'], ...first });
    phone.send({ type: 'video-frame', streamId, data: jpeg.toString('base64'), timestamp: Date.now() });
    await service.next('video-frame');
    service.send({ type: 'alert', streamId, severity: 'high', message: 'Suspicious', timestamp: Date.now() });
    await alertAt(phone, dashboard);
    await phone.close();
    await dashboard.next(({ status }) => status === 'offline');
    const seen = dashboard.messages.map(({ type, status }) => status ?? type);
    expect(seen).toEqual(['success', 'offline', 'online', 'streaming', 'video-frame', 'alert', 'offline']);
  });

  /** At `/ws`, as soon as it watches. */
  async function openService(streamId: string): Promise<TestClient> {
    const service = await openClient(world, `/ws${world.serviceQuery}`);
    service.send({
      type: 'subscribe',
      clientType: 'ml-service',
      streamId,
      consumes: ['video-frame'],
      produces: ['alert'],
    });
    expect((await service.next('success'))['message']).toBe('Subscription successful');
    await service.next('status');
    return service;
  }

  describe.skipIf(!hasPython)('in Python', () => {
    play('ML client in Python', async () => {
      const { phone, streamId, send } = await openPhone(world);
      const dashboard = await openDashboard(world, streamId);
      const url = `${world.router.wsUrl}/api/streams/ws${world.serviceQuery}`;
      const program = new ForeignProgram(PYTHON, [ML_CLIENT, url, streamId]);
      await program.next('watching');
      for (const file of walkFiles(4)) {
        const sentMs = Date.now();
        send(readFileSync(file.path));
        const analyzed = await program.next('analyzed');
        expect(analyzed['sha256']).toBe(file.sha256);
        if (analyzed['suspicious'] !== true) continue;
        const alert = await alertAt(phone, dashboard);
        expect(alert).toMatchObject({ streamId, severity: 'high', message: 'Suspicious', metadata: FOUND });
        expect(alert['timestamp']).toBeGreaterThanOrEqual(sentMs);
      }
      expect(program.events.filter(({ suspicious }) => suspicious)).toHaveLength(2);
      // Its own word for it, without a handshake of closing.
      await program.end();
    });
  });
});

describe.skipIf(!hasRedisServer())('over Redis', () => {
  play('ML service behind a queue', async () => {
    const redis = await makePrivateRedis();
    onTestFinished(() => redis.remove());
    await redis.start();
    const reader = createClient({ url: redis.url }).on('error', () => undefined);
    const writer = createClient({ url: redis.url }).on('error', () => undefined);
    onTestFinished(() => {
      reader.destroy();
      writer.destroy();
    });
    await Promise.all([reader.connect(), writer.connect()]);
    const seen: TestMessage[] = [];
    await reader.subscribe('video-frames', (text) => {
      const message = JSON.parse(text) as TestMessage;
      seen.push(message);
      const alert = { type: 'alert', streamId: message['streamId'], severity: 'high', message: 'Suspicious' };
      void writer.publish('ml-alerts', JSON.stringify({ ...alert, metadata: FOUND, timestamp: Date.now() }));
    });

    // The original form: by itself the router sends MessagePack there.
    const env = { ML_REDIS_URL: redis.url, ML_PROTOCOL: 'single' };
    const world = await openWorld('with a session', env);
    onTestFinished(() => world.router.stop());
    const { phone, streamId, send } = await openPhone(world);
    const dashboard = await openDashboard(world, streamId);
    await until('the queue has a frame', () => {
      send(jpeg, { timestamp: 1_800_000_000_000 });
      return seen.length > 0;
    });
    expect(Object.keys(seen[0] ?? {}).sort()).toEqual(['frame', 'streamId', 'timestamp']);
    expect([seen[0]?.['streamId'], seen[0]?.['timestamp']]).toEqual([streamId, 1_800_000_000_000]);
    expect(sha256(Buffer.from(seen[0]?.['frame'], 'base64'))).toBe(sha256(jpeg));
    const alert = { streamId, severity: 'high', message: 'Suspicious', metadata: FOUND };
    expect(await alertAt(phone, dashboard)).toMatchObject(alert);
  });
});
