import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { jpegOf, openEncoder, openViewer } from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';
import { FakeSocket, FakeWorld } from './fakes.ts';
import { filmSteadily, newEncoder, openLink, statesOf, untilOpen, watch } from './support.ts';

const RECHECK_MS = 300;

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter({ env: { SESSION_RECHECK_MS: String(RECHECK_MS), MAX_AUTH_FAILURES_PER_IP: '1000' } });
});
afterAll(() => router.stop());

test('a picture that is sent arrives bit for bit, with its time, under the name the router gave', async () => {
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: router.httpUrl, token, metadata: { room: 'nursery' } });
  expect(encoder.state).toEqual({ name: 'connecting', attempt: 1 });
  await untilOpen(encoder);
  const streamId = String(encoder.streamId);
  expect(streamId).toMatch(/^stream_\w{16,}$/);
  const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
  const picture = numberedPicture(7, 50_000);
  encoder.send(picture, { timestamp: 1_700_000_000_123 });
  const frame = await viewer.next('video-frame');
  expect(frame['timestamp']).toBe(1_700_000_000_123);
  expect(jpegOf(frame).equals(picture)).toBe(true);
  encoder.send(new Blob([new Uint8Array(numberedPicture(8, 100))]));
  expect(pictureNumber(jpegOf(await viewer.next('video-frame')))).toBe(8);
  expect(encoder.stats).toEqual({ sent: 2, replaced: 0, throttled: 0 });
  await viewer.close();
});

test('after a cut it goes on with its stream: viewers see the next picture and no offline', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: link.wsUrl, token });
  await untilOpen(encoder);
  const streamId = String(encoder.streamId);
  const viewer = await openViewer(router.wsUrl, token, streamId);
  for (let number = 1; number <= 3; number += 1) {
    await untilOpen(encoder);
    encoder.send(numberedPicture(number, 1_000));
    await viewer.next((message) => message['type'] === 'video-frame' && pictureNumber(jpegOf(message)) === number);
    const connections = link.accepted;
    link.cut();
    await until('it has come back', () => link.accepted > connections && encoder.state.name === 'open');
  }
  expect(encoder.streamId).toBe(streamId);
  expect(viewer.messages.filter(({ type }) => type === 'status').map(({ status }) => status)).not.toContain('offline');
  await viewer.close();
});

test('when it comes back it shows what the router gave it for that, and asks for the same name', async () => {
  FakeSocket.all = [];
  const world = new FakeWorld();
  const encoder = newEncoder({
    url: 'wss://router.example',
    WebSocket: FakeSocket,
    world,
    metadata: { room: 'attic' },
  });
  await world.pass(0);
  FakeSocket.last.open();
  expect(FakeSocket.last.sent).toEqual([expect.not.objectContaining({ streamId: expect.anything() })]);
  FakeSocket.last.say({ type: 'success', message: '', streamId: 'stream_1', resumeToken: 'kq3x' });
  expect(encoder.state.name).toBe('open');
  FakeSocket.last.end(1006);
  await world.pass(1_000);
  FakeSocket.last.open();
  const again = { type: 'register', streamId: 'stream_1', resumeToken: 'kq3x', metadata: { room: 'attic' } };
  expect(FakeSocket.last.sent).toEqual([expect.objectContaining(again)]);
});

test('a picture taken while there is no connection goes out with the next one, and only the newest of them', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: link.wsUrl, token, streamId: 'attic' });
  await untilOpen(encoder);
  const viewer = await openViewer(router.wsUrl, token, 'attic');
  link.isAway = true;
  link.cut();
  await until('it waits', () => encoder.state.name === 'waiting');
  for (const number of [1, 2, 3]) expect(encoder.send(numberedPicture(number, 1_000))).toBe('waiting');
  link.isAway = false;
  expect(pictureNumber(jpegOf(await viewer.next('video-frame')))).toBe(3);
  expect(encoder.stats).toEqual({ sent: 1, replaced: 2, throttled: 0 });
  await viewer.close();
});

test('it sends one picture a second while nobody watches, and all of them as soon as somebody does', async () => {
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: router.wsUrl, token, streamId: 'cellar' });
  const throttles: unknown[] = [];
  encoder.on('throttle', (throttle) => throttles.push(throttle));
  await untilOpen(encoder);
  await until('it was told', () => throttles.length > 0);
  expect(throttles).toEqual([{ maxFps: 1, reason: 'demand' }]);
  expect(encoder.maxFps).toBe(1);
  const film = filmSteadily(encoder, 20, 1_000);
  await until('two seconds have passed', () => film.sent >= 40);
  expect(encoder.stats.sent).toBeLessThanOrEqual(4);
  expect(encoder.stats.throttled).toBeGreaterThan(30);
  const watcher = await watch(router, token, 'cellar');
  await until('pictures come', () => watcher.frames.length >= 20);
  expect(encoder.maxFps).toBe(60);
  film.stop();
  await watcher.close();
});

