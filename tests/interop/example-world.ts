import { expect, onTestFinished } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { jpegOf, openEncoder, openViewer, type TestClient } from '../support/client.ts';
import { FlakyLink } from '../support/flaky-link.ts';
import type { TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { SERVICE_TOKEN } from '../support/two-users.ts';

/** What stands around a program of `examples/` while it is tested. */

const WALK = readWalk();

/** A bad network in front of the router; ends with the test. */
export async function openLink(router: TestRouter): Promise<FlakyLink> {
  const link = await FlakyLink.open(router.port);
  onTestFinished(() => link.close());
  return link;
}

/** An alert about a stream, as an ML service posts it. The router has the `SERVICE_TOKEN`. */
export async function raise(router: TestRouter, streamId: string, message: string): Promise<void> {
  const response = await fetch(`${router.httpUrl}/alerts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVICE_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ streamId, severity: 'high', message }),
  });
  expect(await response.json()).toMatchObject({ accepted: 1 });
}

/** A dashboard that has nothing in common with the program but the protocol; ends with the test. */
export async function openDashboard(router: TestRouter, token: string, streamId: string): Promise<TestClient> {
  const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
  onTestFinished(() => viewer.socket.terminate());
  return viewer;
}

/** Takes so many pictures of `pictures`, bit for bit, and no two of them in a row the same. */
export async function takePictures(viewer: TestClient, count: number, pictures: readonly Buffer[]): Promise<void> {
  let before = -1;
  for (let taken = 0; taken < count; taken += 1) {
    const jpeg = jpegOf(await viewer.next('video-frame'));
    const index = pictures.findIndex((picture) => picture.equals(jpeg));
    expect(index, 'it is none of the pictures').not.toBe(-1);
    expect(index, 'it is the same picture again').not.toBe(before);
    before = index;
  }
}

/** Since it watches, the stream was never gone for it. It must have begun to watch when the stream was there. */
export function expectNeverOffline(viewer: TestClient): void {
  const statuses = viewer.messages.filter(({ type }) => type === 'status').map(({ status }) => status);
  expect(statuses).not.toContain('offline');
}

/** A camera that plays the walk; ends with the test. */
export async function playWalk(router: TestRouter, token: string, streamId: string, fps = 15): Promise<void> {
  const { encoder } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack', register: { streamId } });
  let sent = 0;
  const stop = steadily(fps, () => {
    encoder.send({ type: 'video-frame', streamId, data: WALK[sent % WALK.length], timestamp: Date.now() });
    sent += 1;
  });
  onTestFinished(() => {
    stop();
    encoder.socket.terminate();
  });
}
