import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { MlTransport } from '../../src/ml/transport.ts';
import { until } from '../support/until.ts';
import { alertOn, connectedPair, frameOf, Service, TOKEN, transportTo } from '../support/ws-world.ts';
import { FakeTime } from './fakes.ts';

const MIB = 1024 * 1024;

describe('a service that comes and goes', () => {
  test('that starts after the router, dies and is started again gets frames each time', async () => {
    const { port, stop } = await Service.start();
    await stop();
    const { transport, lines, times, connected } = transportTo(port, { random: () => 0.02 });
    const frame = frameOf('a', randomBytes(1000));
    await expect(transport.analyze([frame])).rejects.toThrow('not connected');
    await until('it was tried', () => times('no connection') > 0);
    expect(lines[0]).toMatchObject({ level: 'warn', facts: { service: `127.0.0.1:${port}`, times: 1 } });
    for (const life of [1, 2, 3]) {
      const service = await Service.start({ port });
      await connected(life);
      await transport.analyze([frame]);
      await until('the frame arrives', () => service.messages.length === 1);
      await service.stop();
      const attempt = () => Promise.allSettled([transport.analyze([frame])]);
      await until('the loss is noticed', async () => (await attempt())[0].status === 'rejected');
      await expect(transport.analyze([frame])).rejects.toThrow('not connected');
    }
  });

  test('that reads nothing is not alive for ever because it talks', async () => {
    const service = await Service.start({}, (socket) => {
      if (service.sockets.length > 1) return;
      socket.pause();
      const words = setInterval(() => socket.send('{"status":"ok"}'), 50);
      onTestFinished(() => clearInterval(words));
    });
    const { transport, connected } = transportTo(service.port, { timeoutMs: 200 });
    await connected();
    const beganMs = performance.now();
    await expect(transport.analyze([frameOf('a', randomBytes(MIB))])).rejects.toThrow('nothing read in 200 ms');
    // It may be at work on what it has read.
    expect(performance.now() - beganMs).toBeGreaterThan(700);
    await connected(2);
  });

  test('that reads nothing, whatever pongs it sends: what is under way fails in time, then it is redialled', async () => {
    const service = await Service.start({}, (socket) => {
      if (service.sockets.length > 1) return;
      socket.pause();
      // Some libraries send them by themselves, as a sign of life.
      const pongs = setInterval(() => socket.pong(), 50);
      onTestFinished(() => clearInterval(pongs));
    });
    const { transport, lines, connected } = transportTo(service.port, { timeoutMs: 400 });
    await connected();
    const frame = frameOf('a', randomBytes(MIB));
    const sent = await Promise.allSettled([1, 2, 3, 4].map(() => transport.analyze([frame])));
    expect(sent).toEqual(Array(4).fill({ status: 'rejected', reason: new Error('nothing read in 400 ms') }));
    expect(transport.isBusy).toBe(false);
    await connected(2);
    expect(lines.at(-2)).toMatchObject({ facts: { reason: 'nothing read in 400 ms' } });
    await transport.analyze([frame]);
    expect(service.messages).toHaveLength(1);
  });
});

