import { WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Alert, Frame, StreamStatus, Viewer } from '../../src/client/index.ts';
import { openEncoder, type TestClient } from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { newEncoder, newViewer, openLink, untilOpen } from './support.ts';

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter();
});
afterAll(() => router.stop());

test('a page sees the pictures of a stream, bit for bit, with their time, and its status', async () => {
  const { token } = await router.signUp();
  const viewer = newViewer({ url: router.httpUrl, token });
  const seen = look(viewer, 'door');
  await until('it is told', () => seen.statuses.length === 1);
  const camera = await openCamera(token, 'door');
  camera.send(1, { bytes: 30_000, timestamp: 1_700_000_000_123 });
  await until('the picture is there', () => seen.frames.length === 1);
  const [frame] = seen.frames;
  expect(frame).toMatchObject({ streamId: 'door', timestamp: 1_700_000_000_123 });
  expect(Math.abs((frame?.receivedAtMs ?? 0) - Date.now())).toBeLessThan(5_000);
  expect(Buffer.from(frame?.data ?? []).equals(numberedPicture(1, 30_000))).toBe(true);
  expect(frame?.blob()).toMatchObject({ type: 'image/jpeg', size: 30_000 });
  // A camera without a clock.
  camera.send(2, { bytes: 30_000, timestamp: 1_700_000_000_123 });
  await until('the next one is there', () => seen.numbers.includes(2));
  await camera.encoder.close();
  expect(seen.statuses).toEqual(['offline', 'online', 'streaming']);
});

test('one connection carries many streams, those by name and all others of the user, each picture once', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const viewer = newViewer({ url: link.wsUrl, token });
  const errors: unknown[] = [];
  viewer.on('error', (error) => errors.push(error));
  const all = look(viewer, '*');
  const one = look(viewer, 'one');
  await untilOpen(viewer);
  const cameras = await Promise.all(['one', 'two', 'three'].map((name) => openCamera(token, name)));
  for (const number of [1, 2]) {
    for (const camera of cameras) camera.send(number);
    await until('all are there', () => all.frames.length === 3 * number);
  }
  expect(all.frames.map(({ streamId }) => streamId).sort()).toEqual(['one', 'one', 'three', 'three', 'two', 'two']);
  expect(one.numbers).toEqual([1, 2]);
  expect(link.accepted).toBe(1);
  // What is subscribed to by name stays when all others go, and the other way round.
  all.end();
  for (const camera of cameras) camera.send(3);
  await until('the picture is there', () => one.numbers.includes(3));
  expect(all.frames.length).toBe(6);
  const again = look(viewer, '*');
  one.end();
  await until('it knows all three', () => new Set(again.frames.map(({ streamId }) => streamId)).size === 3);
  for (const camera of cameras) camera.send(4);
  await until('all are there', () => again.frames.filter(({ data }) => pictureNumber(data) === 4).length === 3);
  expect(one.numbers).toEqual([1, 2, 3]);
  again.end();
  // Nothing is left at the router: what is sent now is offered to nobody.
  await until('it is left alone', async () => {
    const before = (await router.stats())['frames'];
    cameras[0]?.send(5);
    await until('it has come', async () => (await router.stats())['frames'].received > before.received);
    return (await router.stats())['frames'].offered === before.offered;
  });
  expect(errors).toEqual([]);
});

test('with the WebSocket of undici, which is that of Node 22, pictures and alerts come just so', async () => {
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: router.wsUrl, token, streamId: 'undici', WebSocket });
  const viewer = newViewer({ url: router.wsUrl, token, WebSocket });
  const seen = look(viewer, 'undici', { withAlerts: true });
  await Promise.all([untilOpen(viewer), untilOpen(encoder)]);
  await until('it may send', () => encoder.maxFps === 60);
  for (const number of [1, 2, 3]) {
    encoder.send(numberedPicture(number, 20_000));
    await until('the picture is there', () => seen.frames.length === number);
  }
  encoder.sendAlert({ severity: 'low', message: 'Done' });
  await until('the alert is there', () => seen.alerts.length === 1);
  expect(seen.numbers).toEqual([1, 2, 3]);
  const wrong = newViewer({ url: router.wsUrl, token: 'wrong', WebSocket });
  await until('it is refused', () => wrong.state.name === 'closed');
  expect(wrong.state).toMatchObject({ code: 1008 });
});

