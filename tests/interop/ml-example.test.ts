import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { encode } from '@msgpack/msgpack';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { frameOf, openEncoder, openViewer, TestClient, type TestMessage } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { hasTool } from '../support/tools.ts';

/** Debian's, since that is where Debian's packages are; the first `python3` in PATH may be another one. */
const PYTHON = '/usr/bin/python3';
const PACKAGES = 'cv2, fastapi, msgpack, uvicorn, websockets';
const hasPackages = hasTool(`Python 3 with ${PACKAGES}`, PYTHON, ['-c', `import ${PACKAGES}`]);

const WALK = readWalk();
const PICTURE = { width: 768, height: 576 };
const FRAME_EVERY_MS = 200;
const START_MS = 30_000;
const TOKEN = 'token-of-the-example';

type Protocol = 'batch' | 'single';
const PROTOCOLS: Protocol[] = ['batch', 'single'];

/** Runs a program of `examples/ml-service/`, answers with its port once it is heard there, and ends it with the test. */
async function startService(script: string): Promise<number> {
  const port = await freePort();
  const child = spawn(PYTHON, [fileURLToPath(new URL(`examples/ml-service/${script}`, PROJECT_FOLDER))], {
    env: { ...process.env, PORT: String(port), ML_SERVICE_TOKEN: TOKEN, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close');
  onTestFinished(async ({ task }) => {
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    const [code, signal] = await ended;
    clearTimeout(killer);
    if (task.result?.state === 'fail') process.stderr.write(`${script} wrote: ${stderr || 'nothing'}\n`);
    // Newer versions of uvicorn end by the signal itself.
    expect([0, 'SIGTERM'], `how ${script} ended`).toContain(code ?? signal);
  });
  const failed = ended.then(([code]) => {
    throw new Error(`${script} ended with ${code}: ${stderr}`);
  });
  // `websockets` answers plain HTTP, too: that it wants an upgrade.
  await Promise.race([failed, expect.poll(() => isAnswered(port), { timeout: START_MS }).toBe(true)]);
  return port;
}

async function isAnswered(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health`);
    await response.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** Shows the walk to a stream's camera, round and round, until the first alert has reached the stream's viewer. */
async function walkUntilAlert(router: TestRouter): Promise<{ alert: TestMessage; streamId: string; token: string }> {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, token, streamId);
  let shown = 0;
  const camera = setInterval(() => {
    const jpeg = WALK[shown % WALK.length];
    shown += 1;
    if (jpeg !== undefined) encoder.send(frameOf(encoder, streamId, jpeg));
  }, FRAME_EVERY_MS);
  try {
    const alert = await viewer.next('alert', 40_000);
    return { alert, streamId, token };
  } finally {
    clearInterval(camera);
    await Promise.all([encoder.close(), viewer.close()]);
  }
}

function expectPeople(alert: TestMessage, streamId: string): void {
  expect(alert['streamId']).toBe(streamId);
  expect(alert['message']).toMatch(/^(1 person|\d+ people) seen$/);
  const { people, boxes } = alert['metadata'] as { people: number; boxes: Record<string, number>[] };
  expect(alert['severity']).toBe(people >= 5 ? 'high' : people >= 2 ? 'medium' : 'low');
  expect(people).toBeGreaterThanOrEqual(1);
  expect(boxes).toHaveLength(people);
  for (const { x = -1, y = -1, w = 0, h = 0, score } of boxes) {
    expect(score).toBeGreaterThan(0);
    expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
    expect(h).toBeGreaterThan(w);
    expect(x + w).toBeLessThanOrEqual(PICTURE.width);
    expect(y + h).toBeLessThanOrEqual(PICTURE.height);
  }
}

describe.skipIf(!hasPackages)('the ML service of examples/', () => {
  test.each(PROTOCOLS)(
    'over HTTP, %s: a viewer is told of people, where they are, and in which picture',
    async (protocol) => {
      const port = await startService('http_service.py');
      const env = { ML_SERVICE_URL: `http://127.0.0.1:${port}`, ML_PROTOCOL: protocol, ML_SERVICE_TOKEN: TOKEN };
      const router = await startTestRouter({ env });
      try {
        const { alert, streamId, token } = await walkUntilAlert(router);
        expectPeople(alert, streamId);
        expect(alert['frame']).toMatchObject({ seq: expect.any(Number), timestamp: alert['timestamp'] });
        const picture = await fetch(`${router.httpUrl}/api/alerts/${alert['id']}/frame.jpg`, {
          headers: { authorization: `Bearer ${token}` },
        });
        expect(picture.status).toBe(200);
        const jpeg = Buffer.from(await picture.arrayBuffer());
        expect(WALK.some((frame) => frame.equals(jpeg))).toBe(true);
        expect((await router.stats())['ml']).toMatchObject({ failedRequests: 0, alerts: { refused: 0 } });
      } finally {
        await router.stop();
      }
    },
  );

  test.each(PROTOCOLS)('over a WebSocket, %s: a viewer is told of people, and where they are', async (protocol) => {
    const port = await startService('ws_service.py');
    const env = { ML_SERVICE_WS_URL: `ws://127.0.0.1:${port}`, ML_PROTOCOL: protocol, ML_SERVICE_TOKEN: TOKEN };
    const router = await startTestRouter({ env });
    try {
      const { alert, streamId } = await walkUntilAlert(router);
      expectPeople(alert, streamId);
      expect((await router.stats())['ml']).toMatchObject({ alerts: { refused: 0 } });
    } finally {
      await router.stop();
    }
  });

  test('over HTTP: who has no token is refused, nonsense is a bad request, and a broken picture spoils no other', async () => {
    const base = `http://127.0.0.1:${await startService('http_service.py')}`;
    const post = (path: string, body: string | Uint8Array<ArrayBuffer>, token = TOKEN) =>
      fetch(`${base}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': path === '/analyze' ? 'application/json' : 'application/msgpack',
        },
        body,
      });
    const original = (frame: string) => JSON.stringify({ streamId: 'one', frame, timestamp: 1 });
    const frame = (streamId: string, data: Uint8Array) => ({ streamId, timestamp: 1, seq: 1, data });
    const [picture = Buffer.alloc(0)] = WALK;
    const batch = encode({ frames: [frame('broken', Buffer.from('no JPEG')), frame('whole', picture)] });

    expect((await post('/analyze', original(''), 'not-of-the-example')).status).toBe(401);
    expect((await post('/analyze/batch', batch, 'not-of-the-example')).status).toBe(401);
    expect((await post('/analyze', original('no base64!'))).status).toBe(400);
    expect((await post('/analyze/batch', encode({ frames: [1] }))).status).toBe(400);
    expect((await post('/analyze/batch', new Uint8Array([0xc1]))).status).toBe(400);
    expect(await (await post('/analyze', original(''))).json()).toEqual({ status: 'ok' });
    const { alerts } = (await (await post('/analyze/batch', batch)).json()) as { alerts: TestMessage[] };
    expect(alerts).toMatchObject([{ streamId: 'whole', seq: 1, metadata: { people: 1 } }]);
  });

  test('over a WebSocket: who has no token is turned away, and nonsense spoils nothing', async () => {
    const url = `ws://127.0.0.1:${await startService('ws_service.py')}`;
    const stranger = await TestClient.open(url, { headers: { authorization: 'Bearer not-of-the-example' } });
    expect(await stranger.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
    const client = await TestClient.open(url, { headers: { authorization: `Bearer ${TOKEN}` } });
    client.sendRaw('nonsense');
    client.sendRaw(encode({ frames: [1] }));
    const [picture = Buffer.alloc(0)] = WALK;
    client.send({ streamId: 'one', frame: picture.toString('base64'), timestamp: 1 });
    expect(await client.next('alert')).toMatchObject({ streamId: 'one', metadata: { people: 1 }, timestamp: 1 });
    await client.close();
  });
});
