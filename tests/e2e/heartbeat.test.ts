import { App, us_socket_local_port } from 'uWebSockets.js';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { WebSocketGateway } from '../../src/gateways/websocket/gateway.ts';
import { noTap } from '../../src/router/no-tap.ts';
import type { Clock } from '../../src/router/ports.ts';
import { createRouter } from '../../src/router/router.ts';

/** The gateway alone, with everybody let in, and pings as often as a test has patience for. */
async function startGateway(pingIntervalMs: number): Promise<{ url: string; stop: () => Promise<void> }> {
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
    newStreamId: () => 'stream_1',
    newAlertId: () => '1',
    newResumeToken: () => '1',
    alertCooldownMs: 0,
    alertSink: undefined,
  });
  const gateway = new WebSocketGateway(app, {
    router,
    sessions: {
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
  return { url: `ws://127.0.0.1:${port}/streams/subscribe?token=any`, stop };
}

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

test('a client whose messages come, but no pongs, is alive', async () => {
  const { url, stop } = await startGateway(40);
  const chatty = new WebSocket(url, [], { autoPong: false });
  let pings = 0;
  const stayed = new Promise<boolean>((resolve) => {
    chatty.on('ping', () => {
      pings += 1;
      chatty.send(JSON.stringify({ type: 'subscribe', clientType: 'dashboard', streamId: 'door' }));
      if (pings > 8) resolve(true);
    });
    chatty.on('close', () => resolve(false));
  });
  expect(await stayed).toBe(true);
  await stop();
});
