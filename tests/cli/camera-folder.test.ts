import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { jpegOf, openViewer } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';
import { pictureFolder, run, tempFolder } from './program.ts';

const walk = readWalk().slice(0, 11);
const SERVICE_TOKEN = 'service-token-of-the-camera-tests';
let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter({ env: { ML_SERVICE_TOKEN: SERVICE_TOKEN } });
});
afterAll(() => router.stop());

const numberIn = (jpeg: Buffer) => walk.findIndex((picture) => picture.equals(jpeg));

test('a folder plays in the order of its names, over and over, and a dashboard sees its pictures bit for bit', async () => {
  const { token } = await router.signUp();
  const folder = pictureFolder('yard', walk);
  writeFileSync(join(folder, 'notes.txt'), 'no picture');
  writeFileSync(join(folder, '3b.jpg'), 'none either');
  const viewer = await openViewer(router.wsUrl, token, 'yard', { encoding: 'msgpack' });
  const camera = run(['camera', folder, '--router', router.httpUrl, '--fps', '50', '--name', 'Yard'], {
    env: { WATCHOUT_TOKEN: token },
  });
  const order: number[] = [];
  while (order.length < 3 * walk.length) order.push(numberIn(jpegOf(await viewer.next('video-frame'))));
  expect(new Set(order)).toEqual(new Set(walk.keys()));
  // A picture may be left out on a busy machine, but each one goes on from the one before.
  const steps = order.slice(1).map((number, at) => (number - (order[at] ?? 0) + walk.length) % walk.length);
  expect(steps.filter((step) => step > 3 || step === 0)).toEqual([]);
  const list = await fetch(`${router.httpUrl}/api/streams/list`, { headers: { authorization: `Bearer ${token}` } });
  expect(await list.json()).toMatchObject({ streams: [{ id: 'yard', deviceName: 'Yard', status: 'streaming' }] });
  await camera.says(/yard {2}\d+ sent, \d+ replaced, \d+ throttled/);
  camera.kill('SIGINT');
  expect(await camera.exited).toBe(0);
  expect(camera.stderr()).toMatch(/ended: \d+ sent/);
  expect(camera.output()).not.toContain(token);
  await viewer.close();
});

test('with --once it ends with the last picture, which arrives although nobody watches and the router wants one a second', async () => {
  const { token } = await router.signUp();
  const args = ['camera', pictureFolder('x', walk), '-r', router.httpUrl, '-s', 'once', '--once', '--fps', '100', '-q'];
  const camera = run(args, { env: { WATCHOUT_TOKEN: token } });
  expect(await camera.exited).toBe(0);
  const viewer = await openViewer(router.wsUrl, token, 'once', { encoding: 'msgpack' });
  expect(numberIn(jpegOf(await viewer.next('video-frame')))).toBe(walk.length - 1);
  expect(camera.stdout()).toBe('');
  await viewer.close();
});

test('one JPEG is a source, too', async () => {
  const { token } = await router.signUp();
  const path = join(pictureFolder('x', walk), '7.jpg');
  const camera = run(['camera', path, '--router', router.httpUrl, '--fps', '20'], { env: { WATCHOUT_TOKEN: token } });
  const viewer = await openViewer(router.wsUrl, token, '7', { encoding: 'msgpack' });
  for (let frames = 0; frames < 3; frames += 1) expect(numberIn(jpegOf(await viewer.next('video-frame')))).toBe(6);
  await viewer.close();
  camera.kill('SIGTERM');
  expect(await camera.exited).toBe(0);
});

test('alerts about its stream are shown, and cannot give the terminal orders', async () => {
  const { token } = await router.signUp();
  const camera = run(['camera', pictureFolder('hall', walk), '--router', router.httpUrl], {
    env: { WATCHOUT_TOKEN: token },
  });
  await camera.says('sends what comes from');
  const posted = await fetch(`${router.httpUrl}/alerts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVICE_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ streamId: 'hall', severity: 'high', message: 'Somebody\u001b[2J\nis here' }),
  });
  expect(await posted.json()).toMatchObject({ accepted: 1 });
  await camera.says('hall  alert (high): Somebody\uFFFD[2J\uFFFDis here\n');
  camera.kill('SIGINT');
  expect(await camera.exited).toBe(0);
});

test('a folder that has no pictures, or is none, is said at once, in words', async () => {
  const empty = tempFolder();
  writeFileSync(join(empty, 'a.jpg'), 'text');
  for (const [source, words] of [
    [empty, 'has no pictures in it'],
    [join(empty, 'nothing'), 'there is no such folder, file or device'],
  ] as const) {
    const camera = run(['camera', source, '--router', router.httpUrl, '--token', 'x']);
    expect(await camera.exited).toBe(1);
    expect(camera.stderr()).toContain(words);
    expect(camera.stderr().trim().split('\n')).toHaveLength(1);
  }
});

test('a folder whose pictures are taken away while it plays ends the camera with words', async () => {
  const { token } = await router.signUp();
  const folder = pictureFolder('gone', walk);
  const camera = run(['camera', folder, '--router', router.httpUrl, '--fps', '50'], { env: { WATCHOUT_TOKEN: token } });
  await camera.says('sends what comes from');
  rmSync(folder, { recursive: true });
  expect(await camera.exited).toBe(1);
  expect(camera.stderr()).toMatch(/gone (cannot be read|has no pictures)/);
});

test('SIGINT closes the connection in order: the router knows at once that the camera is gone', async () => {
  const { token } = await router.signUp();
  const before = (await router.stats())['totalConnections'];
  const linesBefore = router.logLines.length;
  const camera = run(['camera', pictureFolder('order', walk), '--router', router.httpUrl], {
    env: { WATCHOUT_TOKEN: token },
  });
  await camera.says('sends what comes from');
  camera.kill('SIGINT');
  expect(await camera.exited).toBe(0);
  await until('it is gone', async () => (await router.stats())['totalConnections'] === before);
  expect(router.logLines.slice(linesBefore).join('')).toMatch(/"role":"encoder".*"code":1000/);
});