describe('delays', () => {
  /** The next attempt comes after exactly `delayMs`. */
  async function expectRetryAfter(delayMs: number, time: FakeTime, service: Service): Promise<void> {
    const count = service.sockets.length;
    await until(
      'the loss is noticed',
      () => time.pendingTimers === 1 && service.socket.readyState === WebSocket.CLOSED,
    );
    time.advance(delayMs - 1);
    expect(time.pendingTimers).toBe(1);
    time.advance(1);
    await until('it is tried again', () => service.sockets.length === count + 1);
  }
  const inFakeTime = (time: FakeTime) => ({ clock: time, after: time.after, random: () => 1 });

  test('a service that hangs up at once is asked ever more rarely, and one that had held soon again', async () => {
    const time = new FakeTime();
    let hangsUp = true;
    const service = await Service.start({}, (socket) => hangsUp && socket.close(4401, TOKEN));
    const { lines, transport, times, connected } = transportTo(service.port, inFakeTime(time));
    await until('it is connected', () => service.sockets.length === 1);
    const delays = [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000];
    for (const delayMs of delays) await expectRetryAfter(delayMs, time, service);
    expect(lines.find(({ level }) => level === 'warn')?.facts).toMatchObject({ reason: 'closed with 4401' });
    hangsUp = false;
    await expectRetryAfter(15_000, time, service);
    // The losses at 250 and 750 ms came within a second of the first.
    expect(times('lost')).toBe(service.sockets.length - 1 - 2);
    await connected(service.sockets.length);
    time.advance(10_000);
    service.socket.close();
    await expectRetryAfter(250, time, service);
    await transport.close();
  });

  test('a service that answers no ping is given up after 45 s, one that says anything is kept', async () => {
    const time = new FakeTime();
    const { service, transport, alerts, lines } = await connectedPair(inFakeTime(time), { autoPong: false });
    let pings = 0;
    service.socket.on('ping', () => {
      pings += 1;
    });
    const nextPing = async (count: number) => {
      time.advance(15_000);
      await until('it is asked', () => pings === count);
    };
    await nextPing(1);
    await nextPing(2);
    service.socket.send(JSON.stringify(alertOn('a')));
    await until('the alert has arrived', () => alerts.length === 1);
    await nextPing(3);
    await nextPing(4);
    expect(lines).toHaveLength(1);
    time.advance(15_000);
    await until('it is given up', () => lines.length === 2);
    expect(lines[1]?.facts).toMatchObject({ reason: '2 pings without an answer' });
    await expectRetryAfter(250, time, service);
    await transport.close();
  });
});

describe('close', () => {
  /** A server that takes connections and says nothing, not even at the upgrade. */
  async function startSilent(): Promise<{ port: number; sockets: Socket[] }> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.on('error', () => undefined).resume()));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { port: (server.address() as AddressInfo).port, sockets };
  }

  async function closesWithinASecond(transport: MlTransport): Promise<void> {
    const startMs = performance.now();
    await Promise.all([transport.close(), transport.close()]);
    expect(performance.now() - startMs).toBeLessThan(1000);
    await expect(transport.analyze([frameOf('a', Buffer.alloc(1))])).rejects.toThrow('not connected');
  }

  test('while connecting ends the attempt, and there is no other', async () => {
    const { port, sockets } = await startSilent();
    const { transport, lines } = transportTo(port, { random: () => 0 });
    await until('it connects', () => sockets.length === 1);
    await closesWithinASecond(transport);
    await until('the attempt is over', () => sockets[0]?.destroyed === true);
    expect(sockets).toHaveLength(1);
    expect(lines).toEqual([]);
  });

  test('an attempt that is not answered is given up after 10 s, and close() between attempts ends them', async () => {
    const time = new FakeTime();
    const { port, sockets } = await startSilent();
    const { transport, lines } = transportTo(port, { clock: time, after: time.after, random: () => 1 });
    await until('it connects', () => sockets.length === 1);
    time.advance(10_000);
    await until('it is given up', () => lines.length === 1);
    expect(lines[0]).toMatchObject({ message: 'no connection to the ML service', facts: { retryMs: 250 } });
    await closesWithinASecond(transport);
    expect(time.pendingTimers).toBe(0);
  });

  test.each([false, true])(
    'tells the service that we go away, and waits for no service that hangs (%s)',
    async (hangs) => {
      const { service, transport, lines } = await connectedPair({ random: () => 0 });
      const closed = once(service.socket, 'close');
      if (hangs) service.socket.pause();
      await closesWithinASecond(transport);
      service.socket.resume();
      expect((await closed)[0]).toBe(1001);
      expect(service.sockets).toHaveLength(1);
      expect(lines).toHaveLength(1);
    },
  );
});
