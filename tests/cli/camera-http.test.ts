import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { readWalk } from '../../src/demo/walk.ts';
import { frameOf, jpegOf, openEncoder, openViewer } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { type Program, run } from './program.ts';

const walk = readWalk().slice(0, 10);
let router: TestRouter;
let anna: Account;

beforeAll(async () => {
  router = await startTestRouter();
  anna = await router.signUp();
});
afterAll(() => router.stop());

/** A camera on the web, that ends with the test. Answers its address. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function play(source: string, streamId: string, ...args: string[]): Program {
  return run(['camera', source, '--router', router.httpUrl, '--stream', streamId, ...args], {
    env: { WATCHOUT_TOKEN: anna.token },
  });
}

const isOfWalk = (jpeg: Buffer) => walk.some((picture) => picture.equals(jpeg));

test('another router’s live.mjpeg is relayed bit for bit, with the times at which its pictures were captured', async () => {
  const ben = await router.signUp();
  const { encoder } = await openEncoder(router.wsUrl, ben.token, {
    encoding: 'msgpack',
    register: { streamId: 'far' },
  });
  let sent = 0;
  const stop = steadily(20, () => {
    sent += 1;
    encoder.send({
      ...frameOf(encoder, 'far', walk[sent % walk.length] as Buffer),
      timestamp: 1_600_000_000_000 + sent,
    });
  });
  onTestFinished(stop);
  const viewer = await openViewer(router.wsUrl, anna.token, 'near', { encoding: 'msgpack' });
  const camera = play(`${router.httpUrl}/streams/far/live.mjpeg`, 'near', '-H', `Authorization: Bearer ${ben.token}`);
  for (let frames = 0; frames < 5; frames += 1) {
    const frame = await viewer.next('video-frame');
    const number = frame['timestamp'] - 1_600_000_000_000;
    expect(jpegOf(frame).equals(walk[number % walk.length] as Buffer)).toBe(true);
  }
  stop();
  await encoder.close();
  camera.kill('SIGINT');
  expect(await camera.exited).toBe(0);
  expect(camera.output()).not.toContain(ben.token);
});

test.each([
  { parts: 'that say their length', labelled: true },
  { parts: 'without a length', labelled: false },
])(
  'a source with parts $parts that ends in the middle of a picture is asked again, and the half picture is never shown',
  async ({ labelled }) => {
    let requests = 0;
    const source = await serve((_request, response) => {
      requests += 1;
      // Neither length nor chunks: the body ends with the connection, and nobody can tell that it was cut.
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=--cam', connection: 'close' });
      for (const [index, picture] of [walk[requests], walk[requests + 1]].entries()) {
        const jpeg = picture as Buffer;
        const length = labelled ? `Content-Length: ${jpeg.length}\r\n` : '';
        response.write(`--cam\r\nContent-Type: image/jpeg\r\n${length}\r\n`);
        response.write(index === 0 ? jpeg : jpeg.subarray(0, jpeg.length / 2));
        if (index === 0) response.write('\r\n');
      }
      response.end();
    });
    const streamId = `cut-${labelled}`;
    const viewer = await openViewer(router.wsUrl, anna.token, streamId, { encoding: 'msgpack' });
    const camera = play(source, streamId);
    const first = jpegOf(await viewer.next('video-frame'));
    const second = jpegOf(await viewer.next('video-frame'));
    expect(first.equals(walk[1] as Buffer)).toBe(true);
    expect(second.equals(walk[2] as Buffer)).toBe(true);
    await camera.says(/127\.0\.0\.1:\d+ has ended; once more in 0\.\d s/);
  },
);

test('a single JPEG is asked for again and again, with --fps as the pace, and not loaded again while it is the same', async () => {
  let [asked, loaded] = [0, 0];
  const source = await serve((request, response) => {
    asked += 1;
    const number = Math.floor(asked / 4) % walk.length;
    if (request.headers['if-none-match'] === `"${number}"`)
      return response.writeHead(304, { etag: `"${number}"` }).end();
    loaded += 1;
    return response.writeHead(200, { 'content-type': 'image/jpeg', etag: `"${number}"` }).end(walk[number]);
  });
  const viewer = await openViewer(router.wsUrl, anna.token, 'poll', { encoding: 'msgpack' });
  play(source, 'poll', '--fps', '40');
  const seen = new Set<number>();
  while (seen.size < 5) {
    const jpeg = jpegOf(await viewer.next('video-frame'));
    seen.add(walk.findIndex((picture) => picture.equals(jpeg)));
  }
  expect(seen).not.toContain(-1);
  expect(loaded).toBeLessThan(asked / 2);
});

test('with --fps no more are taken of a source that sends more', async () => {
  const source = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=cam' });
    let sent = 0;
    const stop = steadily(100, () => {
      const jpeg = walk[sent % walk.length] as Buffer;
      sent += 1;
      response.write(`--cam\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
      response.write(jpeg);
      response.write('\r\n');
    });
    response.on('close', stop);
  });
  const viewer = await openViewer(router.wsUrl, anna.token, 'capped', { encoding: 'msgpack' });
  play(source, 'capped', '--fps', '10');
  const timestamps: number[] = [];
  while (timestamps.length < 21) {
    const frame = await viewer.next('video-frame');
    expect(isOfWalk(jpegOf(frame))).toBe(true);
    timestamps.push(frame['timestamp']);
  }
  // Two seconds; on a busy machine the first may have come late, and the others keep to the pace.
  expect((timestamps[20] ?? 0) - (timestamps[0] ?? 0)).toBeGreaterThan(1_600);
});

test('the user and password of an address are shown to the camera, and to nobody else', async () => {
  const source = await serve((request, response) => {
    if (request.headers.authorization === `Basic ${btoa('anna:ge heim')}`) {
      response.writeHead(200, { 'content-type': 'image/jpeg' }).end(walk[0]);
    } else response.writeHead(401, { 'www-authenticate': 'Basic realm="cam"' }).end();
  });
  const good = play(source.replace('//', '//anna:ge%20heim@'), 'mine');
  await good.says('sends what comes from http://anna:***@127.0.0.1');
  const bad = play(source.replace('//', '//anna:geheimnis@'), 'not-mine');
  expect(await bad.exited).toBe(1);
  expect(bad.stderr()).toContain('wants to know who asks (401)');
  expect(good.output() + bad.output()).not.toContain('heim');
});

test.each([
  ['a page', 'text/html', '<html>', 'is no picture and no video, but text/html'],
  ['a picture of another kind', 'image/png', 'PNG', 'is no picture and no video, but image/png'],
  ['a JPEG that is none', 'image/jpeg', 'text', 'what it calls a picture is no JPEG'],
])('%s is said to be none, and is not asked for again', async (_what, type, body, words) => {
  let requests = 0;
  const source = await serve((_request, response) => {
    requests += 1;
    response.writeHead(200, { 'content-type': type }).end(body);
  });
  const camera = play(source, 'none');
  expect(await camera.exited).toBe(1);
  expect(camera.stderr()).toContain(words);
  expect(requests).toBe(1);
});

test('an address with nothing there ends the camera; one that fails for a while does not', async () => {
  let requests = 0;
  const source = await serve((request, response) => {
    if (request.url !== '/live') return response.writeHead(404).end();
    requests += 1;
    return requests === 1
      ? response.writeHead(503).end()
      : response.writeHead(200, { 'content-type': 'image/jpeg' }).end(walk[0]);
  });
  const lost = play(`${source}/typo?key=geheim`, 'typo');
  expect(await lost.exited).toBe(1);
  expect(lost.stderr()).toContain('/typo?key=*** has nothing there (404)');
  const camera = play(`${source}/live`, 'later');
  await camera.says('answered 503; once more in');
  await camera.says('sends what comes from');
});

test('a picture that never ends does not fill the memory', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 7);
  let sentMiB = 0;
  const source = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=cam' });
    response.write('--cam\r\nContent-Type: image/jpeg\r\n\r\n');
    const more = () => {
      while (sentMiB < 400 && response.write(chunk)) sentMiB += 1;
    };
    response.on('drain', () => {
      sentMiB += 1;
      more();
    });
    more();
  });
  const camera = play(source, 'endless');
  await until('it was sent a lot', () => sentMiB >= 400, 40_000);
  if (process.platform === 'linux') {
    const peakKiB = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${camera.pid}/status`, 'utf8'))?.[1]);
    expect(peakKiB / 1024).toBeLessThan(300);
  }
  camera.kill('SIGINT');
  expect(await camera.exited).toBe(0);
});
