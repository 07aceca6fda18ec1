import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { openEncoder } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { pictureFolder, run } from './program.ts';

const walk = readWalk().slice(0, 3);
let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter();
});
afterAll(() => router.stop());

test.each(['camera', 'watch'])(
  '%s with a wrong token, or none, is refused once, in words, with exit code 1',
  async (command) => {
    const what = command === 'camera' ? pictureFolder('x', walk) : 'x';
    for (const [env, advice] of [
      [{ WATCHOUT_TOKEN: 'a-token-that-nobody-has-been-given' }, 'The token is wrong, or its session has ended.'],
      [{}, 'give a session’s token with --token or in WATCHOUT_TOKEN'],
    ] as const) {
      const program = run([command, what, '--router', router.httpUrl], { env });
      expect(await program.exited).toBe(1);
      expect(program.stderr()).toMatch(/^Not signed in: /);
      expect(program.stderr()).toContain(advice);
      expect(program.output()).not.toMatch(/a-token-that|\n\s+at /);
    }
  },
);

test('a router that refuses at the upgrade lets cameras and viewers in by token, and those without a good one read why they stay out', async () => {
  const strict = await startTestRouter({ env: { AUTH_REJECT_AT_UPGRADE: 'true' } });
  onTestFinished(() => strict.stop());
  const { token } = await strict.signUp();
  const env = { WATCHOUT_TOKEN: token };
  const camera = run(['camera', pictureFolder('strict', walk), '-r', strict.httpUrl], { env });
  const viewer = run(['watch', 'strict', '-r', strict.httpUrl], { env });
  const wrong = run(['watch', 'strict', '-r', strict.httpUrl], { env: { WATCHOUT_TOKEN: 'a-token-that-nobody-has' } });
  const none = run(['watch', 'strict', '-r', strict.httpUrl]);
  await camera.says('sends what comes from');
  await viewer.says(/strict {2}\d+ fps, .* streaming/);
  expect(await wrong.exited).toBe(1);
  expect(wrong.stderr()).toContain('The token is wrong, or its session has ended.');
  expect(await none.exited).toBe(1);
  expect(none.stderr()).toContain('give a session’s token with --token or in WATCHOUT_TOKEN');
});

test('somebody else’s stream is refused with its name, to cameras and to viewers', async () => {
  const [anna, ben] = [await router.signUp(), await router.signUp()];
  const { encoder } = await openEncoder(router.wsUrl, anna.token, { register: { streamId: 'annas' } });
  const camera = run(['camera', pictureFolder('x', walk), '-r', router.httpUrl, '-s', 'annas', '-t', ben.token]);
  expect(await camera.exited).toBe(1);
  expect(camera.stderr()).toContain('annas belongs to another user');
  const viewer = run(['watch', 'annas', '-r', router.httpUrl], { env: { WATCHOUT_TOKEN: ben.token } });
  expect(await viewer.exited).toBe(1);
  expect(viewer.stderr()).toContain('annas is not yours to watch');
  expect(viewer.output().match(/not yours/g)).toHaveLength(1);
  await encoder.close();
});

test('a camera whose stream another one takes over says so and ends, rather than fighting for it', async () => {
  const { token } = await router.signUp();
  const args = ['camera', pictureFolder('twice', walk), '--router', router.httpUrl];
  const first = run(args, { env: { WATCHOUT_TOKEN: token } });
  await first.says('sends what comes from');
  const second = run(args, { env: { WATCHOUT_TOKEN: token } });
  expect(await first.exited).toBe(1);
  expect(first.stderr()).toContain('A newer connection took the stream over');
  await second.says('sends what comes from');
});

test('a router that is not there yet is waited for, and found when it comes', async () => {
  const port = await freePort();
  const { token } = await router.signUp();
  const camera = run(['camera', pictureFolder('early', walk), '--router', `http://127.0.0.1:${port}`], {
    env: { WATCHOUT_TOKEN: token },
  });
  await camera.says(`No router answers at http://127.0.0.1:${port}; once more in`);
  const late = await startTestRouter({ env: { PORT: String(port), BETTER_AUTH_SECRET: router.secret } });
  await camera.says('sends what comes from');
  camera.kill('SIGINT');
  expect(await camera.exited).toBe(0);
  await late.stop();
});

const WRONG: readonly [string[], string][] = [
  [[], 'Usage: watchout-router'],
  [['film'], "unknown command 'film'"],
  [['camera'], "missing required argument 'source'"],
  [['camera', 'x', '--fps', '0'], 'It must be a number from 0.01 to 1000.'],
  [['camera', 'x', '--stream', 'a b'], 'It must be 1 to 128 of the characters'],
  [['camera', 'x', '--router', 'ftp://x'], 'It must begin with http://'],
  [['camera', 'x', '--header', 'nothing'], 'It must look like "Name: value".'],
  [['watch', 'x', '--token', '…'], 'The token has spaces or letters'],
  [['watch'], 'Which stream?'],
  [['watch', 'a b'], "The stream's name must be"],
  [['watch', 'x', '--max-fps', '3'], 'It must be one of 1, 2, 5, 10, 15, 30.'],
  [['watch', 'x', '--alerts', '--save', 'y'], 'there are no frames to --save'],
  [['start', '--port', '70000'], 'It must be a whole number from 0 to 65535.'],
];

test('a command line that is wrong gets exit code 2, and words', async () => {
  const programs = WRONG.map(([args, words]) => ({ words, program: run(args) }));
  for (const { words, program } of programs) {
    expect([program.output(), await program.exited]).toEqual([expect.anything(), 2]);
    expect(program.stderr()).toContain(words);
    expect(program.stderr()).not.toMatch(/\n\s+at /);
  }
});

test('a password in the router’s address is not repeated', async () => {
  const program = run(['watch', 'x', '--router', 'http://anna:geheim@router.example']);
  expect(await program.exited).toBe(2);
  expect(program.stderr()).toContain('--router http://anna:***@router.example: no user and no query');
  expect(program.output()).not.toContain('geheim');
});
