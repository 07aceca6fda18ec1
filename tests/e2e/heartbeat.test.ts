import { App, us_socket_local_port } from 'uWebSockets.js';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { ConnectionLimits } from '../../src/gateways/websocket/connection-limits.ts';
import { WebSocketGateway } from '../../src/gateways/websocket/gateway.ts';
import { noTap } from '../../src/router/no-tap.ts';
import type { Clock } from '../../src/router/ports.ts';
import { createRouter } from '../../src/router/router.ts';
import { type ConnectOptions, TestClient } from '../support/client.ts';
import { until } from '../support/until.ts';

/** The gateway alone, with everybody let in, and pings as often as a test has patience for. */
async function startGateway(pingIntervalMs: number): Promise<{
  url: string;
  encoderUrl: string;
  roundTrips: () => (number | undefined)[];
  stop: () => Promise<void>;
}> {
  const app = App();
  const clock: Clock = { epochMs: () => Date.now(), monotonicMs: () => performance.now() };
  const router = createRouter({
    publisher: { publishFrame: (topic, frame, encoding) => void app.publish(topic, frame, encoding === 'msgpack') },
    tap: noTap,
    clock,
    defer: setImmediate,
    log: () => undefined,
    limits: { maxFps: 60, maxBytesPerSecond: 1e9, maxMessageBytes: 1e6 },
    graceMs: 1000,
    access: 'owner',
    owners: undefined,
    maxStreamsPerUser: 100,
    maxViewersPerStream: 10_000,
    newStreamId: () => 'stream_1',
    newAlertId: () => '1',
    newResumeToken: () => '1',
    alertCooldownMs: 0,
    alertSink: undefined,
    evidence: { keep: () => undefined, find: () => undefined },
  });
  const gateway = new WebSocketGateway(app, {
    router,
    authenticator: {
      isLimited: () => false,
      failed: () => undefined,
      verify: async () => ({
        kind: 'session',
        principal: { userId: 'anna', sessionId: '1' },
        expiresAtMs: Number.POSITIVE_INFINITY,
      }),
    },
    clock,
    log: () => undefined,
    maxMessageBytes: 1e6,
    maxBackpressureBytes: 1e6,
    sessionWatch: { add: () => undefined, remove: () => undefined },
    owners: undefined,
    after: (delayMs, action) => {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
    limits: new ConnectionLimits({ total: 100, perAddress: 100, pendingPerAddress: 100, perUser: 100 }),
    addressOf: (remote) => remote,
    authDeadlineMs: 10_000,
    newConnectionId: () => 1,
    rejectsAtUpgrade: false,
    allowedOrigins: [],
    pingIntervalMs,
  });
  const port = await new Promise<number>((resolve) => {
    app.listen('127.0.0.1', 0, (socket) => {
      if (socket) resolve(us_socket_local_port(socket));
    });
  });
  const stop = async () => {
    await gateway.drain(1000);
    app.close();
  };
  const urlOf = (path: string) => `ws://127.0.0.1:${port}/streams/${path}?token=any`;
  /** Round trips that are known of those who are connected. */
  const roundTrips = () => [...gateway.connections()].map(({ rttMs }) => rttMs);
  return { url: urlOf('subscribe'), encoderUrl: urlOf('register'), roundTrips, stop };
}

test('a ping that is answered tells the round trip, one that is not tells nothing', async () => {
  const { url, roundTrips, stop } = await startGateway(200);
  const far = new WebSocket(url, [], { autoPong: false });
  far.on('ping', () => setTimeout(() => far.pong(), 50));
  await until('the round trip is known', () => roundTrips()[0] !== undefined);
  expect(roundTrips()[0]).toBeGreaterThanOrEqual(45);
  expect(roundTrips()[0]).toBeLessThan(200);
  const silent = new WebSocket(url, [], { autoPong: false });
  await new Promise((resolve) => silent.once('ping', resolve));
  expect(roundTrips()).toEqual([expect.any(Number), undefined]);
  await stop();
});

test('a client that answers no ping is closed with 4509, one that does stays', async () => {
  const { url, stop } = await startGateway(40);
  const silent = new WebSocket(url, [], { autoPong: false });
  const alive = new WebSocket(url);
  let pings = 0;
  alive.on('ping', () => {
    pings += 1;
  });
  const closed = await new Promise<[number, string]>((resolve) => {
    silent.on('close', (code, reason) => resolve([code, reason.toString()]));
  });
  expect(closed).toEqual([4509, 'No answer to pings']);
  expect(alive.readyState).toBe(WebSocket.OPEN);
  const before = pings;
  await new Promise<void>((resolve) => alive.on('ping', () => pings > before + 3 && resolve()));
  expect(alive.readyState).toBe(WebSocket.OPEN);
  await stop();
});

test.each([
  { what: 'subscriptions', message: { type: 'subscribe', clientType: 'dashboard', streamId: 'door' } },
  { what: 'heartbeats', message: { type: 'heartbeat' } },
])('a client whose $what come, but no pongs, is alive', async ({ message }) => {
  const { url, stop } = await startGateway(40);
  const chatty = new WebSocket(url, [], { autoPong: false });
  let pings = 0;
  const stayed = new Promise<boolean>((resolve) => {
    chatty.on('ping', () => {
      pings += 1;
      chatty.send(JSON.stringify(message));
      if (pings > 8) resolve(true);
    });
    chatty.on('close', () => resolve(false));
  });
  expect(await stayed).toBe(true);
  await stop();
});

const subscribe = { type: 'subscribe', clientType: 'dashboard', streamId: 'door' };
const register = { type: 'register', clientType: 'mobile', streamId: 'door' };

/** Resolves at the ping after the next `count` of this client: whatever goes with those was sent before it. */
function pinged({ socket }: TestClient, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count + 1;
    socket.on('ping', () => {
      left -= 1;
      if (left === 0) resolve();
    });
  });
}

