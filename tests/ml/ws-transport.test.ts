import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { decode, encode } from '@msgpack/msgpack';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import type { MlTransport, SampledFrame } from '../../src/ml/transport.ts';
import { createWsTransport, type WsTransportParts } from '../../src/ml/ws-transport.ts';
import { ForeignProgram } from '../interop/foreign-program.ts';
import { sha256, walkFiles } from '../interop/walk-files.ts';
import { hasTool } from '../support/tools.ts';
import { until } from '../support/until.ts';
import { FakeTime } from './fakes.ts';

const TOKEN = 'the-token-of-the-ws-service';
const MIB = 1024 * 1024;
const PYTHON = '/usr/bin/python3';
const hasPython = hasTool('Python 3 with websockets', PYTHON, ['-c', 'import websockets']);

/** A real WebSocket server in the place of an ML service. `sockets`: every connection it ever had. */
class Service {
  readonly sockets: WebSocket[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly messages: { data: Buffer; isBinary: boolean }[] = [];
  readonly port: number;
  readonly #server: WebSocketServer;

  static async start(options: ServerOptions = {}, onConnection?: (socket: WebSocket) => void): Promise<Service> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
    await once(server, 'listening');
    return new Service(server, onConnection);
  }

  private constructor(server: WebSocketServer, onConnection: ((socket: WebSocket) => void) | undefined) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket, request) => {
      this.sockets.push(socket);
      this.authorizations.push(request.headers.authorization);
      socket.on('error', () => undefined);
      socket.on('message', (data, isBinary) => {
        if (Buffer.isBuffer(data)) this.messages.push({ data, isBinary });
      });
      onConnection?.(socket);
    });
    onTestFinished(() => this.stop());
  }

  get socket(): WebSocket {
    return this.sockets.at(-1) as WebSocket;
  }

  stop = async (): Promise<void> => {
    for (const socket of this.sockets) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  };
}

