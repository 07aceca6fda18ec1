import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { encode } from '@msgpack/msgpack';
import { expect, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { frameOf, openEncoder, openViewer, type TestEncoding } from '../support/client.ts';
import { type MlAnswer, type MlRequest, startTestMlService } from '../support/ml-service.ts';
import { startTestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

const walk = readWalk();
const jpeg = walk[0] as Buffer;

/** A router with an ML service that answers so, and both stopped at the end. */
async function withMl(
  answer: (request: MlRequest) => MlAnswer,
  run: (parts: Awaited<ReturnType<typeof start>>) => Promise<void>,
  env: Record<string, string> = {},
): Promise<void> {
  const parts = await start(answer, env);
  try {
    await run(parts);
  } finally {
    parts.ml.stop();
    await parts.router.stop();
  }
}

async function start(answer: (request: MlRequest) => MlAnswer, env: Record<string, string>) {
  const ml = await startTestMlService(answer);
  const router = await startTestRouter({ env: { ML_SERVICE_URL: `${ml.url}/v1/`, ...env } });
  return { ml, router, token: (await router.signUp()).token };
}

const alertOn = (streamId: string, extra: object = {}) => ({ streamId, severity: 'high', message: 'Person', ...extra });

test.each(['msgpack', 'json'] as TestEncoding[])(
  'a %s frame reaches the ML service as JPEG bytes in a batch, and its alert reaches camera and dashboards',
  (encoding) =>
    withMl(
      ({ body }) => ({
        status: 200,
        body: { alerts: [alertOn(body['frames'][0].streamId, { metadata: { score: 0.9 } })] },
      }),
      async ({ ml, router, token }) => {
        const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding });
        const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'json' });
        encoder.send(frameOf(encoder, streamId, jpeg, { timestamp: 1729943200123.5 }));
        const alert = await viewer.next('alert');
        expect(alert).toMatchObject({ streamId, severity: 'high', message: 'Person', metadata: { score: 0.9 } });
        expect(alert['timestamp']).toBeGreaterThan(Date.now() - 60_000);
        expect((await encoder.next('alert'))['id']).toBe(alert['id']);
        const [request] = ml.requests;
        expect(request).toMatchObject({ path: '/v1/analyze/batch', contentType: 'application/msgpack' });
        const [frame] = request?.body['frames'] ?? [];
        expect(frame).toMatchObject({ streamId, timestamp: 1729943200123.5, seq: 1 });
        expect(Buffer.from(frame.data).equals(jpeg)).toBe(true);
        await Promise.all([encoder.close(), viewer.close()]);
      },
    ),
);

test('frames of several cameras share a request, and an answer in MessagePack is understood', () =>
  withMl(
    ({ body }) => ({
      status: 200,
      body: encode({ alerts: body['frames'].map((frame: { streamId: string }) => alertOn(frame.streamId)) }),
    }),
    async ({ ml, router, token }) => {
      const cameras = await Promise.all([1, 2, 3].map(() => openEncoder(router.wsUrl, token, { encoding: 'msgpack' })));
      for (const { encoder, streamId } of cameras) encoder.send(frameOf(encoder, streamId, jpeg));
      for (const { encoder, streamId } of cameras) expect((await encoder.next('alert'))['streamId']).toBe(streamId);
      expect(ml.requests.length).toBeLessThan(3);
      await Promise.all(cameras.map(({ encoder }) => encoder.close()));
    },
    { ML_BATCH_WAIT_MS: '200', ML_PROTOCOL: 'batch' },
  ));

test.each([404, 405, 415])(
  'a service that answers %i to a batch is asked the original way, and no frame is lost',
  (status) =>
    withMl(
      ({ path, body }) =>
        path === '/v1/analyze/batch'
          ? { status }
          : {
              status: 200,
              body: { alert: { type: 'alert', ...alertOn(body['streamId']), timestamp: 123, metadata: { a: 1 } } },
            },
      async ({ ml, router, token }) => {
        const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
        encoder.send(frameOf(encoder, streamId, jpeg, { timestamp: 77 }));
        expect(await encoder.next('alert')).toMatchObject({ streamId, timestamp: 123, metadata: { a: 1 } });
        expect(ml.requests.map((request) => request.path)).toEqual(['/v1/analyze/batch', '/v1/analyze']);
        const single = ml.requests[1];
        expect(single?.contentType).toBe('application/json');
        expect(single?.body).toEqual({ streamId, frame: jpeg.toString('base64'), timestamp: 77 });
        await until('the next frame is asked the original way at once', async () => {
          encoder.send(frameOf(encoder, streamId, jpeg));
          return ml.requests.length >= 3;
        });
        expect(ml.requests[2]?.path).toBe('/v1/analyze');
        await encoder.close();
      },
    ),
);