const viewer = { path: 'url', message: subscribe } as const;
const encoder = { path: 'encoderUrl', message: register } as const;
const noOptions: ConnectOptions = {};
const json: ConnectOptions = { subprotocol: 'watchout.v1.json' };
const msgpack: ConnectOptions = { subprotocol: 'watchout.v1.msgpack', encoding: 'msgpack' };

test.each([
  { who: 'a viewer that offered a subprotocol', ...viewer, options: json, understands: undefined },
  { who: 'a viewer of MessagePack that offered a subprotocol', ...viewer, options: msgpack, understands: undefined },
  { who: 'a viewer that lists it', ...viewer, options: noOptions, understands: ['heartbeat'] },
  { who: 'an encoder that offered a subprotocol', ...encoder, options: msgpack, understands: undefined },
  { who: 'an encoder that lists it', ...encoder, options: noOptions, understands: ['a-message-to-come', 'heartbeat'] },
])('$who is sent heartbeats again and again', async ({ path, message, options, understands }) => {
  const { [path]: url, stop } = await startGateway(40);
  const startMs = Date.now();
  const client = await TestClient.open(url, options);
  client.send({ ...message, understands });
  await client.next('success');
  for (let count = 0; count < 3; count += 1) {
    const { $binary, $raw, ...heartbeat } = await client.next('heartbeat');
    expect(heartbeat).toEqual({ type: 'heartbeat', timestamp: expect.any(Number) });
    expect(heartbeat['timestamp']).toBeGreaterThanOrEqual(startMs);
    expect($binary).toBe(options.encoding === 'msgpack');
  }
  await stop();
});

test.each(['/ws', '/api/streams/ws', '/ws/alerts/anna'])(
  'at %s who answers pings stays, who does not is closed',
  async (path) => {
    const { url, stop } = await startGateway(40);
    const { origin } = new URL(url);
    const silent = new WebSocket(`${origin}${path}?token=any`, [], { autoPong: false });
    const asks = await TestClient.open(`${origin}${path}?token=any`, json);
    const closed = new Promise<number>((resolve) => void silent.on('close', resolve));
    expect(await closed).toBe(4509);
    await asks.next('heartbeat');
    expect(asks.messages.map(({ type }) => type)).not.toContain('success');
    await stop();
  },
);

test('a client that offered a subprotocol is sent heartbeats before it has said anything', async () => {
  const { url, stop } = await startGateway(40);
  const client = await TestClient.open(url, json);
  await client.next('heartbeat');
  await stop();
});

test.each([
  { who: 'a viewer of before', ...viewer, understands: undefined },
  { who: 'a viewer that lists other messages', ...viewer, understands: ['going-away', 'throttle'] },
  { who: 'an encoder of before', ...encoder, understands: undefined },
])('$who is sent pings, and no heartbeat that it would not know', async ({ path, message, understands }) => {
  const { [path]: url, stop } = await startGateway(40);
  const client = await TestClient.open(url);
  client.send({ ...message, understands });
  await client.next('success');
  await pinged(client, 5);
  expect(client.messages.map(({ type }) => type)).not.toContain('heartbeat');
  expect(client.socket.readyState).toBe(WebSocket.OPEN);
  await stop();
});

test.each([
  { who: 'a viewer', path: 'url', options: {} },
  { who: 'an encoder', path: 'encoderUrl', options: {} },
  { who: 'a viewer of MessagePack', path: 'url', options: { encoding: 'msgpack' } },
] as const)('the heartbeat of $who is answered once, though it did not ask for any', async ({ path, options }) => {
  // No ping in the time of this test.
  const { [path]: url, stop } = await startGateway(60_000);
  const client = await TestClient.open(url, options);
  for (let count = 1; count <= 3; count += 1) {
    const sentMs = Date.now();
    client.send({ type: 'heartbeat' });
    const answer = await client.next('heartbeat');
    expect(answer['timestamp']).toBeGreaterThanOrEqual(sentMs);
    expect(answer['timestamp']).toBeLessThanOrEqual(Date.now());
    expect(client.messages).toHaveLength(count);
  }
  await stop();
});
