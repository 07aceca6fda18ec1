import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { openEncoder, openViewer, TestClient } from '../support/client.ts';
import { productionProcess, startProcess } from '../support/process.ts';
import { until } from '../support/until.ts';

test('with no environment at all the demo shows moving frames and raises alerts for the token it prints', async () => {
  const router = startProcess({});
  await until('it says where it is', () => router.output().includes('Watch frames arrive'), 30_000);
  const token = /^token: (\S+)$/m.exec(router.output())?.[1] as string;
  const [, url = '', tokenInUrl] =
    /^Dashboard: (http:\/\/127\.0\.0\.1:\d+)\/\?token=(\S+)$/m.exec(router.output()) ?? [];
  expect(tokenInUrl).toBe(token);
  const wsUrl = url.replace('http', 'ws');
  const viewer = await openViewer(wsUrl, token, 'demo-camera', { encoding: 'msgpack' });
  const pictures = new Set<string>();
  for (let frames = 0; frames < 10; frames += 1) {
    pictures.add(Buffer.from((await viewer.next('video-frame'))['data']).toString('base64'));
  }
  expect(pictures.size).toBe(10);
  const alert = await viewer.next('alert', 20_000);
  expect(alert).toMatchObject({ streamId: 'demo-camera', message: 'Motion at the crossing' });
  expect(alert['metadata'].confidence).toBeGreaterThan(0.5);
  expect((await (await fetch(url)).text()).toLowerCase()).toContain('<!doctype html>');
  router.child.kill('SIGTERM');
  expect(await router.exited).toBe(0);
  // The log lines, as opposed to the welcome, hold no token.
  const log = router
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  expect(log.length).toBeGreaterThan(0);
  expect(log.join('')).not.toContain(token);
});

test('SIGTERM, even twice, sends everybody away with 1012, tells who understands when to come back, and exits 0', async () => {
  const router = await productionProcess();
  const wsUrl = `ws://127.0.0.1:${router.port}`;
  const { encoder, streamId } = await openEncoder(wsUrl, router.token);
  const viewers = await Promise.all([1, 2, 3].map(() => openViewer(wsUrl, router.token, streamId)));
  const modern = await openViewer(wsUrl, router.token, streamId, { subprotocol: 'watchout.v1.json' });
  const startMs = performance.now();
  router.child.kill('SIGTERM');
  router.child.kill('SIGTERM');
  const goingAway = await modern.next('going-away');
  expect(goingAway['reconnectAfterMs']).toBeGreaterThanOrEqual(0);
  for (const client of [encoder, ...viewers, modern]) {
    expect(await client.closed).toEqual({ code: 1012, reason: 'Service restart' });
  }
  expect(viewers[0]?.messages.some((message) => message['type'] === 'going-away')).toBe(false);
  expect(await router.exited).toBe(0);
  expect(performance.now() - startMs).toBeLessThan(10_000);
});

