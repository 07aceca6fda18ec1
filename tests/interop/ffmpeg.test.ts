import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { readWalk } from '../../src/demo/walk.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { frameOf, jpegOf, openEncoder, openViewer } from '../support/client.ts';
import { noteSecret } from '../support/evidence.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { hasTool } from '../support/tools.ts';
import { sha256 } from './walk-files.ts';

const hasFfmpeg = hasTool('ffmpeg', 'ffmpeg', ['-version']);
const hasCurl = hasTool('curl', 'curl', ['--version']);
const walk = readWalk();
const WALK_FILES = fileURLToPath(new URL('assets/walk/*.jpg', PROJECT_FOLDER));
const QUIET = ['-hide_banner', '-nostdin', '-loglevel', 'warning'];
const DEADLINE_MS = 40_000;

interface Ended {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Runs a program to its end. */
function run(command: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  onTestFinished(() => void child.kill('SIGKILL'));
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(stop);
      resolve({ code, stdout: Buffer.concat(stdout), stderr });
    });
  });
}

let router: TestRouter;
let anna: Account;

beforeAll(async () => {
  router = await startTestRouter({ env: { STREAM_MAX_FPS: '1000' } });
  anna = await router.signUp();
  noteSecret(anna.token);
});
afterAll(() => router.stop());

/** A camera that plays the walk at 25 fps until the test ends. */
async function startCamera(): Promise<string> {
  const { encoder, streamId } = await openEncoder(router.wsUrl, anna.token, { encoding: 'msgpack' });
  let next = 0;
  const stop = steadily(25, () => {
    encoder.send(frameOf(encoder, streamId, walk[next % walk.length] as Buffer));
    next += 1;
  });
  onTestFinished(() => {
    stop();
    encoder.socket.terminate();
  });
  return streamId;
}