test('a batch service that is rolled back to an original one is asked the original way from then on', () => {
  let rolledBack = false;
  return withMl(
    ({ path, body }) => {
      if (!rolledBack) return { status: 200, body: { alerts: [] } };
      return path === '/v1/analyze' ? { status: 200, body: { alert: alertOn(body['streamId']) } } : { status: 404 };
    },
    async ({ ml, router, token }) => {
      const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
      encoder.send(frameOf(encoder, streamId, jpeg));
      await until('it has answered a batch', async () => (await router.stats())['ml'].requests === 1);
      await until('the answer is in', async () => (await router.stats())['ml'].inFlight === 0);
      rolledBack = true;
      await until('the next frame is sampled', async () => {
        encoder.send(frameOf(encoder, streamId, jpeg));
        return ml.requests.length > 1;
      });
      expect((await encoder.next('alert'))['streamId']).toBe(streamId);
      expect((await router.stats())['ml'].failedRequests).toBe(0);
      await encoder.close();
    },
  );
});

test.each([
  ['204', { status: 204, body: new Uint8Array(0) }],
  ['200 with nothing', { status: 200, body: new Uint8Array(0) }],
] as [string, MlAnswer][])('an answer of %s raises no alert and is no failure', (_name, answer) =>
  withMl(
    () => answer,
    async ({ router, token }) => {
      const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
      encoder.send(frameOf(encoder, streamId, jpeg));
      await until('the request is answered', async () => {
        const { ml } = await router.stats();
        return ml.sent === 1 && ml.inFlight === 0;
      });
      expect((await router.stats())['ml'].failedRequests).toBe(0);
      await encoder.close();
    },
  ),
);

test('`{status: "ok"}` raises no alert', () =>
  withMl(
    () => ({ status: 200, body: { status: 'ok' } }),
    async ({ router, token }) => {
      const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'json' });
      encoder.send(frameOf(encoder, streamId, jpeg));
      await until('the request is answered', async () => {
        const { ml } = await router.stats();
        return ml.sent === 1 && ml.inFlight === 0;
      });
      expect((await router.stats())['ml']).toMatchObject({ failedRequests: 0, alerts: { accepted: 0, refused: 0 } });
      await encoder.close();
    },
    { ML_PROTOCOL: 'single' },
  ));

test('five frames a second are sampled of a camera that sends thirty', () =>
  withMl(
    () => ({ status: 200, body: { alerts: [] } }),
    async ({ ml, router, token }) => {
      const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
      const startMs = performance.now();
      for (let sent = 0; sent < 30; sent += 1) {
        encoder.send(frameOf(encoder, streamId, walk[sent] as Buffer));
        await new Promise((resolve) => setTimeout(resolve, 1000 / 30));
      }
      const seconds = (performance.now() - startMs) / 1000;
      expect(ml.requests.length).toBeGreaterThanOrEqual(3);
      expect(ml.requests.length).toBeLessThanOrEqual(Math.ceil(seconds * 5) + 1);
      await encoder.close();
    },
  ));

const bad: [string, MlAnswer, object][] = [
  ['answers 500', { status: 500, body: { error: 'out of memory' } }, { failedRequests: 1, dropped: { failed: 1 } }],
  ['answers what is no map', { status: 200, body: [] as object }, { alerts: { accepted: 0 } }],
  ['answers broken MessagePack', { status: 200, body: new Uint8Array([0x81, 0xa6]) }, { failedRequests: 1 }],
  ['answers 20 MB', { status: 200, body: { alerts: [], padding: 'x'.repeat(20e6) } }, { failedRequests: 1 }],
  ['hangs', 'hang', { failedRequests: 1, dropped: { failed: 1 } }],
  ['alerts of a stream nobody has', { status: 200, body: { alerts: [alertOn('nobody')] } }, { alerts: { refused: 1 } }],
  ['alerts without a severity', { status: 200, body: { alerts: [{ streamId: 'x' }] } }, { alerts: { refused: 1 } }],
  ['alerts in a text', { status: 200, body: { alerts: ['fire!'] } }, { alerts: { refused: 1 } }],
];