test('a newer phone takes the stream over, and the older one stops and says so', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const older = newEncoder({ url: link.wsUrl, token, streamId: 'gate' });
  await untilOpen(older);
  const newer = newEncoder({ url: router.wsUrl, token, streamId: 'gate' });
  await untilOpen(newer);
  await until('the older one has stopped', () => older.state.name === 'closed');
  expect(older.state).toEqual({ name: 'closed', reason: 'A newer connection took the stream over', code: 4409 });
  expect(older.send(numberedPicture(1, 100))).toBe('closed');
  await stays(() => newer.state.name === 'open' && link.accepted === 1);
});

test('a name that is another user’s is refused once and for all, with the reason', async () => {
  const link = await openLink(router.port);
  const [anna, bob] = [await router.signUp(), await router.signUp()];
  const theirs = await openEncoder(router.wsUrl, anna.token);
  const encoder = newEncoder({ url: link.wsUrl, token: bob.token, streamId: theirs.streamId });
  await until('it has stopped', () => encoder.state.name === 'closed');
  expect(encoder.state).toMatchObject({ reason: expect.stringContaining('another user') });
  await stays(() => link.accepted === 1);
  await theirs.encoder.close();
});

describe('sessions', () => {
  let admin: pg.Pool;
  beforeAll(() => {
    admin = new pg.Pool({ connectionString: inject('databases').url, max: 1 });
  });
  afterAll(() => admin.end());

  test('a session that is revoked ends the connection with the reason, and it is not tried again', async () => {
    const link = await openLink(router.port);
    const { token } = await router.signUp();
    const encoder = newEncoder({ url: link.wsUrl, token });
    const states = statesOf(encoder);
    await untilOpen(encoder);
    await admin.query('DELETE FROM session WHERE token = $1', [token]);
    await until('it has stopped', () => encoder.state.name === 'closed');
    expect(states).toEqual([
      { name: 'connecting', attempt: 1 },
      { name: 'open' },
      { name: 'closed', reason: 'Not signed in: The session has ended', code: 1008 },
    ]);
    await stays(() => link.accepted === 1);
  });

  test('a callback is asked for each attempt, and once more when the session has ended', async () => {
    const link = await openLink(router.port);
    const first = await router.signUp();
    const second = await router.accounts.signInAgain(first);
    let token = first.token;
    let asked = 0;
    const encoder = newEncoder({
      url: link.wsUrl,
      token: async () => {
        asked += 1;
        return token;
      },
    });
    await untilOpen(encoder);
    const { streamId } = encoder;
    link.cut();
    await until('it was asked again', () => asked === 2 && encoder.state.name === 'open');
    token = second.token;
    await admin.query('DELETE FROM session WHERE token = $1', [first.token]);
    await until('it is back with the new session', () => asked === 3 && encoder.state.name === 'open');
    expect(encoder.streamId).toBe(streamId);
    // The callback has no better one: asked once more, and that is all.
    await admin.query('DELETE FROM session WHERE token = $1', [second.token]);
    await until('it has stopped', () => encoder.state.name === 'closed');
    expect(asked).toBe(4);
    expect(encoder.state).toMatchObject({ reason: expect.stringMatching(/^Not signed in: /), code: 1008 });
  });
});

