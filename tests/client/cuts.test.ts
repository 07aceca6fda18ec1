import v8 from 'node:v8';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { Feed } from '../../src/client/feed.ts';
import { Frame } from '../../src/client/frame.ts';
import type { Alert } from '../../src/client/index.ts';
import { Line } from '../../src/client/line.ts';
import { UploadLag } from '../../src/client/upload-lag.ts';
import { openEncoder, openViewer, type TestClient } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { CountingWorld, newEncoder, newViewer, openLink, untilOpen } from './support.ts';

const CUTS = 100;

/** How many of a class are alive, after a garbage collection. */
const countOf = (Class: unknown) =>
  (v8 as unknown as { queryObjects(ctor: unknown, options: { format: 'count' }): number }).queryObjects(Class, {
    format: 'count',
  });

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter();
});
afterAll(() => router.stop());

test(`${CUTS} cuts leave nothing behind: no timer, no listener, no memory, no socket; and viewers never see the stream offline`, async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const world = new CountingWorld();
  const encoder = newEncoder({ url: link.wsUrl, token, streamId: 'mill', world });
  const viewer = newViewer({ url: link.wsUrl, token, world });
  const statuses: string[] = [];
  let frames = 0;
  viewer.subscribe('mill', {
    onFrame: async () => {
      frames += 1;
    },
    onStatus: ({ status }) => statuses.push(status),
    onAlert: () => undefined,
  });
  viewer.subscribe('*', { onFrame: () => undefined });
  await Promise.all([untilOpen(encoder), untilOpen(viewer)]);
  const stop = steadily(100, () => encoder.send(numberedPicture(1, 2_000)));
  onTestFinished(stop);

  const live = () => [Line, Feed, UploadLag, Frame].map(countOf);
  const cut = async () => {
    const [connections, before] = [link.accepted, frames];
    link.cut();
    await until('both are back', () => link.accepted >= connections + 2);
    await until('pictures come', () => frames > before && viewer.state.name === 'open');
  };
  for (let round = 0; round < 5; round += 1) await cut();
  const liveBefore = live();
  for (let round = 5; round < CUTS; round += 1) await cut();
  expect(link.connections).toBe(2);
  // Of each line its watch, and of the encoder a look at the socket or at the clock.
  expect(world.timers).toBeLessThanOrEqual(3);
  expect(world.listeners).toBe(2);
  const liveAfter = live();
  process.stdout.write(
    `alive before and after ${CUTS} cuts (Line, Feed, UploadLag, Frame): ${liveBefore} and ${liveAfter}\n`,
  );
  for (const [index, count] of liveAfter.entries()) expect(count).toBeLessThanOrEqual((liveBefore[index] ?? 0) + 5);
  // Nobody was told of an encoder that came back.
  expect(statuses).not.toContain('offline');

  stop();
  encoder.close();
  viewer.close();
  expect(world).toMatchObject({ timers: 0, listeners: 0 });
  await until('the router has nobody left', () => link.connections === 0);
});

test('of streams that have ended a page that watches all keeps nothing', async () => {
  const brief = await startTestRouter({ env: { STREAM_GRACE_MS: '50' } });
  onTestFinished(() => brief.stop());
  const { token } = await brief.signUp();
  const viewer = newViewer({ url: brief.wsUrl, token });
  const gone = new Set<string>();
  let frames = 0;
  viewer.subscribe('*', {
    onFrame: () => {
      frames += 1;
    },
    onStatus: ({ streamId, status }) => status === 'offline' && gone.add(streamId),
  });
  await untilOpen(viewer);
  for (let number = 1; number <= 10; number += 1) {
    const { encoder, streamId } = await openEncoder(brief.wsUrl, token, { encoding: 'msgpack' });
    encoder.send({ type: 'video-frame', streamId, data: numberedPicture(number, 1_000), timestamp: Date.now() });
    await until('its picture is there', () => frames === number);
    await encoder.close();
  }
  await until('all have ended', () => gone.size === 10);
  expect([Feed, Frame].map(countOf)).toEqual([0, 0]);
});

test('a stream that ends while the page has no connection is gone when it is back', async () => {
  const brief = await startTestRouter({ env: { STREAM_GRACE_MS: '50' } });
  onTestFinished(() => brief.stop());
  const link = await openLink(brief.port);
  const { token } = await brief.signUp();
  const viewer = newViewer({ url: link.wsUrl, token });
  const live = new Set<string>();
  viewer.subscribe('*', {
    onStatus: ({ streamId, status }) => (status === 'offline' ? live.delete(streamId) : live.add(streamId)),
  });
  viewer.subscribe('named', {});
  await untilOpen(viewer);
  const cameras = await Promise.all(
    ['stays', 'goes', 'named'].map((streamId) => openEncoder(brief.wsUrl, token, { register: { streamId } })),
  );
  onTestFinished(() => {
    for (const { encoder } of cameras) encoder.socket.terminate();
  });
  await until('all are known', () => live.size === 3);
  link.isAway = true;
  link.cut();
  await Promise.all(cameras.slice(1).map(({ encoder }) => encoder.close()));
  await until('it has ended', async () => (await brief.stats())['activeStreams'].length === 1);
  link.isAway = false;
  await until('only one is left', () => live.size === 1);
  expect([...live]).toEqual(['stays']);
});

