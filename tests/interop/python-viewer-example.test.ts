import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { readWalk } from '../../src/demo/walk.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SERVICE_TOKEN } from '../support/two-users.ts';
import { until } from '../support/until.ts';
import type { ExampleProgram } from './example-program.ts';
import { openLink, playWalk, raise } from './example-world.ts';
import { hasPythonWith, startHurriedPython, startPython } from './python-example.ts';

const hasPython = hasPythonWith('msgpack, websockets');

const WALK_FOLDER = fileURLToPath(new URL('assets/walk/', PROJECT_FOLDER));
const walk = readWalk();

describe.skipIf(!hasPython)('the viewer in Python of examples/', () => {
  let router: TestRouter;
  let token: string;

  beforeAll(async () => {
    // A short time of grace, so that a stream ends when its encoder does.
    router = await startTestRouter({ env: { ML_SERVICE_TOKEN: SERVICE_TOKEN, STREAM_GRACE_MS: '100' } });
    token = (await router.signUp()).token;
  });
  afterAll(() => router.stop());

  function start(args: readonly string[], shown = token): ExampleProgram {
    return startPython('viewer', router.httpUrl, shown, args);
  }

  test('says how many pictures come and how old they are, and keeps the newest bit for bit', async () => {
    await playWalk(router, token, 'hall', 20);
    const folder = mkdtempSync(join(tmpdir(), 'watchout-saved-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const viewer = start(['hall', '--save', folder]);
    await viewer.until(/^status hall streaming$/m);
    await viewer.until(/^frames hall [12]\d\.\d fps, \d{1,3} ms old$/m);
    const saved = new Set<number>();
    await until('it keeps the newest', () => {
      const jpeg = readFileSync(join(folder, 'hall.jpg'));
      saved.add(walk.findIndex((picture) => picture.equals(jpeg)));
      return saved.size >= 5;
    });
    expect([...saved]).not.toContain(-1);
    await viewer.interrupt();
    expect(readdirSync(folder)).toEqual(['hall.jpg']);
    expect(viewer.errors).toBe('');
  });

  test('hears each alert once over a cut, those included that were raised meanwhile, and the pictures go on', async () => {
    await playWalk(router, token, 'gate');
    const link = await openLink(router);
    const viewer = startHurriedPython('viewer', link.httpUrl, token, ['gate']);
    await viewer.until(/^frames gate/m);
    await raise(router, 'gate', 'One');
    await viewer.until(/^alert gate high: One$/m);
    link.isAway = true;
    link.cut();
    await until('it notices', () => viewer.errors.includes('The connection was lost'));
    await raise(router, 'gate', 'Two');
    await raise(router, 'gate', 'Three');
    link.isAway = false;
    await viewer.until(/^alert gate high: Three$/m);
    await raise(router, 'gate', 'Four');
    await viewer.until(/^alert gate high: Four$/m);
    const heard = ['One', 'Two', 'Three', 'Four'].map((message) => `alert gate high: ${message}`);
    expect(viewer.output.match(/^alert .*$/gm)).toEqual(heard);
    await moreFrames(viewer, 'gate');
    await viewer.interrupt();
  });

  test('hears an alert of its first cut, before which there was none', async () => {
    await playWalk(router, token, 'shed');
    const link = await openLink(router);
    const viewer = startHurriedPython('viewer', link.httpUrl, token, ['shed']);
    await viewer.until(/^status shed streaming$/m);
    link.isAway = true;
    link.cut();
    await until('it notices', () => viewer.errors.includes('The connection was lost'));
    await raise(router, 'shed', 'Only this one');
    link.isAway = false;
    await viewer.until(/^alert shed high: Only this one$/m);
    await viewer.interrupt();
  });

  test('finds out that its connection is dead though nobody closed it', async () => {
    await playWalk(router, token, 'well');
    const link = await openLink(router);
    const viewer = startHurriedPython('viewer', link.httpUrl, token, ['well']);
    await viewer.until(/^frames well/m);
    link.stall();
    await until('it notices', () => viewer.errors.includes('Nothing was heard for 1 s'));
    link.goOn();
    await until('it is back', () => viewer.count(/^status well streaming$/m) === 2);
    await moreFrames(viewer, 'well');
    await viewer.interrupt();
  });

  test('watches all streams of its user, also one that ends and begins anew', async () => {
    const anna = await router.signUp();
    await playWalk(router, anna.token, 'left');
    const viewer = start(['*', '--window', '1'], anna.token);
    const args = ['--source', WALK_FOLDER, '--stream', 'right', '--fps', '15'];
    for (const round of [1, 2]) {
      const encoder = startPython('encoder', router.httpUrl, anna.token, args);
      await moreFrames(viewer, 'right');
      await encoder.interrupt();
      await until('it is told', () => viewer.count(/^status right offline$/m) === round);
    }
    await moreFrames(viewer, 'left');
    await viewer.interrupt();
    expect(viewer.errors).toBe('');
  });

  test('a wrong token, and a stream of somebody else, end it with plain words', async () => {
    const stranger = start(['any'], 'wrong-token-of-nobody');
    expect(await stranger.end()).toBe(1);
    expect(stranger.errors).toBe('Not signed in. AUTH_REQUIRED: A valid session token is required (1008)\n');
    await playWalk(router, token, 'safe');
    const spy = start(['safe'], (await router.signUp()).token);
    expect(await spy.end()).toBe(1);
    expect(spy.errors).toMatch(/^UNAUTHORIZED: .+\n$/);
  });

  test('a router that refuses at the upgrade is understood, too', async () => {
    const strict = await startTestRouter({ env: { AUTH_REJECT_AT_UPGRADE: 'true' } });
    onTestFinished(() => strict.stop());
    const stranger = startPython('viewer', strict.httpUrl, 'wrong-token-of-nobody', ['any']);
    expect(await stranger.end()).toBe(1);
    expect(stranger.errors).toBe('Not signed in. The router answered 401\n');
  });

  test('a router that goes away is left alone for as long as it says', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const cameMs: number[] = [];
    server.on('connection', (socket) => {
      cameMs.push(performance.now());
      socket.send(JSON.stringify({ type: 'going-away', reconnectAfterMs: 1_500, timestamp: Date.now() }));
      socket.close(1012);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const viewer = startHurriedPython('viewer', url, token, ['any']);
    await until('it comes back', () => cameMs.length > 1);
    const [first = 0, second = 0] = cameMs;
    expect(second - first).toBeGreaterThan(1_400);
    expect(viewer.errors).toContain('(1012). Trying again in 1.5 s');
    await viewer.interrupt();
  });

  test('what it cannot work with it says in plain words, and --help explains it', async () => {
    const faults = [
      [['any', '--window', '65'], 'must be 1 to 64', 2],
      [['any', '--url', 'nonsense'], 'must be an address like http://127.0.0.1:3000', 2],
      [['any', '--save', '/nowhere'], '/nowhere is no folder', 1],
      [['two words'], 'INVALID_MESSAGE: streamId: must be 1 to 128', 1],
    ] as const;
    const programs = faults.map(([args]) => start(args));
    for (const [index, [, words, code]] of faults.entries()) {
      const program = programs[index] as ExampleProgram;
      expect(await program.end()).toBe(code);
      expect(program.errors).toContain(words);
      expect(program.errors).not.toContain('Traceback');
    }
    const [help, nobody] = [start(['--help'], ''), start(['any'], '')];
    expect(await help.end()).toBe(0);
    expect(help.output).toContain('--save');
    expect(await nobody.end()).toBe(1);
    expect(nobody.errors).toBe('TOKEN: is not set. It is the token of a session\n');
  });
});

/** Waits until it has reported more than ten pictures a second of this stream from now on. */
async function moreFrames(viewer: ExampleProgram, streamId: string): Promise<void> {
  const report = new RegExp(`^frames ${streamId} [1-9]\\d`, 'm');
  const before = viewer.count(report);
  await until(`pictures of ${streamId} come`, () => viewer.count(report) > before);
}
