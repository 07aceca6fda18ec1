import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { jpegOf } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SERVICE_TOKEN } from '../support/two-users.ts';
import { until } from '../support/until.ts';
import { ExampleProgram } from './example-program.ts';
import { expectNeverOffline, openDashboard, openLink, raise, takePictures } from './example-world.ts';

const run = promisify(execFile);
const project = fileURLToPath(PROJECT_FOLDER);
const WALK_FOLDER = join(project, 'assets/walk');
const walk = readWalk();

let router: TestRouter;
/** A copy of as much of the project as the example needs, since it is installed as its README says. */
let copy: string;
let folder: string;

beforeAll(async () => {
  router = await startTestRouter({ env: { ML_SERVICE_TOKEN: SERVICE_TOKEN } });
  copy = mkdtempSync(join(tmpdir(), 'watchout-node-encoder-'));
  folder = join(copy, 'examples/node-encoder');
  cpSync(join(project, 'dist/client'), join(copy, 'dist/client'), { recursive: true });
  const isOwn = (path: string) => !path.includes('node_modules');
  cpSync(join(project, 'examples/node-encoder'), folder, { recursive: true, filter: isOwn });
  // Packed from the project's own folders, so that no registry is asked.
  const packs = join(copy, 'packs');
  mkdirSync(packs);
  const sources = ['./node_modules/@msgpack/msgpack', './node_modules/ws'];
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', packs, ...sources], { cwd: project });
  const files = readdirSync(packs).map((name) => join(packs, name));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...files], { cwd: folder });
});
afterAll(async () => {
  rmSync(copy, { recursive: true, force: true });
  await router.stop();
});

function start(token: string, args: readonly string[], url = router.httpUrl): ExampleProgram {
  return new ExampleProgram(process.execPath, ['encoder.mjs', '--url', url, ...args], token, folder);
}

test('a folder becomes a stream: viewers see its very pictures, it hears of alerts, and Ctrl-C ends it well', async () => {
  const { token } = await router.signUp();
  const viewer = await openDashboard(router, token, 'porch');
  const encoder = start(token, [WALK_FOLDER, '--stream', 'porch', '--fps', '20']);
  await encoder.until(/The stream is porch/);
  await takePictures(viewer, 10, walk);
  await raise(router, 'porch', 'Somebody at the door');
  await encoder.until(/ALERT high: Somebody at the door/);
  await encoder.interrupt();
  expect(encoder.output).toMatch(/\n\d\d+ sent, \d+ left out/);
  expect(encoder.errors).toBe('');
});

test('while nobody watches it sends one picture a second, and as soon as somebody does all of them', async () => {
  const { token } = await router.signUp();
  const encoder = start(token, [WALK_FOLDER, '--stream', 'quiet', '--fps', '20']);
  await encoder.until(/At most 1 pictures a second, please \(demand\)/);
  const received = async () => (await router.stats())['frames']['received'];
  const [before, sinceMs] = [await received(), performance.now()];
  await until('three more have come', async () => (await received()) >= before + 3);
  expect(performance.now() - sinceMs).toBeGreaterThan(900);
  const viewer = await openDashboard(router, token, 'quiet');
  await encoder.until(/At most 60 pictures a second, please \(demand\)/);
  const startMs = performance.now();
  await takePictures(viewer, 15, walk);
  expect(performance.now() - startMs).toBeLessThan(3_000);
  await encoder.interrupt();
  expect(Number(/(\d+) as nobody wanted them/.exec(encoder.output)?.[1])).toBeGreaterThan(0);
});

test('after a cut it goes on with its stream, and viewers are told of nothing', async () => {
  const { token } = await router.signUp();
  const link = await openLink(router);
  const encoder = start(token, [WALK_FOLDER], link.httpUrl);
  await encoder.until(/The stream is stream_\w+/);
  const streamId = /The stream is (stream_\w+)/.exec(encoder.output)?.[1] ?? '';
  const viewer = await openDashboard(router, token, streamId);
  await takePictures(viewer, 3, walk);
  for (const cut of [1, 2]) {
    link.cut();
    await until('it is back', () => encoder.count(/The stream is/) === cut + 1);
    await takePictures(viewer, 3, walk);
  }
  expect(encoder.errors).toMatch(/The connection was lost. Trying again in \d+ ms/);
  expect(new Set(encoder.output.match(/stream_\w+/g))).toEqual(new Set([streamId]));
  expectNeverOffline(viewer);
  await encoder.interrupt();
});

