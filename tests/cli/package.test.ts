import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { pictureFolder } from './program.ts';

const execute = promisify(execFile);
const project = new URL('.', PROJECT_FOLDER).pathname;

let router: TestRouter;
let token: string;
/** An empty folder into which the packed project was installed. */
let folder: string;

/** Types a command there, as `npx` runs it. */
async function type(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const options = { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, WATCHOUT_TOKEN: token } };
  try {
    return { code: 0, ...(await execute('npx', ['--no-install', 'watchout-router', ...args], options)) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

beforeAll(async () => {
  router = await startTestRouter();
  token = (await router.signUp()).token;
  folder = mkdtempSync(join(tmpdir(), 'watchout-packed-'));
  await execute('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: project });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  const modules = join(folder, 'node_modules');
  const installed = join(modules, 'watchout-router');
  mkdirSync(installed, { recursive: true });
  await execute('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
  // What it needs comes from this project's folder, so that no registry is asked.
  for (const name of readdirSync(join(project, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(project, 'node_modules', name), join(modules, name));
  }
  mkdirSync(join(modules, '.bin'));
  const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const [name, path] of Object.entries<string>(bin))
    symlinkSync(join(installed, path), join(modules, '.bin', name));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await router.stop();
});

test('packed and installed elsewhere it runs as a command, with all that it needs', async () => {
  const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  expect(await type('--version')).toMatchObject({ code: 0, stdout: `${version}\n` });
  expect(await type('check-config')).toMatchObject({ code: 0 });
  const pictures = pictureFolder('packed', readWalk().slice(0, 3));
  const camera = await type('camera', pictures, '--router', router.httpUrl, '--once', '--quiet');
  expect(camera).toMatchObject({ code: 0, stderr: expect.stringMatching(/ended: [1-3] sent/) });
  const viewer = await type('watch', 'packed', '--router', router.httpUrl, '--seconds', '1', '--json');
  expect(viewer.stdout).toContain(`"bytes":${readWalk()[2]?.length}`);
  expect(existsSync(join(folder, 'node_modules/watchout-router/src'))).toBe(false);
});