describe.skipIf(!hasFfmpeg)('ffmpeg', () => {
  test.each([
    ['told that it is MJPEG', ['-f', 'mpjpeg']],
    ['that has to find out what it is', []],
  ])('%s decodes a hundred pictures of live.mjpeg', async (_name, format) => {
    const url = `${router.httpUrl}/streams/${await startCamera()}/live.mjpeg?token=${anna.token}`;
    const progress = ['-progress', 'pipe:1', '-f', 'null', '-'];
    const { code, stdout, stderr } = await run('ffmpeg', [
      ...QUIET,
      ...format,
      '-i',
      url,
      '-frames:v',
      '100',
      ...progress,
    ]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.toString()).toMatch(/frame=100\n[\s\S]*progress=end/);
  });

  test('gets the very pictures that the camera sends', async () => {
    const url = `${router.httpUrl}/streams/${await startCamera()}/live.mjpeg?token=${anna.token}`;
    const folder = mkdtempSync(join(tmpdir(), 'watchout-pictures-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const copy = ['-frames:v', '20', '-codec', 'copy', '-f', 'image2', join(folder, '%d.jpg')];
    const { code, stderr } = await run('ffmpeg', [...QUIET, '-i', url, ...copy]);
    expect([code, stderr]).toEqual([0, '']);
    const hashes = Array.from({ length: 20 }, (_, index) => sha256(readFileSync(join(folder, `${index + 1}.jpg`))));
    const known = walk.map(sha256);
    const numbers = hashes.map((hash) => known.indexOf(hash));
    expect(numbers).not.toContain(-1);
    // In their order. On a busy machine ffmpeg is late now and then, and skips to the newest.
    const steps = numbers
      .slice(1)
      .map((number, index) => (number - (numbers[index] ?? 0) + known.length) % known.length);
    expect(Math.min(...steps)).toBeGreaterThan(0);
    expect(Math.max(...steps)).toBeLessThan(known.length / 2);
  });

  test.each(['mpjpeg', 'mjpeg'])(
    'as a camera in %s, as it sends that by itself: viewers get its very pictures',
    async (format) => {
      const streamId = `ffmpeg-${format}`;
      const viewer = await openViewer(router.wsUrl, anna.token, streamId, { encoding: 'msgpack' });
      const url = `${router.httpUrl}/streams/${streamId}/frames?token=${anna.token}`;
      const source = ['-framerate', '25', '-pattern_type', 'glob', '-i', WALK_FILES];
      const { code, stderr } = await run('ffmpeg', [
        ...QUIET,
        ...source,
        '-codec',
        'copy',
        '-f',
        format,
        '-method',
        'POST',
        url,
      ]);
      expect([code, stderr]).toEqual([0, '']);
      for (const jpeg of walk) expect(sha256(jpegOf(await viewer.next('video-frame')))).toBe(sha256(jpeg));
      await viewer.close();
    },
  );

  test('as a camera that encodes and shows the time it takes: viewers get pictures while it goes on', async () => {
    const streamId = 'ffmpeg-live';
    const viewer = await openViewer(router.wsUrl, anna.token, streamId, { encoding: 'msgpack' });
    const source = ['-re', '-f', 'lavfi', '-i', 'testsrc=size=640x480:rate=25'];
    const type = ['-content_type', 'multipart/x-mixed-replace;boundary=ffmpeg'];
    const url = `${router.httpUrl}/streams/${streamId}/frames?token=${anna.token}`;
    const ended = run('ffmpeg', [...QUIET, ...source, '-t', '3', '-f', 'mpjpeg', '-method', 'POST', ...type, url]);
    const pictures = new Set<string>();
    for (let frames = 0; frames < 20; frames += 1) pictures.add(sha256(jpegOf(await viewer.next('video-frame'))));
    expect(pictures.size).toBe(20);
    expect((await router.stats())['activeStreams']).toContain(streamId);
    expect((await ended).code).toBe(0);
    await viewer.close();
  });

  test('as a camera that nobody knows: it is told so before it has sent for long, and ends', async () => {
    const source = ['-re', '-f', 'lavfi', '-i', 'testsrc=size=640x480:rate=25'];
    const url = `${router.httpUrl}/streams/nobodys/frames?token=nobodys`;
    const { code, stderr } = await run('ffmpeg', [...QUIET, ...source, '-f', 'mpjpeg', '-method', 'POST', url]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/Broken pipe|Connection reset/);
  });
});

describe.skipIf(!hasCurl)('curl', () => {
  test('posts a picture, and fetches it as a snapshot, once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'watchout-curl-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const base = `${router.httpUrl}/streams/curl`;
    const common = ['--silent', '--show-error', '--header', `authorization: Bearer ${anna.token}`];
    const status = ['--write-out', '%{http_code}'];
    const [file, got, tag] = [WALK_FILES.replace('*', 'walk-001'), join(folder, 'got.jpg'), join(folder, 'tag')];
    const type = ['--header', 'content-type: image/jpeg'];
    const posted = await run('curl', [...common, ...status, ...type, '--data-binary', `@${file}`, `${base}/frames`]);
    expect(posted.stdout.toString()).toBe('204');
    const fetch = ['--output', got, '--etag-save', tag, '--etag-compare', tag, `${base}/snapshot.jpg`];
    expect((await run('curl', [...common, ...status, ...fetch])).stdout.toString()).toBe('200');
    expect(sha256(readFileSync(got))).toBe(sha256(walk[0] as Buffer));
    expect((await run('curl', [...common, ...status, ...fetch])).stdout.toString()).toBe('304');
  });

  test('posts a form with a picture in it, and pictures that come from a pipe', async () => {
    const file = WALK_FILES.replace('*', 'walk-002');
    const common = ['--silent', '--show-error', '--header', `authorization: Bearer ${anna.token}`];
    const url = `${router.httpUrl}/streams/curl-form/frames`;
    const form = await run('curl', [...common, '--form', 'camera=porch', '--form', `picture=@${file}`, url]);
    const report = { received: 1, accepted: 1, rejected: { rate: 0, invalid: 0 } };
    expect(JSON.parse(form.stdout.toString())).toEqual({ streamId: 'curl-form', frames: report });
    const type = ['--header', 'content-type: video/x-motion-jpeg'];
    const chunked = ['--request', 'POST', '--header', 'transfer-encoding: chunked', '--upload-file', file];
    const piped = await run('curl', [...common, ...type, ...chunked, url]);
    expect(JSON.parse(piped.stdout.toString())).toEqual({ streamId: 'curl-form', frames: report });
  });
});
