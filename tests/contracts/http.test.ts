import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { startProcess } from '../support/process.ts';
import { hasTool } from '../support/tools.ts';
import { until } from '../support/until.ts';
import { play } from './play.ts';
import { MODES, openPhone, openWorld, type World } from './worlds.ts';

const hasCurl = hasTool('curl', 'curl', ['--version']);

const readProject = (path: string) => readFileSync(new URL(path, PROJECT_FOLDER), 'utf8');

play('commands', async () => {
  const { scripts } = JSON.parse(readProject('package.json')) as { scripts: Record<string, string> };
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['start', 'dev', 'test:client']));
  const variables = readProject('.env.example').matchAll(/^# ([A-Z_]+)=/gm);
  const names = [...variables].map(([, name]) => name);
  expect(names).toEqual(expect.arrayContaining(['DATABASE_URL', 'PORT', 'ML_SERVICE_URL']));
  // What `dev` does, without its compiler. It must end in order: killed, it would leave its router behind.
  const { child, output, exited } = startProcess({ LOG_LEVEL: 'silent' }, ['--watch']);
  try {
    await until('the demo is up', () => /^Dashboard: |Failed running/m.test(output()), 60_000);
    expect(output()).not.toContain('Failed running');
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
});

play('environment', async () => {
  const old = {
    DATABASE_URL: 'postgresql://someone:password@db.example:5432/watchout',
    PORT: '3000',
    ML_SERVICE_URL: 'http://ml.example:8000',
  };
  expect(() => readConfig(old)).toThrow(/\n {2}BETTER_AUTH_SECRET: required with DATABASE_URL[^\n]*$/);
  const config = readConfig({ ...old, BETTER_AUTH_SECRET: 'the web app’s' });
  expect([config.PORT, config.auth?.databaseUrl]).toEqual([3000, old.DATABASE_URL]);
  expect(config.mlPlace).toEqual({ kind: 'http', url: old.ML_SERVICE_URL });
});

describe.each(MODES)('%s', (mode) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(mode);
  });
  afterAll(() => world.router.stop());

  async function ask(path: string, init: RequestInit = {}) {
    const response = await fetch(`${world.router.httpUrl}${path}`, {
      ...init,
      headers: { ...world.headers, ...init.headers },
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  describe.skipIf(!hasCurl)('with curl', () => {
    play('health by curl', async () => {
      const { stdout } = await promisify(execFile)('curl', ['--silent', '--fail', `${world.router.httpUrl}/health`]);
      expect(JSON.parse(stdout)).toMatchObject({ status: 'healthy', stats: { activeStreams: expect.any(Array) } });
    });
  });

  play('alert history', async () => {
    const { phone, streamId } = await openPhone(world, undefined, { produces: ['alert'] });
    const alert = { streamId, severity: 'high', message: 'Person', metadata: { confidence: 0.95 } };
    phone.send({ type: 'alert', ...alert });
    const { id } = await phone.next('alert');
    const { status, body } = await ask(`/api/alerts?streamId=${streamId}&limit=50`);
    expect([status, body['alerts']]).toEqual([200, [expect.objectContaining({ id, ...alert })]]);
    const [{ createdAt = '' } = {}] = body['alerts'] as { createdAt?: string }[];
    expect(new Date(createdAt).toISOString()).toBe(createdAt);
  });

  play('paths of a user', async () => {
    const metadata = { camera: 'front', location: 'entrance' };
    const [one, two, three] = [
      await openPhone(world, undefined, { metadata }),
      await openPhone(world),
      await openPhone(world),
    ];
    const path = `/api/users/${world.userId}`;
    const { body } = await ask(`${path}/streams`);
    expect(body['user_id']).toBe(world.userId);
    const row = { stream_id: one.streamId, status: 'online', metadata };
    expect(body['streams']).toEqual(expect.arrayContaining([expect.objectContaining(row)]));
    const { body: counts } = await ask('/api/stats');
    expect(counts['activeStreams']).toEqual(expect.arrayContaining([one.streamId, two.streamId, three.streamId]));
    expect((await ask(`${path}/streams/${one.streamId}`, { method: 'DELETE' })).status).toBe(200);
    expect((await one.phone.closed).code).toBe(4404);
    expect(two.phone.socket.readyState).toBe(two.phone.socket.OPEN);
    expect((await ask(path, { method: 'DELETE' })).status).toBe(200);
    for (const { phone } of [two, three]) expect((await phone.closed).code).toBe(4404);
    expect((await ask(`${path}/streams`)).body['streams']).toEqual([]);
  });

  play('offer of a camera', async () => {
    const offer = { sdp: 'v=0\r\n', type: 'offer', user_id: world.userId, stream_metadata: { camera: 'front' } };
    const headers = { 'content-type': 'application/json' };
    const { status, body } = await ask('/api/offer', { method: 'POST', headers, body: JSON.stringify(offer) });
    expect(status).toBe(501);
    const message = expect.stringMatching(/WebRTC.*\/streams\/register/);
    expect(body).toEqual({ error: { code: 'NOT_IMPLEMENTED', message } });
  });
});