test('who comes later to a stream that the page watches already gets its status and its last picture at once', async () => {
  const { token } = await router.signUp();
  const viewer = newViewer({ url: router.wsUrl, token });
  const camera = await openCamera(token, 'late');
  const first = look(viewer, 'late');
  await untilOpen(viewer);
  camera.send(1);
  await until('the picture is there', () => first.frames.length === 1);
  const second = look(viewer, 'late');
  await until('it is there as well', () => second.frames.length === 1);
  expect(second.statuses).toEqual(['streaming']);
  camera.send(2);
  await until('both have the next', () => first.frames.length === 2 && second.frames.length === 2);
  expect([first.numbers, second.numbers]).toEqual([
    [1, 2],
    [1, 2],
  ]);
  // More is wanted than before, so it is subscribed to anew: the picture that is known does not come twice.
  const third = look(viewer, 'late', { withAlerts: true });
  await until('it is there as well', () => third.frames.length === 1);
  camera.send(3);
  await until('all have the next', () => third.numbers.includes(3));
  expect([first.numbers, second.numbers, third.numbers]).toEqual([
    [1, 2, 3],
    [1, 2, 3],
    [2, 3],
  ]);
});

test('a slow page is sent fewer pictures, and none that is old', async () => {
  const { token } = await router.signUp();
  const viewer = newViewer({ url: router.wsUrl, token });
  const camera = await openCamera(token, 'yard');
  const ages: number[] = [];
  viewer.subscribe('yard', {
    onFrame: async ({ timestamp }) => {
      ages.push(Date.now() - timestamp);
      await new Promise((resolve) => setTimeout(resolve, 200));
    },
  });
  await untilOpen(viewer);
  let sent = 0;
  const stop = steadily(30, () => {
    sent += 1;
    camera.send(sent, { bytes: 20_000 });
  });
  onTestFinished(stop);
  await until('three seconds have passed', () => sent >= 90);
  stop();
  process.stdout.write(`a page that takes 200 ms for each: ${ages.length} of ${sent} pictures, ages ${ages} ms\n`);
  expect(ages.length).toBeGreaterThan(10);
  expect(ages.length).toBeLessThanOrEqual(17);
  // The first two come before anything is known of the page. One that had waited for another would be 200 ms old.
  expect(Math.max(...ages.slice(3))).toBeLessThan(190);
});

test('a page that throws is told so, and sees the next picture', async () => {
  const reported: unknown[] = [];
  const { error } = console;
  console.error = (fault) => reported.push(fault);
  onTestFinished(() => {
    console.error = error;
  });
  const { token } = await router.signUp();
  const viewer = newViewer({ url: router.wsUrl, token });
  const camera = await openCamera(token, 'faulty');
  let frames = 0;
  viewer.subscribe('faulty', {
    onFrame: async () => {
      frames += 1;
      throw new Error('cannot draw');
    },
    onStatus: () => {
      throw new Error('cannot write');
    },
  });
  await untilOpen(viewer);
  for (const number of [1, 2, 3, 4]) {
    camera.send(number);
    await until('it was called', () => frames === number);
  }
  expect(reported).toContainEqual(new Error('cannot draw'));
  expect(reported).toContainEqual(new Error('cannot write'));
});

test('a thumbnail gets the rate it asked for, also beside a full picture of the same stream', async () => {
  const { token } = await router.signUp();
  const viewer = newViewer({ url: router.wsUrl, token });
  const camera = await openCamera(token, 'thumb');
  const thumbnail = look(viewer, 'thumb', { maxFps: 2 });
  const full = look(viewer, 'thumb');
  await untilOpen(viewer);
  let sent = 0;
  const stop = steadily(20, () => {
    sent += 1;
    camera.send(sent);
  });
  onTestFinished(stop);
  await until('three seconds have passed', () => sent >= 60);
  stop();
  expect(thumbnail.frames.length).toBeGreaterThanOrEqual(5);
  expect(thumbnail.frames.length).toBeLessThanOrEqual(8);
  expect(full.frames.length).toBeGreaterThan(50);
});

test('all streams at so many frames a second are that many of each, and none starves beside another', async () => {
  const { token } = await router.signUp();
  const viewer = newViewer({ url: router.wsUrl, token });
  const cameras = await Promise.all(['left', 'right'].map((name) => openCamera(token, name)));
  const all = look(viewer, '*', { maxFps: 2 });
  await untilOpen(viewer);
  let sent = 0;
  const stop = steadily(20, () => {
    sent += 1;
    for (const camera of cameras) camera.send(sent);
  });
  onTestFinished(stop);
  await until('three seconds have passed', () => sent >= 60);
  stop();
  for (const name of ['left', 'right']) {
    const frames = all.frames.filter(({ streamId }) => streamId === name);
    expect(frames.length).toBeGreaterThanOrEqual(5);
    expect(frames.length).toBeLessThanOrEqual(8);
  }
});

