import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decode } from '@msgpack/msgpack';
import { expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { frameOf, openEncoder, openViewer, type TestMessage } from '../support/client.ts';
import { startTestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

const walk = readWalk();
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A service that answers when the test says so. */
async function startHeldService() {
  const requests: { frames: TestMessage[]; answer: (alerts: object[]) => void }[] = [];
  const server = createServer(async (request, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { frames } = decode(Buffer.concat(chunks)) as { frames: TestMessage[] };
    requests.push({
      // As it was when it came: the router's memory is its own.
      frames: frames.map((frame) => ({ ...frame, data: Buffer.from(frame['data']) })),
      answer: (alerts) => void response.setHeader('content-type', 'application/json').end(JSON.stringify({ alerts })),
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function world(env: Record<string, string> = {}) {
  const ml = await startHeldService();
  const router = await startTestRouter({ env: { ML_SERVICE_URL: ml.url, ML_PROTOCOL: 'batch', ...env } });
  onTestFinished(() => router.stop());
  const anna = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, anna.token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, anna.token, streamId);
  const get = (id: string, { token } = anna) =>
    fetch(`${router.httpUrl}/api/alerts/${id}/frame.jpg`, { headers: { authorization: `Bearer ${token}` } });
  return { ml, router, anna, encoder, streamId, viewer, get };
}

test('the picture of an alert is the one that was analysed, bit for bit, also when the answer comes 3 s and many frames later', async () => {
  const { ml, encoder, streamId, viewer, get } = await world({
    ML_MAX_IN_FLIGHT: '1',
    STREAM_MAX_FPS: '100000',
    STREAM_MAX_BYTES_PER_SECOND: '10000000000',
  });
  const capturedAtMs = Date.now() - 500;
  encoder.send(frameOf(encoder, streamId, walk[0] as Buffer, { timestamp: capturedAtMs }));
  await until('the frame is at the service', () => ml.requests.length === 1);
  const sentAtMs = performance.now();
  for (let frame = 1; performance.now() - sentAtMs < 3_000; frame += 1) {
    encoder.send(frameOf(encoder, streamId, walk[1 + (frame % (walk.length - 1))] as Buffer));
    await viewer.next('video-frame');
  }
  ml.requests[0]?.answer([{ streamId, severity: 'high', message: 'Person' }]);
  const alert = await viewer.next('alert');
  expect(alert['frame']).toMatchObject({ seq: 1, timestamp: capturedAtMs });
  expect(alert['frame'].ageMs).toBeGreaterThanOrEqual(3_000);
  expect(alert['frame'].sinceCaptureMs).toBeGreaterThanOrEqual(3_400);
  expect(alert['frame'].ageMs).toBeLessThan(performance.now() - sentAtMs + 1_000);
  const response = await get(alert['id']);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('image/jpeg');
  const served = hashOf(new Uint8Array(await response.arrayBuffer()));
  expect(served).toBe(hashOf(walk[0] as Buffer));
  expect(served).toBe(hashOf(ml.requests[0]?.frames[0]?.['data']));
});

test('nobody else sees it, and of an alert that no picture is known of there is none', async () => {
  const { ml, router, encoder, streamId, viewer, get } = await world();
  encoder.send(frameOf(encoder, streamId, walk[0] as Buffer));
  await until('the frame is at the service', () => ml.requests.length === 1);
  ml.requests[0]?.answer([{ streamId, severity: 'low', message: 'Cat' }]);
  const { id } = await viewer.next('alert');
  const ben = await router.signUp();
  const refused = await get(id, ben);
  expect([refused.status, ((await refused.json()) as TestMessage)['error'].code]).toEqual([403, 'UNAUTHORIZED']);
  expect((await fetch(`${router.httpUrl}/api/alerts/${id}/frame.jpg`)).status).toBe(401);
  expect((await get('019a2f4e-7c11-7b02-9d3a-5e8f60b1c2d4')).status).toBe(404);
});

test('an alert that the service reports again is not sent again', async () => {
  const { router, streamId, viewer } = await world({ ML_SERVICE_TOKEN: 'the-token-of-the-service' });
  const post = async (alerts: object) => {
    const response = await fetch(`${router.httpUrl}/alerts`, {
      method: 'POST',
      headers: { authorization: 'Bearer the-token-of-the-service', 'content-type': 'application/json' },
      body: JSON.stringify(alerts),
    });
    return (await response.json()) as TestMessage;
  };
  const alert = { streamId, severity: 'high', message: 'Person', id: 'event-1' };
  expect(await post([alert, alert])).toEqual({ accepted: 2, refused: [] });
  expect(await post(alert)).toEqual({ accepted: 1, refused: [] });
  await post({ ...alert, id: 'event-2', message: 'Another' });
  expect((await viewer.next('alert'))['message']).toBe('Person');
  expect((await viewer.next('alert'))['message']).toBe('Another');
  expect((await router.stats())['alerts']).toMatchObject({ accepted: 2, repeated: 2 });
});

test.each(['seq', 'timestamp'])(
  'a service that answers at once and posts its alert later, naming the frame by its %s, has the picture kept too, also in the older words',
  async (field) => {
    const token = 'the-token-of-the-service';
    const { ml, router, encoder, streamId, viewer, get } = await world({
      ML_SERVICE_TOKEN: token,
      STREAM_MAX_FPS: '1000',
    });
    encoder.send(frameOf(encoder, streamId, walk[0] as Buffer, { timestamp: 1729943200123 }));
    await until('the frame is at the service', () => ml.requests.length === 1);
    ml.requests[0]?.answer([]);
    await until('a later one is, too', () => {
      encoder.send(frameOf(encoder, streamId, walk[1] as Buffer));
      return ml.requests.length > 1;
    });
    const which = field === 'seq' ? { seq: 1 } : { timestamp: 1729943200123 };
    const posted = await fetch(`${router.httpUrl}/alerts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify([
        { streamId, severity: 'high', message: 'Person', ...which },
        { type: 'anomaly_detected', stream_id: streamId, result: { classification: 'Fall' }, ...which },
      ]),
    });
    expect(await posted.json()).toEqual({ accepted: 2, refused: [] });
    for (const message of ['Person', 'Fall']) {
      const alert = await viewer.next('alert');
      expect(alert).toMatchObject({ message, frame: { seq: 1, timestamp: 1729943200123 } });
      const served = await get(alert['id']);
      expect(hashOf(new Uint8Array(await served.arrayBuffer()))).toBe(hashOf(walk[0] as Buffer));
    }
  },
);