test('SIGTERM to `npm start` reaches the router, which drains', async () => {
  const { url: databaseUrl } = inject('databases');
  const child = spawn('npm', ['start'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', DATABASE_URL: databaseUrl, BETTER_AUTH_SECRET: 'x' },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await until('it listens', () => output.includes('"listening"'), 30_000);
  child.kill('SIGTERM');
  await until('it has drained', () => output.includes('"drained"'));
});

test.skipIf(process.platform !== 'linux')(
  'a demo whose surroundings crash says so and ends, rather than showing nothing',
  async () => {
    const router = startProcess({});
    await until('it says where it is', () => router.output().includes('Watch frames arrive'), 30_000);
    const children = readFileSync(`/proc/${router.child.pid}/task/${router.child.pid}/children`, 'utf8').trim();
    process.kill(Number(children.split(' ')[0]), 'SIGKILL');
    expect(await router.exited).toBe(1);
    expect(router.output()).toContain('nothing works without them');
  },
);

test('a dashboard that does not read cannot hold a shutdown up', async () => {
  const router = await productionProcess({ STREAM_MAX_FPS: '1000' });
  const wsUrl = `ws://127.0.0.1:${router.port}`;
  const { encoder, streamId } = await openEncoder(wsUrl, router.token, { encoding: 'msgpack' });
  const stuck = await openViewer(wsUrl, router.token, streamId, { encoding: 'msgpack' });
  stuck.socket.pause();
  const jpeg = Buffer.alloc(100_000);
  jpeg.set([0xff, 0xd8, 0xff]);
  for (let sent = 0; sent < 150; sent += 1) {
    encoder.send({ type: 'video-frame', streamId, data: jpeg, timestamp: Date.now() });
  }
  encoder.send({ type: 'done' });
  await encoder.next('error');
  router.child.kill('SIGTERM');
  const startMs = performance.now();
  expect(await router.exited).toBe(0);
  expect(performance.now() - startMs).toBeLessThan(10_000);
  stuck.socket.terminate();
});

test('while it drains it says so to the load balancer, and takes nobody new', async () => {
  const router = await productionProcess({ STREAM_MAX_FPS: '1000' });
  const url = `127.0.0.1:${router.port}`;
  const { streamId } = await openEncoder(`ws://${url}`, router.token);
  // Enough viewers that the closes are spread over some time.
  await Promise.all(Array.from({ length: 100 }, () => openViewer(`ws://${url}`, router.token, streamId)));
  expect((await fetch(`http://${url}/health/ready`)).status).toBe(200);
  router.child.kill('SIGTERM');
  await until('readiness is 503', async () => (await fetch(`http://${url}/health/ready`)).status === 503);
  expect((await fetch(`http://${url}/health/live`)).status).toBe(200);
  const newcomer = new TestClient(`ws://${url}/streams/subscribe?token=${router.token}`);
  const status = await new Promise((resolve) => {
    newcomer.socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
  });
  expect(status).toBe(503);
  expect(await router.exited).toBe(0);
});

test('the embedded database, the demo’s image library and its client are never loaded when DATABASE_URL is set', async () => {
  const hook = `data:text/javascript,${encodeURIComponent(
    `
    import { registerHooks, register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(\`
      export async function load(url, context, next) { process.stderr.write('LOADED ' + url + '\\\\n'); return next(url, context); }
    \`));
  `.replace('registerHooks, ', ''),
  )}`;
  const { url: databaseUrl } = inject('databases');
  const router = startProcess({ DATABASE_URL: databaseUrl, BETTER_AUTH_SECRET: 'x', HOST: '127.0.0.1' }, [
    '--no-warnings',
    '--import',
    hook,
  ]);
  await until('it listens', () => router.output().includes('"listening"') || router.child.exitCode !== null);
  const loaded = router
    .output()
    .split('\n')
    .filter((line) => line.startsWith('LOADED'));
  expect(loaded.some((line) => line.includes('/dist/src/app.js'))).toBe(true);
  expect(loaded.filter((line) => /pglite|sharp|node_modules\/ws\/|demo\/(?!launch)/.test(line))).toEqual([]);
});

test('every fault of the environment is said at once, in words, without a stack trace', async () => {
  const router = startProcess({ PORT: 'http', ML_FPS: '-1', DATABASE_URL: 'mysql://x', ML_SERVICE_URL: 'ml:8000' });
  expect(await router.exited).toBe(1);
  for (const name of ['PORT', 'ML_FPS', 'DATABASE_URL', 'ML_SERVICE_URL', 'BETTER_AUTH_SECRET']) {
    expect(router.output()).toContain(`${name}: `);
  }
  expect(router.output()).not.toMatch(/ at .*\.js:/);
});

test('a port that is taken is said in one line', async () => {
  const first = await productionProcess();
  const second = await productionProcess({ PORT: String(first.port) });
  expect(await second.exited).toBe(1);
  expect(second.output()).toContain(`cannot listen on 127.0.0.1:${first.port}`);
});

test('clients whose session is still being checked are sent away with 1012 as well', async () => {
  const router = await productionProcess();
  const url = `ws://127.0.0.1:${router.port}/streams/subscribe?token=${router.token}`;
  const clients = Array.from({ length: 20 }, () => new TestClient(url));
  await new Promise((resolve) => clients[0]?.socket.once('open', resolve));
  router.child.kill('SIGTERM');
  for (const client of clients) expect([1012, 1006]).toContain((await client.closed).code);
  expect((await clients[0]?.closed)?.code).toBe(1012);
  expect(await router.exited).toBe(0);
  expect(router.output()).not.toMatch(/pool|\n\s+at /);
});

test('a router whose log nobody reads any more still ends when it is told to', async () => {
  const router = await productionProcess();
  router.child.stdout?.destroy();
  router.child.stderr?.destroy();
  router.child.kill('SIGTERM');
  expect(await router.exited).toBe(0);
});
