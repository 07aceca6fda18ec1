import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { LoadReport } from '../../bench/load/report.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

/** The load tool as a load engineer runs it: the built program, against a real router. */

const PROGRAM = new URL('../../dist/bench/load.js', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'load-'));
let router: TestRouter;
let token: string;

beforeAll(async () => {
  router = await startTestRouter({ env: { STREAM_MAX_FPS: '100000', STREAM_MAX_BYTES_PER_SECOND: '1073741824' } });
  token = (await router.signUp()).token;
});
afterAll(async () => {
  await router.stop();
  rmSync(folder, { recursive: true });
});

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [PROGRAM, ...args],
      { env: { PATH: process.env['PATH'], ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

async function load(...args: string[]): Promise<LoadReport> {
  const ran = await run([
    '--url',
    router.wsUrl,
    '--token',
    token,
    '--seconds',
    '1',
    '--warm-up',
    '0.2',
    '--json',
    ...args,
  ]);
  expect(ran.code, ran.stderr).toBe(0);
  return JSON.parse(ran.stdout) as LoadReport;
}

test.each([
  ['MessagePack', ['--encoding', 'msgpack']],
  ['JSON', ['--encoding', 'json']],
  ['both, each to each', ['--encoding', 'mixed', '--streams', '2', '--viewers', '4']],
  ['MessagePack in, JSON out', ['--encoding', 'msgpack', '--viewer-encoding', 'json']],
  ['large frames', ['--kb', '400', '--viewers', '3']],
  ['the smallest frames', ['--kb', '0.4']],
  ['real frames of a folder', ['--frames', 'assets/walk']],
  ['three threads for one stream', ['--workers', '3', '--viewers', '7']],
])('every frame that was sent is found at every viewer: %s', async (_name, args) => {
  const { frames, latency, connections, errors } = await load('--fps', '20', ...args);
  expect(frames.sent).toBeGreaterThanOrEqual(18);
  expect(frames.delivered).toBe(frames.expected);
  expect(frames.expected).toBe((frames.sent * connections.viewers) / connections.encoders);
  expect(latency.fromSchedule.count).toBe(frames.delivered);
  expect(latency.fromSend.p50).toBeGreaterThan(0);
  expect(latency.fromSchedule.p99).toBeGreaterThanOrEqual(latency.fromSend.p50);
  expect(errors).toEqual({});
});

test('the report’s frames are those the router counted', async () => {
  const before = (await router.stats())['frames'] as { received: number };
  const { frames, router: said } = await load('--fps', '25', '--warm-up', '0');
  const after = (await router.stats())['frames'] as { received: number };
  expect(after.received - before.received).toBeGreaterThanOrEqual(frames.sent);
  expect(said?.cpuSeconds).toBeGreaterThan(0);
  expect(said?.maxResidentBytes).toBeGreaterThan(10 * 2 ** 20);
  expect(said?.dropped).toEqual({});
});

test('as fast as possible keeps so many frames on their way, and no more', async () => {
  const { frames, latency } = await load('--fps', 'max', '--in-flight', '2', '--viewers', '5');
  expect(frames.sent).toBeGreaterThan(50);
  expect(frames.delivered).toBe(frames.expected);
  expect(latency.fromSchedule).toEqual(latency.fromSend);
});

test('viewers that read slowly or not at all do not count as lost frames, and are shown apart', async () => {
  const { frames, viewers } = await load('--viewers', '10', '--slow', '0.2', '--stalled', '0.3', '--slow-kbit', '400');
  expect(viewers.plain.count).toBe(5);
  expect(viewers.slow.count).toBe(2);
  expect(viewers.stalled).toMatchObject({ count: 3, delivered: 0 });
  expect(frames.expected).toBe(frames.sent * 5);
  expect(frames.delivered).toBe(frames.expected);
});

test('alerts are found at every viewer, with their latency', async () => {
  const { alerts } = await load('--viewers', '4', '--alerts', '50', '--encoding', 'mixed');
  expect(alerts.sent).toBeGreaterThan(40);
  expect(alerts.delivered).toBe(alerts.expected);
  expect(alerts.expected).toBe(alerts.sent * 4);
  expect(alerts.latency.p50).toBeGreaterThan(0);
});

test('frames over the router’s rate limit are said to be lost, and why', async () => {
  const strict = await startTestRouter({ env: { STREAM_MAX_FPS: '10' } });
  try {
    const account = await strict.signUp();
    const ran = await run([
      '--url',
      strict.httpUrl,
      '--token',
      account.token,
      '--fps',
      '60',
      '--seconds',
      '2',
      '--json',
    ]);
    const report = JSON.parse(ran.stdout) as LoadReport;
    expect(report.frames.delivered).toBeLessThan(report.frames.expected);
    expect(report.router?.dropped['rate']).toBeGreaterThan(50);
    expect(report.errors['RATE_LIMITED']).toBeGreaterThanOrEqual(1);
  } finally {
    await strict.stop();
  }
});

test('the table, the page and the progress are for people, and hold no token', async () => {
  const html = join(folder, 'out.html');
  const ran = await run(['--url', router.wsUrl, '--seconds', '2', '--html', html], { BENCH_TOKEN: token });
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/frames delivered +200 of 200 expected\n/);
  expect(ran.stdout).toMatch(/router CPU +[\d.]+ s, [\d.]+ µs per delivered frame/);
  expect(ran.stderr).toMatch(/connected: 1\/1 encoders, 10\/10 viewers, 0 failed/);
  expect(ran.stderr).toMatch(/ 2 s {2}\d+ sent, \d+ delivered/);
  const page = readFileSync(html, 'utf8');
  expect(page).toContain('uPlot');
  for (const text of [ran.stdout, ran.stderr, page]) expect(text).not.toContain(token);
});

test.each([
  ['a bad token', ['--token', 'nonsense'], /no encoder could connect: AUTH_REQUIRED/],
  ['nobody there', ['--url', 'ws://127.0.0.1:1'], /no encoder could connect: ECONNREFUSED/],
])('%s is said in one line, with exit code 1', async (_name, args, said) => {
  const ran = await run(['--url', router.wsUrl, '--token', token, '--seconds', '1', ...args]);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(said);
  expect(ran.stderr).not.toContain('    at ');
});

test.each([
  [['--fps', 'fast'], /--fps <n>.*number/],
  [['--slow', '0.7', '--stalled', '0.7'], /more than 1 together/],
  [['--frames', '/no/such/folder'], /no such folder/],
  [['--viewers', '-1'], /whole number/],
  [['--url', 'ftp://127.0.0.1'], /no http, https, ws or wss URL/],
  [['--url', 'ws://192.0.2.1:3000'], /is not this machine/],
  [['--nonsense'], /unknown option '--nonsense'/],
])('a command line with %j is refused in words', async (args, said) => {
  const ran = await run(['--url', router.wsUrl, ...args]);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(said);
  expect(ran.stderr).not.toContain('    at ');
});

test('a server that is not ours, has no /stats and pings, is loaded all the same', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  const viewers = new Set<WebSocket>();
  let pongs = 0;
  server.on('connection', (socket, request) => {
    socket.on('pong', () => {
      pongs += 1;
    });
    socket.ping('are you there');
    // The first message of each is answered, as the contract has it; what follows are frames.
    socket.once('message', () => {
      if (request.url?.startsWith('/streams/subscribe')) viewers.add(socket);
      socket.send(JSON.stringify({ type: 'success', message: 'ok', timestamp: 1 }));
      socket.on('message', (data, isBinary) => {
        for (const viewer of viewers) viewer.send(data, { binary: isBinary });
      });
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const ran = await run(['--url', `http://127.0.0.1:${port}`, '--seconds', '1', '--encoding', 'json', '--json']);
  server.close();
  for (const client of server.clients) client.terminate();
  const report = JSON.parse(ran.stdout) as LoadReport;
  expect(report.frames.delivered).toBe(report.frames.expected);
  expect(report.frames.sent).toBe(10);
  expect(report.router).toBeUndefined();
  expect(pongs).toBe(11);
});