test('a ticket opens each connection, and no token is shown', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const buy = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${router.httpUrl}/api/tickets`, { method: 'POST', headers });
    return ((await answer.json()) as { ticket: string }).ticket;
  };
  const encoder = newEncoder({ url: link.httpUrl, ticket: buy });
  await untilOpen(encoder);
  link.cut();
  await until('it is back', () => link.accepted === 2 && encoder.state.name === 'open');
});

test('a callback that says that nobody is signed in is believed', async () => {
  const link = await openLink(router.port);
  const encoder = newEncoder({ url: link.wsUrl, token: () => null });
  await until('it has stopped', () => encoder.state.name === 'closed');
  expect(encoder.state).toEqual({ name: 'closed', reason: 'Nobody is signed in' });
  expect(link.accepted).toBe(0);
});

test('a router that restarts says when to come back, and the phone does, with its stream', async () => {
  const first = await startTestRouter();
  const second = await startTestRouter();
  onTestFinished(() => second.stop());
  const link = await openLink(first.port);
  const { token } = await first.signUp();
  const encoder = newEncoder({ url: link.wsUrl, token, streamId: 'hall' });
  const states = statesOf(encoder);
  await untilOpen(encoder);
  link.leadTo(second.port);
  await first.stop();
  await until('it waits', () => states.some(({ name }) => name === 'waiting'));
  const waiting = states.find((state) => state.name === 'waiting');
  // Longer than any pause of its own here.
  expect(waiting).toMatchObject({ reason: 'The router restarts', code: 1012 });
  await untilOpen(encoder);
  expect(encoder.streamId).toBe('hall');
});

test('alerts that a phone raises arrive once, those without a connection too, and it hears them itself', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: link.wsUrl, token, streamId: 'stairs' });
  const heard: string[] = [];
  encoder.on('alert', ({ message }) => heard.push(message));
  const viewer = await openViewer(router.wsUrl, token, 'stairs');
  encoder.sendAlert({ severity: 'low', message: 'One' });
  expect(await viewer.next('alert')).toMatchObject({ message: 'One', severity: 'low', streamId: 'stairs' });
  await until('it is heard', () => heard.length === 1);
  link.isAway = true;
  link.cut();
  await until('it waits', () => encoder.state.name === 'waiting');
  const raisedMs = Date.now();
  encoder.sendAlert({ severity: 'high', message: 'Two', metadata: { steps: 3 } });
  expect(encoder.sendAlert({ severity: 'high', message: 'Three' })).toBe(true);
  await until('some time has passed', () => Date.now() > raisedMs + 50);
  link.isAway = false;
  expect(await viewer.next('alert')).toMatchObject({ message: 'Two', metadata: { steps: 3 } });
  const third = await viewer.next('alert');
  expect(third['message']).toBe('Three');
  // When it was raised, not when it got through.
  expect(third['timestamp']).toBeLessThan(raisedMs + 50);
  await until('the phone knows that they have arrived', () => encoder.waitingAlerts === 0);
  const connections = link.accepted;
  link.cut();
  await until('it is back', () => link.accepted > connections && encoder.state.name === 'open');
  encoder.sendAlert({ severity: 'low', message: 'Four' });
  expect(await viewer.next('alert')).toMatchObject({ message: 'Four' });
  await viewer.close();
});

test('what is no picture, no alert or no address is refused where it is said', async () => {
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: router.wsUrl, token });
  expect(() => encoder.send(Buffer.from('PNG…'))).toThrow('FF D8');
  expect(() => encoder.send(numberedPicture(1, 17 * 1024 * 1024))).toThrow(RangeError);
  expect(() => encoder.sendAlert({ severity: 'awful' as 'low', message: 'x' })).toThrow('severity');
  expect(() => encoder.sendAlert({ severity: 'low', message: '' })).toThrow('message');
  expect(() => encoder.sendAlert({ severity: 'low', message: 'x', metadata: { call: () => 1 } })).toThrow('metadata');
  expect(encoder.waitingAlerts).toBe(0);
  expect(() => newEncoder({ url: 'ftp://router', token })).toThrow('url');
  expect(() => newEncoder({ url: router.wsUrl, token, metadata: { call: () => 1 } })).toThrow('metadata');
  expect(() => newEncoder({ url: router.wsUrl, token, streamId: 'two words' })).toThrow('streamId');
  const faults: unknown[] = [];
  encoder.on('error', (error) => faults.push(error));
  await untilOpen(encoder);
  encoder.send(new Blob(['not a picture']));
  await until('it is said', () => faults.length === 1);
  expect(encoder.state.name).toBe('open');
});

test('a listener that throws ends nothing', async () => {
  const reported: unknown[] = [];
  const { error } = console;
  console.error = (fault) => reported.push(fault);
  onTestFinished(() => {
    console.error = error;
  });
  const { token } = await router.signUp();
  const encoder = newEncoder({ url: router.wsUrl, token });
  encoder.on('state', () => {
    throw new Error('the application’s own');
  });
  await untilOpen(encoder);
  expect(reported).toContainEqual(new Error('the application’s own'));
});

test('an abort closes it for good, also before it has begun', async () => {
  const link = await openLink(router.port);
  const { token } = await router.signUp();
  const controller = new AbortController();
  const encoder = newEncoder({ url: link.wsUrl, token, signal: controller.signal });
  await untilOpen(encoder);
  controller.abort();
  expect(encoder.state).toEqual({ name: 'closed', reason: 'Closed by the application' });
  await until('the socket is gone', () => link.connections === 0);
  const late = newEncoder({ url: link.wsUrl, token, signal: controller.signal });
  await until('it has stopped', () => late.state.name === 'closed');
  expect(link.accepted).toBe(1);
});

/** It holds, and goes on to hold: longer than the longest pause between attempts. */
async function stays(condition: () => boolean): Promise<void> {
  const untilMs = Date.now() + 300;
  await until('the time is over', () => {
    expect(condition()).toBe(true);
    return Date.now() > untilMs;
  });
}