test.each(bad)('an ML service that %s costs its answer and nothing else', (_name, answer, expected) =>
  withMl(
    () => answer,
    async ({ router, token }) => {
      const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
      const viewer = await openViewer(router.wsUrl, token, streamId);
      encoder.send(frameOf(encoder, streamId, jpeg));
      await viewer.next('video-frame');
      await until('the answer is in', async () => {
        const { ml } = await router.stats();
        return ml.requests > 0 && ml.inFlight === 0;
      });
      expect((await router.stats())['ml']).toMatchObject(expected);
      encoder.send(frameOf(encoder, streamId, jpeg));
      await viewer.next('video-frame');
      expect(viewer.messages.some((message) => message['type'] === 'alert')).toBe(false);
      await Promise.all([encoder.close(), viewer.close()]);
    },
    { ML_TIMEOUT_MS: '300' },
  ),
);

test('an ML service that is not there is said once a second in the log, and frames flow', async () => {
  const router = await startTestRouter({ env: { ML_SERVICE_URL: 'http://127.0.0.1:1' } });
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, token, streamId);
  await until('several requests failed', async () => {
    encoder.send(frameOf(encoder, streamId, jpeg));
    await viewer.next('video-frame');
    return (await router.stats())['ml'].failedRequests >= 3;
  });
  const lines = router.logLines.filter((line) => line.includes('ML request failed'));
  expect(lines.length).toBeGreaterThanOrEqual(1);
  expect(lines.length).toBeLessThan(3);
  expect(lines[0]).toContain('ECONNREFUSED');
  await Promise.all([encoder.close(), viewer.close()]);
  await router.stop();
});

test.each(['batch', 'single'])(
  'the ML service sees who calls, in a %s request too: the service token, and never a user’s; without one, nobody',
  async (protocol) => {
    for (const token of ['a-service-token-of-the-tests', undefined]) {
      await withMl(
        () => ({ status: 200, body: {} }),
        async ({ ml, router, token: userToken }) => {
          const { encoder, streamId } = await openEncoder(router.wsUrl, userToken);
          encoder.send(frameOf(encoder, streamId, jpeg));
          await until('a frame arrives', () => ml.requests.length > 0);
          expect(ml.requests[0]?.authorization).toBe(token && `Bearer ${token}`);
        },
        { ML_PROTOCOL: protocol, ...(token === undefined ? {} : { ML_SERVICE_TOKEN: token }) },
      );
    }
  },
);

test('a connection that the ML service closes just when it is used again costs no frame', async () => {
  // Answers the first request of each connection, and closes it when the second one comes.
  const bodies: string[] = [];
  const server = createTcpServer((socket) => {
    let requests = 0;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      if (!bytes.toString('latin1').startsWith('POST')) return;
      requests += 1;
      if (requests > 1) return void socket.destroy();
      bodies.push('answered');
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const env = {
    ML_SERVICE_URL: `http://127.0.0.1:${port}`,
    ML_PROTOCOL: 'batch',
    ML_MAX_IN_FLIGHT: '1',
    ML_FPS: '100',
  };
  const router = await startTestRouter({ env });
  const { encoder, streamId } = await openEncoder(router.wsUrl, (await router.signUp()).token);
  for (let frame = 1; frame <= 6; frame += 1) {
    encoder.send(frameOf(encoder, streamId, jpeg));
    await until('it is analysed', () => bodies.length >= frame);
  }
  await until('all are back', async () => (await router.stats())['ml'].inFlight === 0);
  expect((await router.stats())['ml']).toMatchObject({ failedRequests: 0, dropped: { failed: 0 }, breaker: 'closed' });
  await router.stop();
  server.close();
});

test('while the ML service fails the router says so, and stays ready', async () => {
  await withMl(
    () => ({ status: 500 }),
    async ({ router, token }) => {
      const { encoder, streamId } = await openEncoder(router.wsUrl, token);
      const ready = async () => {
        const response = await fetch(`${router.httpUrl}/health/ready`);
        return { status: response.status, ...((await response.json()) as object) };
      };
      expect(await ready()).toMatchObject({ status: 'ready', degraded: [] });
      await until('it is noticed', async () => {
        encoder.send(frameOf(encoder, streamId, jpeg));
        return (await router.stats())['ml'].breaker !== 'closed';
      });
      const response = await fetch(`${router.httpUrl}/health/ready`);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ status: 'ready', degraded: ['ml'] });
    },
    { ML_FPS: '60', ML_BATCH_WAIT_MS: '0' },
  );
});
