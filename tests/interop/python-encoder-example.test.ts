import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { jpegOf } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SERVICE_TOKEN } from '../support/two-users.ts';
import { until } from '../support/until.ts';
import type { ExampleProgram } from './example-program.ts';
import { expectNeverOffline, openDashboard, openLink, playWalk, raise, takePictures } from './example-world.ts';
import { hasPythonWith, startHurriedPython, startPython } from './python-example.ts';

const hasPython = hasPythonWith('msgpack, websockets');
const hasOpenCv = hasPython && hasPythonWith('cv2');

const WALK_FOLDER = fileURLToPath(new URL('assets/walk/', PROJECT_FOLDER));
const SOURCE = ['--source', WALK_FOLDER];
const walk = readWalk();

describe.skipIf(!hasPython)('the encoder in Python of examples/', () => {
  let router: TestRouter;
  let token: string;

  beforeAll(async () => {
    router = await startTestRouter({ env: { ML_SERVICE_TOKEN: SERVICE_TOKEN } });
    token = (await router.signUp()).token;
  });
  afterAll(() => router.stop());

  function start(args: readonly string[], shown = token): ExampleProgram {
    return startPython('encoder', router.httpUrl, shown, args);
  }

  test('shows viewers the very pictures of a folder, hears of alerts, and Ctrl-C ends it well', async () => {
    const viewer = await openDashboard(router, token, 'porch');
    const encoder = start([...SOURCE, '--stream', 'porch', '--fps', '20']);
    await takePictures(viewer, 10, walk);
    await raise(router, 'porch', 'Somebody at the door');
    await encoder.until(/^alert high: Somebody at the door$/m);
    await encoder.interrupt();
    expect(encoder.output).toMatch(/\n\d+ sent, \d+ left out for newer ones\n$/);
    expect(encoder.errors).toBe('');
  });

  test('sends one picture a second while nobody watches, and as soon as somebody does all of them', async () => {
    const encoder = start([...SOURCE, '--stream', 'quiet', '--fps', '20']);
    await encoder.until(/^throttle 1 fps \(demand\)$/m);
    const received = async () => (await router.stats())['frames']['received'];
    const [before, sinceMs] = [await received(), performance.now()];
    await until('three more have come', async () => (await received()) >= before + 3);
    expect(performance.now() - sinceMs).toBeGreaterThan(900);
    const viewer = await openDashboard(router, token, 'quiet');
    await encoder.until(/^throttle 60 fps \(demand\)$/m);
    const startMs = performance.now();
    await takePictures(viewer, 15, walk);
    expect(performance.now() - startMs).toBeLessThan(3_000);
    await encoder.interrupt();
  });

  test('goes on with its stream after a cut, and viewers are told of nothing', async () => {
    const link = await openLink(router);
    const encoder = startHurriedPython('encoder', link.httpUrl, token, SOURCE);
    await encoder.until(/^stream stream_\w+$/m);
    const streamId = /stream (stream_\w+)/.exec(encoder.output)?.[1] ?? '';
    const viewer = await openDashboard(router, token, streamId);
    await takePictures(viewer, 3, walk);
    for (const cut of [1, 2]) {
      link.cut();
      await until('it is back', () => encoder.count(/^stream /m) === cut + 1);
      await takePictures(viewer, 3, walk);
    }
    expect(encoder.errors).toMatch(/The connection was lost \(1006\)\. Trying again in \d+\.\d s/);
    expect(new Set(encoder.output.match(/stream_\w+/g))).toEqual(new Set([streamId]));
    expectNeverOffline(viewer);
    await encoder.interrupt();
  });

  test('finds out that its connection is dead though nobody closed it, and takes its stream back', async () => {
    const link = await openLink(router);
    const encoder = startHurriedPython('encoder', link.httpUrl, token, [...SOURCE, '--stream', 'dead']);
    await encoder.until(/^stream dead$/m);
    const viewer = await openDashboard(router, token, 'dead');
    await takePictures(viewer, 3, walk);
    // What is in there stays there, so the router knows nothing of it either.
    link.stall();
    await until('it notices', () => encoder.errors.includes('Nothing was heard for 1 s'));
    link.goOn();
    await until('it is back', () => encoder.count(/^stream dead$/m) === 2);
    await takePictures(viewer, 3, walk);
    expectNeverOffline(viewer);
    await encoder.interrupt();
  });

  test('shows the newest picture on a line that is too slow for all of them, and none that is seconds old', async () => {
    const link = await openLink(router);
    // A picture of the walk takes about a fifth of a second.
    link.uploadBitsPerSecond = 1_500_000;
    const viewer = await openDashboard(router, token, 'slow');
    const encoder = startPython('encoder', link.httpUrl, token, [...SOURCE, '--stream', 'slow', '--fps', '30']);
    const agesMs: number[] = [];
    for (let taken = 0; taken < 12; taken += 1) {
      agesMs.push(Date.now() - (await viewer.next('video-frame'))['timestamp']);
    }
    await encoder.interrupt();
    // With all that the kernels' buffers hold they grow to many seconds.
    expect(Math.max(...agesMs)).toBeLessThan(1_500);
    const [, sent = 0, leftOut = 0] = /(\d+) sent, (\d+) left out/.exec(encoder.output)?.map(Number) ?? [];
    expect(leftOut).toBeGreaterThan(sent * 2);
  });

  test.skipIf(!hasOpenCv)('sends what a camera shows', async () => {
    await playWalk(router, token, 'camera');
    const source = `${router.httpUrl}/streams/camera/live.mjpeg?token=${token}`;
    const encoder = start(['--source', source, '--stream', 'copy']);
    const viewer = await openDashboard(router, token, 'copy');
    for (const _picture of [1, 2, 3]) {
      const jpeg = jpegOf(await viewer.next('video-frame'));
      expect(jpeg.subarray(0, 2).toString('hex')).toBe('ffd8');
      // Width and height, as they stand in the header of a baseline JPEG.
      const header = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
      expect([jpeg.readUInt16BE(header + 7), jpeg.readUInt16BE(header + 5)]).toEqual([768, 576]);
    }
    await encoder.interrupt();
  });

  test('a wrong token, and a stream of somebody else, end it with plain words', async () => {
    const stranger = start(SOURCE, 'wrong-token-of-nobody');
    expect(await stranger.end()).toBe(1);
    expect(stranger.errors).toBe('Not signed in. AUTH_REQUIRED: A valid session token is required (1008)\n');
    await playWalk(router, token, 'safe');
    const thief = start([...SOURCE, '--stream', 'safe'], (await router.signUp()).token);
    expect(await thief.end()).toBe(1);
    expect(thief.errors).toMatch(/^UNAUTHORIZED: .+\n$/);
  });

  test('a newer encoder of the same stream ends the older one; an owner who deletes the stream ends that', async () => {
    const owner = await router.signUp();
    const older = start([...SOURCE, '--stream', 'once'], owner.token);
    await older.until(/^stream once$/m);
    const newer = start([...SOURCE, '--stream', 'once'], owner.token);
    expect(await older.end()).toBe(1);
    expect(older.errors).toMatch(/\(4409\)\n$/);
    await newer.until(/^stream once$/m);
    const headers = { authorization: `Bearer ${owner.token}` };
    await fetch(`${router.httpUrl}/api/users/${owner.userId}/streams/once`, { method: 'DELETE', headers });
    expect(await newer.end()).toBe(1);
    expect(newer.errors).toMatch(/\(4404\)\n$/);
  });

  test('what it cannot work with it says in plain words, and --help explains it', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'watchout-empty-'));
    onTestFinished(() => rmSync(empty, { recursive: true }));
    const faults = [
      [[], 'arguments are required: --source', 2],
      [[...SOURCE, '--fps', '0'], 'must be a number over 0', 2],
      [['--source', empty], 'there are no .jpg files in it', 1],
    ] as const;
    const programs = faults.map(([args]) => start(args));
    for (const [index, [, words, code]] of faults.entries()) {
      const program = programs[index] as ExampleProgram;
      expect(await program.end()).toBe(code);
      expect(program.errors).toContain(words);
      expect(program.errors).not.toContain('Traceback');
    }
    const help = start(['--help'], '');
    expect(await help.end()).toBe(0);
    expect(help.output).toContain('--source');
  });
});
