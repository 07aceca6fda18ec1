import { decode } from '@msgpack/msgpack';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { MlFeed } from '../../src/ml/feed.ts';
import type { MlTransport, SampledFrame } from '../../src/ml/transport.ts';
import { until } from '../support/until.ts';
import { alertOn, connectedPair, frameOf, Service, transportTo } from '../support/ws-world.ts';
import { FakeTime, streamIds } from './fakes.ts';

const MIB = 1024 * 1024;
const MAX_AGE_MS = 200;
const MAX_IN_FLIGHT = 4;

interface ReadMessage {
  readAtMs: number;
  /** Of its oldest frame. */
  takenAtMs: number;
}

/** Fifty cameras with ten frames a second each, whose timestamps say when they came in. */
function startCameras(transport: MlTransport, jpeg: Buffer): MlFeed {
  const feed = new MlFeed({
    transport,
    clock: { epochMs: Date.now, monotonicMs: () => performance.now() },
    log: () => undefined,
    after: (delayMs, action) => {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
    onAlert: () => undefined,
    fps: 10,
    batchWaitMs: 25,
    maxInFlight: MAX_IN_FLIGHT,
    timeoutMs: 5_000,
    maxAgeMs: MAX_AGE_MS,
  });
  const taps = streamIds(50).map((id) => feed.open({ id, metadata: {} }, performance.now()));
  let seq = 0;
  const cameras = setInterval(() => {
    seq += 1;
    for (const tap of taps) {
      const nowMs = performance.now();
      if (tap.wants(nowMs)) tap.take(jpeg, nowMs, seq, nowMs);
    }
  }, 20);
  onTestFinished(() => clearInterval(cameras));
  return feed;
}

function readMessage(data: Buffer): ReadMessage {
  const { frames } = decode(data) as { frames: SampledFrame[] };
  return { readAtMs: performance.now(), takenAtMs: Math.min(...frames.map(({ timestamp }) => timestamp)) };
}

describe('a service that does not keep up', () => {
  test('and reads slowly gets fresh frames, however long that goes on', async () => {
    const read: ReadMessage[] = [];
    const service = await Service.start({}, (socket) => {
      socket.on('message', (data: Buffer) => {
        read.push(readMessage(data));
        socket.pause();
      });
      const pace = setInterval(() => socket.resume(), 20);
      onTestFinished(() => clearInterval(pace));
    });
    const { transport, connected } = transportTo(service.port, { batchSize: 2 });
    await connected();
    startCameras(transport, Buffer.alloc(34_000));
    await until('a hundred frames are read', () => read.length > 50);
    // When a message is sent, the one that many before it was read.
    const agesMs = read.slice(MAX_IN_FLIGHT).map(({ takenAtMs }, index) => (read[index]?.readAtMs ?? 0) - takenAtMs);
    expect(Math.max(...agesMs)).toBeLessThanOrEqual(MAX_AGE_MS);
  });

  test('and stops for a while finds no more old messages than were under way, and none of them waited in our memory', async () => {
    const read: ReadMessage[] = [];
    const { service, transport } = await connectedPair();
    service.socket.pause();
    service.socket.on('message', (data: Buffer) => read.push(readMessage(data)));
    const sends = vi.spyOn(WebSocket.prototype, 'send');
    onTestFinished(() => sends.mockRestore());
    const jpeg = Buffer.alloc(100_000);
    const { stats } = startCameras(transport, jpeg);
    let mostBytes = 0;
    await until('newer frames have taken the place of those that wait', () => {
      mostBytes = Math.max(mostBytes, (sends.mock.contexts[0] as WebSocket | undefined)?.bufferedAmount ?? 0);
      return stats.dropped.replaced > 300;
    });
    expect(mostBytes).toBeGreaterThan(0);
    expect(mostBytes).toBeLessThan(17 * jpeg.length);
    const resumedAtMs = performance.now();
    service.socket.resume();
    await until('fresh frames are read', () => read.some(({ takenAtMs }) => takenAtMs > resumedAtMs));
    const old = read.filter(({ takenAtMs }) => takenAtMs < resumedAtMs - MAX_AGE_MS);
    expect(old.length).toBeGreaterThan(0);
    expect(old.length).toBeLessThanOrEqual(MAX_IN_FLIGHT);
    expect(stats.failedRequests).toBe(0);
  });

  test('and reads slowly, but steadily, keeps its connection', async () => {
    const time = new FakeTime();
    const timeoutMs = 400;
    const { service, transport, times } = await connectedPair({ clock: time, after: time.after, timeoutMs });
    service.socket.pause();
    // It reads a message, and answers the ping behind it.
    service.socket.on('ping', () => service.socket.pause());
    const sent = Array.from({ length: 8 }, (_, seq) => transport.analyze([frameOf('a', Buffer.alloc(MIB), seq)]));
    for (const analyzed of sent) {
      time.advance(timeoutMs - 1);
      service.socket.resume();
      expect(await analyzed).toEqual([]);
    }
    expect(service.messages).toHaveLength(sent.length);
    expect(times('lost')).toBe(0);
    expect(time.pendingTimers).toBe(1);
    await transport.close();
  });
});

describe('what a service has read', () => {
  /** The numbers in the pings of a service that answers them when the test says so. */
  async function unansweredPings() {
    const pair = await connectedPair({}, { autoPong: false });
    const pings: Buffer[] = [];
    pair.service.socket.on('ping', (payload) => pings.push(payload));
    return { ...pair, pings };
  }

  test('may be said of several messages at once, and nonsense says nothing', async () => {
    const { service, transport, alerts, pings } = await unansweredPings();
    const done: number[] = [];
    const sent = [1, 2, 3, 4].map(async (seq) => {
      await transport.analyze([frameOf('a', Buffer.alloc(1000), seq)]);
      done.push(seq);
    });
    await until('all were asked about', () => pings.length === 4);
    for (const nonsense of ['', '?', '0', '-1', 'x'.repeat(125)]) service.socket.pong(nonsense);
    service.socket.pong(pings[2]);
    service.socket.send(JSON.stringify(alertOn('a')));
    await until('all that was heard', () => alerts.length === 1);
    expect(done).toEqual([1, 2, 3]);
    service.socket.pong(pings[3]);
    await Promise.all(sent);
  });

  test('and not what it only says it has: the memory of that is left alone until the kernel has it', async () => {
    const { service, transport, alerts } = await unansweredPings();
    service.socket.pause();
    let isDone = false;
    const sent = transport.analyze([frameOf('a', Buffer.alloc(16 * MIB))]).then(() => {
      isDone = true;
    });
    service.socket.pong('1');
    service.socket.send(JSON.stringify(alertOn('a')));
    await until('both were heard', () => alerts.length === 1);
    expect([isDone, transport.isBusy]).toEqual([false, true]);
    service.socket.resume();
    await sent;
    expect(transport.isBusy).toBe(false);
  });
});