test('a wall of 300 streams opens on one connection', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const viewer = newViewer({ url: link.wsUrl, token });
  const walls = Array.from({ length: 300 }, (_, index) => look(viewer, `wall-${index}`));
  await until('each was answered', () => walls.every(({ statuses }) => statuses[0] === 'offline'));
  link.cut();
  await until('it is back', () => link.accepted === 2 && viewer.state.name === 'open');
  const camera = await openCamera(token, 'wall-299');
  camera.send(1);
  await until('the last one shows', () => walls[299]?.frames.length === 1);
  expect(() => {
    for (let index = 0; index < 1_000; index += 1) viewer.subscribe(`more-${index}`, {});
  }).toThrow(RangeError);
});

describe('somebody else’s stream', () => {
  test('ends the subscription with the reason, for good, and the others stay', async () => {
    const link = await openLink(router.port);
    const [anna, bob] = [await router.signUp(), await router.signUp()];
    const hers = await openCamera(anna.token, 'bedroom');
    const his = await openCamera(bob.token, 'garage');
    const viewer = newViewer({ url: link.wsUrl, token: bob.token });
    const errors: unknown[] = [];
    viewer.on('error', (error) => errors.push(error));
    const ends: unknown[] = [];
    viewer.subscribe('bedroom', { onFrame: () => expect.fail('not his'), onEnd: (error) => ends.push(error) });
    const garage = look(viewer, 'garage');
    await until('it has ended', () => ends.length === 1);
    expect(ends).toEqual([expect.objectContaining({ code: 'UNAUTHORIZED', streamId: 'bedroom' })]);
    his.send(1);
    await until('his own shows', () => garage.frames.length === 1);
    link.cut();
    await until('it is back', () => link.accepted === 2 && viewer.state.name === 'open');
    his.send(2);
    hers.send(1);
    await until('his own shows again', () => garage.numbers.includes(2));
    expect(errors).toHaveLength(1);
  });
});

test('a wrong name or option is refused where it is written', async () => {
  const { token } = await router.signUp();
  const viewer = newViewer({ url: router.wsUrl, token });
  expect(() => viewer.subscribe('two words', {})).toThrow('streamId');
  expect(() => viewer.subscribe('door', { maxFps: 3 as 2 })).toThrow('maxFps');
  expect(() => viewer.subscribe('door', { window: 0 })).toThrow('window');
  await untilOpen(viewer);
});

test('without a good session it stops with the reason; a page is never left to guess', async () => {
  const link = await openLink(router.port);
  const viewer = newViewer({ url: link.wsUrl, token: 'wrong' });
  look(viewer, 'door');
  await until('it has stopped', () => viewer.state.name === 'closed');
  expect(viewer.state).toEqual({
    name: 'closed',
    reason: 'Not signed in: A valid session token is required',
    code: 1008,
  });
  expect(link.accepted).toBe(1);
});

/** What is seen of a stream. */
interface Seen {
  frames: Frame[];
  statuses: StreamStatus[];
  alerts: Alert[];
  readonly numbers: number[];
  end: () => void;
}

function look(viewer: Viewer, streamId: string, options: { withAlerts?: boolean; maxFps?: 2 } = {}): Seen {
  const frames: Frame[] = [];
  const statuses: StreamStatus[] = [];
  const alerts: Alert[] = [];
  const end = viewer.subscribe(streamId, {
    onFrame: (frame) => frames.push(frame),
    onStatus: ({ status }) => statuses.push(status),
    onAlert: options.withAlerts ? (alert) => alerts.push(alert) : undefined,
    maxFps: options.maxFps,
  });
  return {
    frames,
    statuses,
    alerts,
    get numbers() {
      return frames.map(({ data }) => pictureNumber(data));
    },
    end,
  };
}

interface TestCamera {
  encoder: TestClient;
  send: (number: number, options?: { bytes?: number; timestamp?: number }) => void;
}

/** A camera with a good line; ends with the test. */
async function openCamera(token: string, streamId: string): Promise<TestCamera> {
  const { encoder } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack', register: { streamId } });
  onTestFinished(() => void encoder.socket.terminate());
  return {
    encoder,
    send: (number, { bytes = 1_000, timestamp = Date.now() } = {}) =>
      encoder.send({ type: 'video-frame', streamId, data: numberedPicture(number, bytes), timestamp }),
  };
}
