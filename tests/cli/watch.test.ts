import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { frameOf, openEncoder, type TestClient } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { CLI, run, tempFolder } from './program.ts';

const walk = readWalk().slice(0, 12);
const SERVICE_TOKEN = 'service-token-of-the-watch-tests';
let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter({ env: { ML_SERVICE_TOKEN: SERVICE_TOKEN } });
});
afterAll(() => router.stop());

/** A camera with this stream. */
async function openCamera(token: string, streamId: string): Promise<TestClient> {
  const { encoder } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack', register: { streamId } });
  onTestFinished(() => encoder.socket.terminate());
  return encoder;
}

function playWalk(encoder: TestClient, streamId: string): void {
  let sent = 0;
  const stop = steadily(20, () => {
    encoder.send(frameOf(encoder, streamId, walk[sent % walk.length] as Buffer));
    sent += 1;
  });
  onTestFinished(stop);
}

async function raise(streamId: string, message: string): Promise<void> {
  const answer = await fetch(`${router.httpUrl}/alerts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVICE_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ streamId, severity: 'low', message }),
  });
  expect(await answer.json()).toMatchObject({ accepted: 1 });
}

test('--save writes each frame as it was sent, and keeps the newest --max-files', async () => {
  const { token } = await router.signUp();
  const encoder = await openCamera(token, 'a:b');
  const folder = join(tempFolder(), 'new', 'folder');
  const args = ['watch', 'a:b', '--router', router.httpUrl, '--save', folder, '--max-files', '5', '--json'];
  const viewer = run(args, { env: { WATCHOUT_TOKEN: token } });
  await viewer.says('"status":"online"');
  writeFileSync(join(folder, '0 my own.jpg'), 'mine');
  for (const [index, jpeg] of walk.entries()) {
    encoder.send(frameOf(encoder, 'a:b', jpeg));
    await until('it is saved', () => (viewer.stdout().match(/"type":"frame"/g) ?? []).length > index);
  }
  const [own, ...names] = readdirSync(folder).sort();
  expect(own).toBe('0 my own.jpg');
  expect(names).toHaveLength(5);
  for (const [index, name] of names.entries()) {
    expect(name).toMatch(/^\d{4}-\d\d-\d\dT[\d.-]+Z_a_b_0000\d\d\.jpg$/);
    expect(readFileSync(join(folder, name)).equals(walk[7 + index] as Buffer)).toBe(true);
  }
  const frames = viewer
    .stdout()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'frame');
  expect(frames.at(-1)).toEqual({
    type: 'frame',
    streamId: 'a:b',
    timestamp: expect.any(Number),
    receivedAtMs: expect.any(Number),
    ageMs: expect.any(Number),
    bytes: walk[11]?.length,
    file: join(folder, names[4] ?? ''),
  });
});

test('a folder that cannot be made, or not be written any more, ends it with words', async () => {
  const { token } = await router.signUp();
  playWalk(await openCamera(token, 'full'), 'full');
  const folder = tempFolder();
  writeFileSync(join(folder, 'file'), '');
  const watch = (name: string) =>
    run(['watch', 'full', '-r', router.httpUrl, '--save', join(folder, name)], { env: { WATCHOUT_TOKEN: token } });
  const never = watch('file');
  expect(await never.exited).toBe(1);
  expect(never.stderr()).toContain('file: there can be no such folder');
  const noMore = watch('disk');
  await until(
    'frames are saved',
    () => existsSync(join(folder, 'disk')) && readdirSync(join(folder, 'disk')).length > 2,
  );
  rmSync(join(folder, 'disk'), { recursive: true, force: true, maxRetries: 10 });
  expect(await noMore.exited).toBe(1);
  expect(noMore.stderr()).toMatch(/disk: a frame cannot be saved \(ENOENT/);
});

test('each second a line says how many frames came, how much that was and how old the newest is; alerts come in between', async () => {
  const { token } = await router.signUp();
  const encoder = await openCamera(token, 'gate');
  const viewer = run(['watch', 'gate', '--router', router.httpUrl], { env: { WATCHOUT_TOKEN: token } });
  await viewer.says(`connected to ${router.httpUrl}`);
  await viewer.says('gate  is online');
  playWalk(encoder, 'gate');
  await viewer.says('gate  is streaming');
  await viewer.says(/gate {2}\d\d fps, \d+ KiB\/s, the newest -?\d+ ms old, streaming\n/);
  await raise('gate', 'Somebody at the gate');
  await viewer.says('gate  alert (low): Somebody at the gate');
  viewer.kill('SIGINT');
  expect(await viewer.exited).toBe(0);
  expect(viewer.output()).not.toContain(token);
});

test('"*" shows all streams of a user, and --alerts no frames at all', async () => {
  const { token } = await router.signUp();
  for (const streamId of ['one', 'two']) playWalk(await openCamera(token, streamId), streamId);
  const env = { WATCHOUT_TOKEN: token };
  const all = run(['watch', '*', '--router', router.httpUrl, '--max-fps', '5'], { env });
  const alerts = run(['watch', '*', '--router', router.httpUrl, '--alerts', '--json'], { env });
  for (const streamId of ['one', 'two']) {
    await all.says(new RegExp(`${streamId} {2}[4-6] fps, .* streaming`));
    await alerts.says(`{"type":"status","streamId":"${streamId}","status":"streaming"}`);
    await raise(streamId, `about ${streamId}`);
  }
  for (const streamId of ['one', 'two']) await alerts.says(new RegExp(`"type":"alert".*"message":"about ${streamId}"`));
  expect(alerts.stdout()).not.toContain('"frame"');
  expect(alerts.stderr()).toBe('');
});

test('--seconds ends it: with 0 when there was a connection, with 1 when there was none', async () => {
  const { token } = await router.signUp();
  const env = { WATCHOUT_TOKEN: token };
  const good = run(['watch', 'not-there-yet', '--router', router.httpUrl, '--seconds', '1.5'], { env });
  const none = run(['watch', 'x', '--router', `http://127.0.0.1:${await freePort()}`, '--seconds', '1'], { env });
  expect(await good.exited).toBe(0);
  expect(good.stdout()).toMatch(/not-there-yet {2}is offline\n.*no frames\n/);
  expect(await none.exited).toBe(1);
  expect(none.stderr()).toMatch(/No connection to http:\/\/127\.0\.0\.1:\d+ within 1 s/);
});

test('npm run watch still takes the options it always took', async () => {
  const { token } = await router.signUp();
  playWalk(await openCamera(token, 'old'), 'old');
  const project = fileURLToPath(new URL('../..', import.meta.url));
  const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  const [program = '', ...args] = scripts.watch.split(' ');
  const options = ['--url', router.httpUrl, '--stream', 'old', '--token', token, '--seconds', '2'];
  const child = spawn(program, [...args, ...options], { cwd: project });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  expect(text).toMatch(/old {2}\d+ fps, \d+ KiB\/s/);
});

test('a reader that has seen enough ends it quietly, as with head', async () => {
  const { token } = await router.signUp();
  playWalk(await openCamera(token, 'piped'), 'piped');
  const child = spawn(process.execPath, [CLI, 'watch', 'piped', '--json', '--router', router.httpUrl], {
    env: { PATH: process.env['PATH'], WATCHOUT_TOKEN: token },
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await once(child, 'exit');
  expect([code, errors]).toEqual([0, '']);
});
