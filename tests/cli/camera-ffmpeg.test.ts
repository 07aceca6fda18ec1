import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { readWalk } from '../../src/demo/walk.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { jpegOf, openViewer } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { hasTool } from '../support/tools.ts';
import { pictureFolder, run, tempFolder } from './program.ts';

let router: TestRouter;
let anna: Account;

beforeAll(async () => {
  router = await startTestRouter();
  anna = await router.signUp();
});
afterAll(() => router.stop());

const play = (source: string, streamId: string, env: Record<string, string> = {}, ...args: string[]) =>
  run(['camera', source, '--router', router.httpUrl, '--stream', streamId, ...args], {
    env: { WATCHOUT_TOKEN: anna.token, ...env },
  });

describe.skipIf(!hasTool('ffmpeg', 'ffmpeg', ['-version']))('with ffmpeg', () => {
  /** A film of this name: the first second of the walk, 10 pictures, 768×576. */
  function makeFilm(name: string): string {
    const path = join(tempFolder(), name);
    const pictures = fileURLToPath(new URL('assets/walk/*.jpg', PROJECT_FOLDER));
    const input = ['-framerate', '10', '-pattern_type', 'glob', '-i', pictures];
    const args = ['-loglevel', 'error', ...input, '-frames:v', '10', '-c:v', 'mpeg4', '-f', 'mp4', `file:${path}`];
    const { status, stderr } = spawnSync('ffmpeg', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return path;
  }

  test('a video file plays over and over, as pictures of its size', async () => {
    const viewer = await openViewer(router.wsUrl, anna.token, 'film', { encoding: 'msgpack' });
    const camera = play(makeFilm('a film: 1.mp4'), 'film');
    for (let frames = 0; frames < 15; frames += 1) {
      expect(sizeOf(jpegOf(await viewer.next('video-frame')))).toEqual({ width: 768, height: 576 });
    }
    camera.kill('SIGINT');
    expect(await camera.exited).toBe(0);
    await viewer.close();
  });

  test('with --once and --fps the camera ends with the film, and takes fewer pictures of it', async () => {
    const camera = play(makeFilm('film.mp4'), 'once', {}, '--once', '--fps', '5');
    expect(await camera.exited).toBe(0);
    const [sent, replaced, throttled] = (
      /(\d+) sent, (\d+) replaced, (\d+) throttled in all/.exec(camera.stderr()) ?? []
    )
      .slice(1)
      .map(Number);
    expect((sent ?? 0) + (replaced ?? 0) + (throttled ?? 0)).toBeGreaterThanOrEqual(4);
    expect((sent ?? 0) + (replaced ?? 0) + (throttled ?? 0)).toBeLessThanOrEqual(8);
  });

  test('a file that is no film is said to be none, in ffmpeg’s words', async () => {
    const camera = play(fileURLToPath(new URL('package.json', PROJECT_FOLDER)), 'none');
    expect(await camera.exited).toBe(1);
    expect(camera.stderr()).toMatch(/package\.json: ffmpeg says: .*Invalid data/);
  });

  test('a camera that does not answer is asked again, and its password is not shown', async () => {
    const camera = play('rtsp://anna:geheimnis@127.0.0.1:1/main', 'rtsp');
    await camera.says(/rtsp:\/\/anna:\*\*\*@127\.0\.0\.1:1\/main: ffmpeg says: .*; once more in/);
    camera.kill('SIGINT');
    expect(await camera.exited).toBe(0);
    expect(camera.output()).not.toContain('geheimnis');
  });
});

test('without ffmpeg a video file is refused with words, and a folder plays all the same', async () => {
  const folder = pictureFolder('plain', readWalk().slice(0, 3));
  const film = play(fileURLToPath(new URL('package.json', PROJECT_FOLDER)), 'none', { PATH: folder });
  expect(await film.exited).toBe(1);
  expect(film.stderr()).toContain('needs ffmpeg, which is not installed here');
  await play(folder, 'plain', { PATH: folder }).says('sends what comes from');
});

/** As its frame header says. */
function sizeOf(jpeg: Buffer): { width: number; height: number } {
  const at = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  return { height: jpeg.readUInt16BE(at + 5), width: jpeg.readUInt16BE(at + 7) };
}