/** A transport to that port, with everything it says. No line of it may hold the token. */
function transportTo(port: number, parts: Partial<WsTransportParts> = {}) {
  const alerts: unknown[] = [];
  const lines: { level: string; facts: Record<string, unknown>; message: string }[] = [];
  const transport = createWsTransport({
    url: `ws://127.0.0.1:${port}/frames?key=${TOKEN}`,
    token: TOKEN,
    protocol: 'batch',
    batchSize: 16,
    timeoutMs: 5000,
    clock: { epochMs: Date.now, monotonicMs: () => performance.now() },
    log: (level, facts, message) => lines.push({ level, facts, message }),
    after: (delayMs, action) => {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
    random: () => 0.1,
    onAlert: (alert) => alerts.push(alert),
    ...parts,
  });
  onTestFinished(async () => {
    if (!(parts.after instanceof Function)) await transport.close();
    expect(JSON.stringify(lines)).not.toContain(TOKEN);
  });
  const times = (part: string) => lines.filter(({ message }) => message.includes(part)).length;
  const connected = (count = 1) => until('it is connected', () => times('connected to the ML') === count);
  return { transport, alerts, lines, times, connected };
}

/** A service and a transport that is connected to it. */
async function connectedPair(parts: Partial<WsTransportParts> = {}, options: ServerOptions = {}) {
  const service = await Service.start(options);
  const link = transportTo(service.port, parts);
  await link.connected();
  return { service, ...link };
}

function frameOf(streamId: string, data: Buffer, seq = 1): SampledFrame {
  return { streamId, timestamp: 1_729_943_200_123.5, seq, data };
}

const alertOn = (streamId: string) => ({ type: 'alert', streamId, severity: 'high', message: 'Person', timestamp: 5 });

describe('frames', () => {
  test('batches reach the service bit for bit, also when several are under way at once', async () => {
    const { service, transport } = await connectedPair();
    expect(transport.batchSize()).toBe(16);
    const batches = [1, 2, 3, 4, 5, 6].map((seq) => ['a', 'b'].map((id) => frameOf(id, randomBytes(90_000), seq)));
    for (const round of [batches.slice(0, 3), batches.slice(3)]) {
      expect(await Promise.all(round.map((batch) => transport.analyze(batch)))).toEqual([[], [], []]);
    }
    await until('all have arrived', () => service.messages.length === batches.length);
    for (const [index, { data, isBinary }] of service.messages.entries()) {
      const { frames } = decode(data) as { frames: SampledFrame[] };
      expect(isBinary).toBe(true);
      expect(frames.map((frame) => ({ ...frame, data: sha256(frame.data) }))).toEqual(
        batches[index]?.map((frame) => ({ ...frame, data: sha256(frame.data) })),
      );
    }
  });

  test('a service of the original contract gets each frame as a text with base64, bit for bit', async () => {
    const { service, transport } = await connectedPair({ protocol: 'single' });
    expect(transport.batchSize()).toBe(1);
    const frames = ['a', 'b'].map((streamId) => frameOf(streamId, randomBytes(90_000)));
    await transport.analyze(frames);
    await until('both have arrived', () => service.messages.length === 2);
    for (const [index, { streamId, timestamp, data }] of frames.entries()) {
      const text = JSON.stringify({ streamId, frame: Buffer.from(data).toString('base64'), timestamp });
      expect(service.messages[index]?.isBinary).toBe(false);
      expect(service.messages[index]?.data.equals(Buffer.from(text))).toBe(true);
    }
  });

  test('the service sees who calls at the upgrade, and nobody when there is no token', async () => {
    expect((await connectedPair()).service.authorizations).toEqual([`Bearer ${TOKEN}`]);
    expect((await connectedPair({ token: undefined })).service.authorizations).toEqual([undefined]);
  });

  test.skipIf(!hasPython)('the original Python service sees the very pictures, and its alerts come back', async () => {
    const service = new ForeignProgram(PYTHON, [
      fileURLToPath(new URL('../interop/python_ml_ws_service.py', import.meta.url)),
    ]);
    const { transport, alerts, connected } = transportTo(Number((await service.next('listening'))['port']), {
      protocol: 'single',
    });
    await connected();
    const files = walkFiles(6);
    for (const [index, { path, sha256 }] of files.entries()) {
      await transport.analyze([{ ...frameOf('door', readFileSync(path)), timestamp: index }]);
      const facts = { text: true, fields: ['streamId', 'frame', 'timestamp'], streamId: 'door', timestamp: index };
      expect(await service.next('analyzed')).toMatchObject({ ...facts, sha256 });
    }
    await until('every second frame raised an alert', () => alerts.length === 3);
    const expected = { type: 'alert', streamId: 'door', severity: 'high', message: 'Suspicious activity detected' };
    const odd = files.filter((_, index) => index % 2 === 1);
    expect(alerts).toMatchObject(odd.map(({ sha256 }) => ({ ...expected, metadata: { sha256 } })));
    await transport.close();
    expect(await service.next('disconnected')).toMatchObject({ code: 1001 });
    await service.end();
  });
});

describe('alerts', () => {
  const [one, two] = [alertOn('a'), alertOn('b')];
  const shapes: [string, unknown, unknown[]][] = [
    ['one alert', one, [one]],
    ['an alert without a type', { streamId: 'a', severity: 'low' }, [{ streamId: 'a', severity: 'low' }]],
    ['a list', [one, { status: 'ok' }, two], [one, two]],
    ['{alerts}', { alerts: [one, two] }, [one, two]],
    ['{alert}', { alert: one }, [one]],
    ['an incomplete one, for its reader to refuse', { streamId: 'a', level: 3 }, [{ streamId: 'a', level: 3 }]],
  ];
  test.each(shapes)('%s arrives, in text, in MessagePack and in binary JSON', async (_name, body, expected) => {
    const { service, alerts, times } = await connectedPair();
    service.socket.send(JSON.stringify(body));
    service.socket.send(encode(body));
    service.socket.send(Buffer.from(JSON.stringify(body)));
    await until('all have arrived', () => alerts.length >= 3 * expected.length);
    expect(alerts).toEqual([...expected, ...expected, ...expected]);
    expect(times('understood')).toBe(0);
  });

  test('an answer that nothing was seen raises no alert and no complaint', async () => {
    const { service, alerts, lines } = await connectedPair();
    const nothing = [{ status: 'ok' }, {}, { alert: null }, { alerts: [] }, [], { streamId: 'a', status: 'ok' }];
    for (const body of nothing) for (const form of [JSON.stringify, encode]) service.socket.send(form(body));
    service.socket.send(JSON.stringify(one));
    await until('the alert has arrived', () => alerts.length > 0);
    expect(alerts).toEqual([one]);
    expect(lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('a flood of garbage hides no alert, keeps the connection, and costs a line a second', async () => {
    const { service, alerts, times } = await connectedPair();
    const startMs = performance.now();
    const garbage = [`refused: ${TOKEN}`, '', '{', 'null', '"fire!"', '{"alerts":7}', '['.repeat(100_000)];
    // The last one would have a decoder that believes it make room for forty lists of 16 million each.
    const claims = Array(40).fill([0xdd, 0, 255, 255, 255]).flat();
    const binary = [[], [0xc1], [0xdd, 255, 255, 255, 255], [0x81, 0xa6], [0xc0, 0xc0], claims].map((bytes) =>
      Buffer.from(bytes),
    );
    for (let round = 0; round < 100; round += 1) {
      for (const message of [...garbage, ...binary]) service.socket.send(message);
      service.socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false });
    }
    service.socket.send(encode(one));
    await until('the alert has arrived', () => alerts.length > 0);
    expect(alerts).toEqual([one]);
    expect(service.sockets).toHaveLength(1);
    expect(times('not understood')).toBeGreaterThan(0);
    expect(times('not understood')).toBeLessThanOrEqual(1 + (performance.now() - startMs) / 1000);
  });

  test('an alert that is refused takes no other with it, and a message holds a thousand at most', async () => {
    const taken: unknown[] = [];
    const onAlert = (alert: unknown) => {
      if (taken.push(alert) === 1) throw new Error('no such stream');
    };
    const { service, lines } = await connectedPair({ onAlert });
    service.socket.send(JSON.stringify(Array.from({ length: 1500 }, () => one)));
    await until('what was too much is said', () => lines.length === 3);
    expect(taken).toHaveLength(1000);
    const reasons = lines.map(({ facts }) => facts['reason']);
    expect(reasons).toEqual([undefined, 'no such stream', 'more than 1000 alerts at once']);
  });

  test('a message of 20 MB costs the connection, and the next one works', async () => {
    const { service, transport, alerts, times, connected } = await connectedPair();
    service.socket.send('x'.repeat(20 * MIB));
    await connected(2);
    expect(times('lost')).toBe(1);
    service.socket.send(JSON.stringify(one));
    await until('the alert has arrived', () => alerts.length > 0);
    await transport.analyze([frameOf('a', Buffer.alloc(10))]);
    await until('a frame arrives', () => service.messages.length > 0);
  });
});

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

  test('that reads nothing: frames fail in time, only those under way are held, then it is redialled', async () => {
    const service = await Service.start({}, (socket) => service.sockets.length === 1 && socket.pause());
    const { transport, lines, connected } = transportTo(service.port, { timeoutMs: 400 });
    await connected();
    const sends = vi.spyOn(WebSocket.prototype, 'send');
    onTestFinished(() => sends.mockRestore());
    const frame = frameOf('a', randomBytes(MIB));
    let mostBytes = 0;
    const sendUntilItFails = async (): Promise<unknown> => {
      for (;;) {
        const taken = transport.analyze([frame]);
        mostBytes = Math.max(mostBytes, (sends.mock.contexts[0] as WebSocket).bufferedAmount);
        try {
          await taken;
        } catch (error) {
          return error;
        }
      }
    };
    const failures = await Promise.all([1, 2, 3, 4].map(sendUntilItFails));
    expect(failures).toEqual(Array(4).fill(new Error('nothing taken in 400 ms')));
    expect(mostBytes).toBeGreaterThan(MIB);
    expect(mostBytes).toBeLessThan(4 * MIB + 4096);
    expect((sends.mock.contexts[0] as WebSocket).bufferedAmount).toBeLessThanOrEqual(mostBytes);
    await connected(2);
    expect(lines.at(-2)).toMatchObject({ facts: { reason: 'nothing taken in 400 ms' } });
    await transport.analyze([frame]);
    await until('a frame arrives', () => service.messages.length > 0);
  });

  test('that reads nothing, of a caller without measure: what is beyond 32 MiB is refused at once', async () => {
    const { service, transport } = await connectedPair();
    service.socket.pause();
    const frame = frameOf('a', Buffer.alloc(4 * MIB));
    const sent = Promise.allSettled(Array.from({ length: 12 }, () => transport.analyze([frame])));
    await transport.close();
    const reasons = (await sent).map((result) => (result.status === 'rejected' ? String(result.reason) : 'taken'));
    expect(reasons.slice(0, 8)).not.toContain('Error: the ML service reads too slowly');
    expect(reasons.slice(10)).toEqual(Array(2).fill('Error: the ML service reads too slowly'));
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