test('what a camera sends as MJPEG over HTTP comes out as it was, whether or not it says how long pictures are', async () => {
  const { token } = await router.signUp();
  let asked = 0;
  const address = await openCamera((response, credentials) => {
    asked += 1;
    expect(credentials).toBe(`Basic ${Buffer.from('admin:p@ss').toString('base64')}`);
    const saysLength = asked % 2 === 1;
    response.writeHead(200, {
      'content-type': `multipart/x-mixed-replace; boundary="${saysLength ? '' : '--'}my cam"`,
    });
    return playMjpeg(response, saysLength);
  });
  const viewer = await openDashboard(router, token, 'yard');
  const encoder = start(token, [address.replace('//', '//admin:p%40ss@'), '--stream', 'yard']);
  // It hangs up now and then: each time it is asked again, and sends in the other way.
  await until('it was asked again', () => asked > 2);
  await encoder.until(/The stream is yard/);
  await takePictures(viewer, 12, walk);
  expect(encoder.errors).toMatch(/The camera at 127\.0\.0\.1:\d+: .+\. Trying again in \d+ ms/);
  expect(encoder.errors + encoder.output).not.toMatch(/left out:|p%40ss|p@ss/);
  await encoder.interrupt();
});

test("the router's own live.mjpeg is a camera, too", async () => {
  const { token } = await router.signUp();
  const first = start(token, [WALK_FOLDER, '--stream', 'original', '--fps', '15']);
  await first.until(/The stream is original/);
  const second = start(token, [`${router.httpUrl}/streams/original/live.mjpeg?token=${token}`, '--stream', 'copy']);
  const viewer = await openDashboard(router, token, 'copy');
  await takePictures(viewer, 5, walk);
  await Promise.all([first.interrupt(), second.interrupt()]);
});

test('a wrong token and a stream of somebody else end it, and it says so in plain words', async () => {
  const stranger = start('wrong-token-of-nobody', [WALK_FOLDER]);
  expect(await stranger.end()).toBe(1);
  expect(stranger.errors).toContain('Not signed in: A valid session token is required');

  const [anna, bob] = [await router.signUp(), await router.signUp()];
  const owner = start(anna.token, [WALK_FOLDER, '--stream', 'safe']);
  await owner.until(/The stream is safe/);
  const thief = start(bob.token, [WALK_FOLDER, '--stream', 'safe']);
  expect(await thief.end()).toBe(1);
  expect(thief.errors).toContain('UNAUTHORIZED');
  for (const { errors } of [stranger, thief]) expect(errors).not.toMatch(/\n\s+at /);
});

test('what it cannot work with it says in one line', async () => {
  const empty = mkdtempSync(join(copy, 'empty-'));
  for (const [args, words, code] of [
    [[], 'SOURCE: there must be exactly one', 2],
    [['--frames', '3'], "Unknown option '--frames'", 2],
    [[WALK_FOLDER, '--fps', 'many'], '--fps: must be a number over 0', 2],
    [[WALK_FOLDER, '--stream', 'two words'], 'streamId: must be 1 to 128', 2],
    [[WALK_FOLDER, '--url', 'nonsense'], '--url: must be an address', 2],
    [[empty], 'no folder of this name with .jpg files', 1],
  ] as const) {
    const program = start('a-token-that-is-not-asked-for', args);
    expect(await program.end()).toBe(code);
    expect(program.errors).toContain(words);
    expect(program.errors).not.toMatch(/\n\s+at /);
  }
  const help = start('', ['--help']);
  expect(await help.end()).toBe(0);
  expect(help.output).toContain('--stream');
});

test('a file that is no picture is left out, and the others are shown', async () => {
  const { token } = await router.signUp();
  const mixed = mkdtempSync(join(copy, 'mixed-'));
  for (const name of ['walk-001.jpg', 'walk-002.jpg']) cpSync(join(WALK_FOLDER, name), join(mixed, name));
  writeFileSync(join(mixed, 'walk-003.jpg'), 'not a picture');
  const viewer = await openDashboard(router, token, 'mixed');
  const encoder = start(token, [mixed, '--stream', 'mixed', '--fps', '20']);
  const seen = new Set<string>();
  await until('both are shown', async () => {
    seen.add(jpegOf(await viewer.next('video-frame')).toString('base64'));
    return seen.size === 2;
  });
  await until('it says so', () => encoder.errors.includes('A picture was left out: '));
  await encoder.interrupt();
});

/** Something that answers over HTTP; ends with the test. Answers its address. */
async function openCamera(answer: (response: ServerResponse, credentials: string) => Promise<void>): Promise<string> {
  const server = createServer((request, response) => void answer(response, request.headers.authorization ?? ''));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Some pictures of the walk, in pieces that end anywhere, and then the camera hangs up. */
async function playMjpeg(response: ServerResponse, saysLength: boolean): Promise<void> {
  for (const jpeg of walk.slice(0, 8)) {
    const length = saysLength ? `Content-Length: ${jpeg.length}\r\n` : '';
    const head = `--my cam\r\nContent-Type: image/jpeg\r\n${length}\r\n`;
    const part = Buffer.concat([Buffer.from(head), jpeg, Buffer.from('\r\n')]);
    for (let at = 0; at < part.length; at += 7_001) {
      response.write(part.subarray(at, at + 7_001));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  response.end('--my cam--\r\n');
}
