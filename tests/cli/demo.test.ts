import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { openViewer } from '../support/client.ts';
import { noteSecret } from '../support/evidence.ts';
import { freePort } from '../support/free-port.ts';
import { type Program, pictureFolder, run, startProgram, tempFolder } from './program.ts';

const walk = readWalk().slice(0, 3);
/** A demo takes some seconds to start, more on a busy machine. */
const START_MS = 60_000;

async function tokenOf(env: Record<string, string>, ...args: string[]): Promise<string> {
  const program = run(['token', ...args], { env, printsToken: true });
  expect([await program.exited, program.stderr()]).toEqual([0, '']);
  const token = program.stdout().trim();
  noteSecret(token);
  return token;
}

describe('a demo', () => {
  let demo: Program;
  let folder: string;
  /** For other programs of the same user. */
  let env: Record<string, string>;
  let url: string;
  let token: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'watchout-demo-'));
    env = { XDG_RUNTIME_DIR: folder, TMPDIR: folder };
    // As if there were a database, and another address.
    const others = {
      DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/x',
      BETTER_AUTH_SECRET: 'x',
      HOST: '::1',
      PORT: '1',
    };
    demo = startProgram(['start', '--demo', '--port', '0', '--host', '127.0.0.1'], { env: { ...env, ...others } });
    await demo.says('Watch frames arrive', START_MS);
    url = /^Dashboard: (http:\S+)\/\?token=/m.exec(demo.stdout())?.[1] ?? '';
    token = /^token: (\S+)$/m.exec(demo.stdout())?.[1] ?? '';
    noteSecret(token);
  });
  afterAll(() => {
    demo.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  test('of start --demo runs wherever a database is set, and --host and --port count more than the environment', async () => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d{2,}$/);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  });

  test('has its token printed, and that of a second user, who has streams of their own', async () => {
    expect(await tokenOf(env)).toBe(token);
    expect(await tokenOf(env, '--port', new URL(url).port, '--user', 'demo')).toBe(token);
    const [anna, annaAgain] = [await tokenOf(env, '--user', 'anna'), await tokenOf(env, '--user', 'Anna')];
    expect(new Set([token, anna, annaAgain]).size).toBe(3);
    const camera = run(['camera', pictureFolder('yard', walk), '--router', url, '--token', anna], { env });
    await camera.says('sends what comes from');
    const viewer = await openViewer(url.replace('http', 'ws'), annaAgain, 'yard', { encoding: 'msgpack' });
    await viewer.next('video-frame');
    await viewer.close();
    const stranger = run(['watch', 'yard', '--router', url], { env: { ...env, WATCHOUT_TOKEN: token } });
    expect(await stranger.exited).toBe(1);
    expect(stranger.stderr()).toContain('yard is not yours to watch');
  });

  test('is found by camera and watch without a token, which say so; a router elsewhere is not shown the token', async () => {
    const viewer = run(['watch', 'demo-camera', '--router', url.replace('127.0.0.1', 'localhost')], { env });
    await viewer.says(`taking that of the demo at ${url}, which runs on this machine`);
    await viewer.says(/demo-camera {2}\d+ fps/);
    const camera = run(['camera', pictureFolder('own', walk), '--router', url], { env });
    await camera.says('sends what comes from');
    expect(viewer.output() + camera.output()).not.toContain(token);
    const elsewhere = `http://127.0.0.1:${await freePort()}`;
    const other = run(['watch', 'x', '--router', elsewhere, '--seconds', '1'], { env });
    expect(await other.exited).toBe(1);
    expect(other.stderr()).not.toContain('taking that of the demo');
  });

  test('keeps its token where nobody else can read it, and takes it away when it has drained and ends with 0', async () => {
    const notices = join(folder, 'watchout-router');
    const path = join(notices, `demo-${new URL(url).port}.json`);
    if (process.platform !== 'win32') {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(notices).mode & 0o777).toBe(0o700);
    }
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ url, token, pid: demo.pid });
    demo.kill('SIGTERM');
    demo.kill('SIGTERM');
    expect(await demo.exited).toBe(0);
    expect(existsSync(path)).toBe(false);
    expect(demo.stdout()).toContain('"drained"');
    const log = demo
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    expect(log.join('\n')).not.toContain(token);
  });
});

describe('the files that demos leave', () => {
  /** As one of them writes it. */
  function leaveNotice(folder: string, port: number, pid: number): string {
    const notices = join(folder, 'watchout-router');
    mkdirSync(notices, { recursive: true, mode: 0o700 });
    const notice = {
      url: `http://127.0.0.1:${port}`,
      port,
      token: `token-${port}`,
      streamId: 'x',
      databaseUrl: 'x',
      pid,
    };
    writeFileSync(join(notices, `demo-${port}.json`), JSON.stringify(notice));
    return notices;
  }
  const placesIn = (folder: string) => ({ XDG_RUNTIME_DIR: folder, TMPDIR: folder });

  test('of several demos one must be named', async () => {
    const folder = tempFolder();
    for (const port of [4001, 4000]) leaveNotice(folder, port, process.pid);
    const unclear = run(['token'], { env: placesIn(folder) });
    expect(await unclear.exited).toBe(1);
    expect(unclear.stderr()).toBe('Several demos run on this machine. Say which with --port: 4000, 4001.\n');
    expect(await tokenOf(placesIn(folder), '--port', '4001')).toBe('token-4001');
  });

  test('what a killed demo left is not taken for one, nor is nonsense, and both are cleared away', async () => {
    const folder = tempFolder();
    const ended = spawn(process.execPath, ['--version']);
    await once(ended, 'exit');
    const notices = leaveNotice(folder, 4000, ended.pid ?? 0);
    writeFileSync(join(notices, 'demo-4001.json'), '{"token":');
    const none = run(['token'], { env: placesIn(folder) });
    expect(await none.exited).toBe(1);
    expect(none.stderr()).toContain('No demo of yours runs on this machine.');
    expect(readdirSync(notices)).toEqual([]);
  });

  test.skipIf(process.platform === 'win32')('none is read from a folder that others may write to', async () => {
    const folder = tempFolder();
    chmodSync(leaveNotice(folder, 4000, process.pid), 0o777);
    expect(await run(['token'], { env: placesIn(folder) }).exited).toBe(1);
  });
});

test('a port that is taken, and an environment with faults, are said by start in words, with exit code 1', async () => {
  const env = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/x', BETTER_AUTH_SECRET: 'x', HOST: '127.0.0.1' };
  const first = run(['start', '--port', '0'], { env });
  await first.says('"listening"');
  const port = /"port":(\d+)/.exec(first.stdout())?.[1] ?? '';
  const second = run(['start', '--port', port], { env });
  expect(await second.exited).toBe(1);
  expect(second.stderr()).toContain(`cannot listen on 127.0.0.1:${port}: the port is taken`);
  const faulty = run(['start', '--port', '0'], { env: { ...env, ML_FPS: 'many', STREAM_ACCESS: 'all' } });
  expect(await faulty.exited).toBe(1);
  expect(faulty.stderr()).toMatch(/^The environment is not usable:\n {2}STREAM_ACCESS: .*\n {2}ML_FPS: .*\n$/);
  first.kill('SIGINT');
  expect(await first.exited).toBe(0);
  expect(first.stdout()).toContain('"drained"');
});
