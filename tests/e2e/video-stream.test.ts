import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { openEncoder, openViewer, TestClient } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

const { embeddedUrl, postgresUrl } = inject('databases');
const databases = [
  { name: 'the embedded database', url: embeddedUrl, column: '"userId"' },
  ...(postgresUrl === undefined ? [] : [{ name: 'a real Postgres', url: postgresUrl, column: 'user_id' }]),
];

describe.each(databases)('streams that the web app knows, in $name', ({ url, column }) => {
  let router: TestRouter;
  let admin: pg.Pool;
  let anna: Account;
  let ben: Account;
  const gate = `gate-${randomBytes(6).toString('hex')}`;

  beforeAll(async () => {
    router = await startTestRouter({ databaseUrl: url, env: { STREAM_OWNERS: 'video_stream' } });
    [anna, ben] = [await router.signUp(), await router.signUp()];
    admin = new pg.Pool({ connectionString: url, max: 1 });
    await admin.query(`CREATE TABLE video_stream (id text PRIMARY KEY, ${column} text NOT NULL, "deviceName" text)`);
    await admin.query('INSERT INTO video_stream VALUES ($1, $2)', [gate, anna.userId]);
  });
  afterAll(async () => {
    await admin.query('DROP TABLE video_stream');
    await admin.end();
    await router.stop();
  });

  test('nobody takes another’s camera name while the camera is away; its owner gets it', async () => {
    const thief = await TestClient.open(`${router.wsUrl}/streams/register?token=${ben.token}`);
    thief.send({ type: 'register', clientType: 'mobile', streamId: gate });
    expect(await thief.next('error')).toMatchObject({ code: 'UNAUTHORIZED' });
    const { encoder, streamId } = await openEncoder(router.wsUrl, anna.token, { register: { streamId: gate } });
    expect(streamId).toBe(gate);
    for (const client of [thief, encoder]) await client.close();
  });

  test('nobody waits for another’s camera: the refusal comes at once, and beside it their own streams are watched', async () => {
    const viewer = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${ben.token}`);
    viewer.send({ type: 'subscribe', clientType: 'dashboard', streamIds: ['of-nobody', gate] });
    expect(await viewer.next('success')).toMatchObject({ streamId: 'of-nobody' });
    expect(await viewer.next('error')).toMatchObject({ code: 'UNAUTHORIZED', streamId: gate });
    await viewer.close();
    await (await openViewer(router.wsUrl, anna.token, gate)).close();
  });

  test('what a client sends while the owner is looked up is answered after it, in order', async () => {
    const camera = await TestClient.open(`${router.wsUrl}/streams/register?token=${anna.token}`);
    camera.send({ type: 'register', clientType: 'mobile', streamId: `new-${randomBytes(6).toString('hex')}` });
    camera.send({ type: 'heartbeat' });
    camera.send({ type: 'nonsense' });
    expect((await camera.next(() => true))['type']).toBe('success');
    expect((await camera.next(() => true))['type']).toBe('heartbeat');
    expect((await camera.next(() => true))['code']).toBe('UNKNOWN_MESSAGE_TYPE');
    await camera.close();
  });
});

test('without the table no new name is registered, the reason is in the log alone, and the connection stays', async () => {
  const router = await startTestRouter({ databaseUrl: embeddedUrl, env: { STREAM_OWNERS: 'video_stream' } });
  const { token } = await router.signUp();
  const camera = await TestClient.open(`${router.wsUrl}/streams/register?token=${token}`);
  camera.send({ type: 'register', clientType: 'mobile', streamId: `new-${randomBytes(6).toString('hex')}` });
  const error = await camera.next('error');
  expect(error['code']).toBe('UNAVAILABLE');
  expect(error['message']).not.toContain('relation');
  expect(router.logLines.join('')).toContain('owners of streams cannot be looked up');
  camera.send({ type: 'register', clientType: 'mobile' });
  expect((await camera.next('success'))['streamId']).toMatch(/^stream_/);
  await camera.close();
  await router.stop();
});
