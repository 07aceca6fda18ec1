import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameOf, jpegOf, openEncoder, openViewer, type TestClient } from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter({ env: { STREAM_MAX_FPS: '1000', VIEWER_BACKPRESSURE_BYTES: '262144' } });
});
afterAll(() => router.stop());

async function slowDrops(): Promise<number> {
  return (await router.stats())['frames'].dropped.slow;
}

test('of two pictures of 6 MB in a row both arrive, though no socket takes one at once, and nobody says anything meanwhile', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
  for (const number of [1, 2]) encoder.send(frameOf(encoder, streamId, numberedPicture(number, 6_000_000)));
  for (const number of [1, 2]) expect(numberOf(await viewer.next('video-frame'))).toBe(number);
  for (const client of [encoder, viewer]) await client.close();
});

test.each([
  { kind: 'small frames, several to a tick', bytes: 10_000, encoding: 'msgpack' as const },
  { kind: 'frames of a surveillance camera', bytes: 34_000, encoding: 'msgpack' as const },
  { kind: 'large frames', bytes: 100_000, encoding: 'msgpack' as const },
  { kind: 'JSON frames', bytes: 34_000, encoding: 'json' as const },
])('a dashboard that stalls skips to the newest picture, in order, with $kind', async ({ bytes, encoding }) => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  encoder.send(frameOf(encoder, streamId, numberedPicture(0, bytes)));
  const slow = await openViewer(router.wsUrl, token, streamId, { encoding });
  const quick = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
  await slow.next('video-frame');
  await quick.next('video-frame');

  const account = (await router.stats())['frames'];
  const before = account.dropped.slow;
  slow.socket.pause();
  let sent = 0;
  // Kernel buffers swallow a few MB before the router sees that nobody reads.
  while ((await slowDrops()) < before + 20) {
    for (let burst = 0; burst < 10; burst += 1) {
      sent += 1;
      encoder.send(frameOf(encoder, streamId, numberedPicture(sent, bytes)));
    }
    await quick.next((message) => message['type'] === 'video-frame' && numberOf(message) === sent);
  }
  slow.socket.resume();
  const newest = await slow.next((message) => message['type'] === 'video-frame' && numberOf(message) === sent);
  expect(jpegOf(newest).equals(numberedPicture(sent, bytes))).toBe(true);

  encoder.send(frameOf(encoder, streamId, numberedPicture(sent + 1, bytes)));
  expect(numberOf(await slow.next('video-frame'))).toBe(sent + 1);
  await quick.next((message) => message['type'] === 'video-frame' && numberOf(message) === sent + 1);
  expectInOrder(slow);
  expectInOrder(quick);
  expect(numbersOf(slow).length).toBeLessThan(numbersOf(quick).length);
  expect(numbersOf(quick)).toHaveLength(sent + 2);

  // Everybody has read everything, so what counts as delivered must be what arrived: also where the library lost several small frames of a
  // turn and reported one.
  const { offered, delivered, dropped, inFlight } = (await router.stats())['frames'];
  expect(offered - account.offered).toBe(2 * (sent + 1));
  expect(delivered - account.delivered).toBe(numbersOf(slow).length + numbersOf(quick).length - 2);
  expect(dropped.slow - before).toBe(2 * (sent + 1) - (delivered - account.delivered));
  expect(inFlight).toBe(account.inFlight);
  await Promise.all([encoder, slow, quick].map((client) => client.close()));
});

test('an alert reaches a stalled dashboard as soon as it reads again, before newer pictures', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, {
    encoding: 'msgpack',
    register: { produces: ['video-frame', 'alert'] },
  });
  const slow = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
  const before = await slowDrops();
  slow.socket.pause();
  let sent = 0;
  while ((await slowDrops()) < before + 20) {
    for (let burst = 0; burst < 20; burst += 1) {
      sent += 1;
      encoder.send(frameOf(encoder, streamId, numberedPicture(sent, 34_000)));
    }
    // The encoder's own answer tells that the burst was handled.
    encoder.send({ type: 'burst' });
    await encoder.next((message) => message['code'] === 'UNKNOWN_MESSAGE_TYPE');
  }
  for (let number = 1; number <= 5; number += 1) {
    encoder.send({ type: 'alert', streamId, severity: 'high', message: `alert ${number}` });
  }
  encoder.send({ type: 'burst' });
  await encoder.next((message) => message['code'] === 'UNKNOWN_MESSAGE_TYPE');
  slow.socket.resume();
  await slow.next((message) => message['type'] === 'video-frame' && numberOf(message) === sent);
  const kinds = slow.messages.map((message) => (message['type'] === 'alert' ? message['message'] : message['type']));
  const alerts = kinds.filter((kind) => kind.startsWith('alert'));
  expect(alerts).toEqual(['alert 1', 'alert 2', 'alert 3', 'alert 4', 'alert 5']);
  expect(kinds.lastIndexOf('video-frame')).toBeGreaterThan(kinds.indexOf('alert 5'));
  expect(kinds.at(-1)).toBe('video-frame');
  await Promise.all([encoder.close(), slow.close()]);
});

function numberOf(message: Record<string, unknown>): number {
  return pictureNumber(jpegOf(message));
}

function numbersOf(client: TestClient): number[] {
  return client.messages.filter((message) => message['type'] === 'video-frame').map(numberOf);
}

function expectInOrder(client: TestClient): void {
  const numbers = numbersOf(client);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
}