test('over cuts at any moment each alert comes once, none is lost, and they come in order', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const [dairy, barn] = [await openAlarm(token, 'dairy'), await openAlarm(token, 'barn')];
  // Who has a good line hears what was raised.
  const witness = await openViewer(router.wsUrl, token, '*', { subscribe: { consumes: ['alert'] } });
  const viewer = newViewer({ url: link.wsUrl, token });
  const ofAll: string[] = [];
  const ofBarn: string[] = [];
  const gaps: unknown[] = [];
  const errors: unknown[] = [];
  viewer.on('error', (error) => errors.push(error));
  // Frames as well, so that alerts share the line with something.
  viewer.subscribe('*', {
    onAlert: ({ id }) => ofAll.push(id),
    onGap: (gap) => gaps.push(gap),
    onFrame: () => undefined,
  });
  viewer.subscribe('barn', { onAlert: ({ id }) => ofBarn.push(id), onGap: (gap) => gaps.push(gap) });
  await until('it is subscribed', () => viewer.state.name === 'open');
  await subscribed(viewer);

  let raised = 0;
  const stop = steadily(100, () => {
    raised += 1;
    (raised % 2 === 0 ? dairy : barn)(raised);
  });
  onTestFinished(stop);
  const deadline = Date.now() + 6_000;
  while (Date.now() < deadline) {
    const pauseMs = Math.random() * 250;
    const startMs = Date.now();
    await until('a moment has passed', () => Date.now() - startMs >= pauseMs);
    link.cut();
  }
  stop();
  await until('the witness has them all', () => alertsOf(witness).length === raised);
  const all = alertsOf(witness).map(({ id }) => id);
  await until('so has the viewer', () => ofAll.length >= raised);
  process.stdout.write(`${raised} alerts over ${link.accepted - 1} cuts\n`);
  expect(link.accepted).toBeGreaterThan(15);
  expect(ofAll).toEqual(all);
  expect(ofBarn).toEqual(alertsOf(witness).flatMap(({ id, streamId }) => (streamId === 'barn' ? [id] : [])));
  expect([gaps, errors]).toEqual([[], []]);
  await witness.close();
});

test('a page that was closed goes on with the alerts after the last one it has seen', async () => {
  const { token } = await router.signUp();
  const raise = await openAlarm(token, 'silo');
  const seen: Alert[] = [];
  const first = newViewer({ url: router.wsUrl, token });
  first.subscribe('silo', { onAlert: (alert) => seen.push(alert) });
  await untilOpen(first);
  await subscribed(first);
  raise(1);
  await until('it is there', () => seen.length === 1);
  first.close();
  for (const number of [2, 3]) raise(number);
  const second = newViewer({ url: router.wsUrl, token, since: seen[0]?.id });
  second.subscribe('silo', { onAlert: (alert) => seen.push(alert) });
  await until('the missed ones are there', () => seen.length === 3);
  expect(seen.map(({ metadata }) => metadata['number'])).toEqual([1, 2, 3]);
});

test('when a router has forgotten alerts of the time without a connection, the page is told that there may have been some', async () => {
  const first = await startTestRouter();
  const link = await openLink(first.port);
  const { token } = await first.signUp();
  const viewer = newViewer({ url: link.wsUrl, token });
  const gaps: unknown[] = [];
  viewer.subscribe('silo', { onAlert: () => undefined, onGap: (gap) => gaps.push(gap) });
  await untilOpen(viewer);
  await subscribed(viewer);
  await first.stop();
  const second = await startTestRouter();
  onTestFinished(() => second.stop());
  link.leadTo(second.port);
  await until('it is told', () => gaps.length > 0);
  expect(gaps).toEqual([{ streamId: 'silo' }]);
});

/** Everything that was subscribed to before has been answered. */
function subscribed(viewer: ReturnType<typeof newViewer>): Promise<void> {
  return new Promise((resolve) => {
    const end = viewer.subscribe('nothing-of-that-name', {
      onStatus: () => {
        end();
        resolve();
      },
    });
  });
}

/** A camera with a good line that raises alerts; ends with the test. */
async function openAlarm(token: string, streamId: string): Promise<(number: number) => void> {
  const register = { streamId, produces: ['video-frame', 'alert'] };
  const { encoder } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack', register });
  onTestFinished(() => void encoder.socket.terminate());
  return (number) => {
    encoder.send({ type: 'video-frame', streamId, data: numberedPicture(number, 5_000), timestamp: Date.now() });
    encoder.send({ type: 'alert', streamId, severity: 'low', message: `Number ${number}`, metadata: { number } });
  };
}

function alertsOf(client: TestClient): { id: string; streamId: string }[] {
  return client.messages.filter(({ type }) => type === 'alert') as unknown as { id: string; streamId: string }[];
}
