import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decode, encode } from '@msgpack/msgpack';
import { describe, expect, test } from 'vitest';
import type { SampledFrame } from '../../src/ml/transport.ts';
import { ForeignProgram } from '../interop/foreign-program.ts';
import { sha256, walkFiles } from '../interop/walk-files.ts';
import { hasTool } from '../support/tools.ts';
import { until } from '../support/until.ts';
import { alertOn, connectedPair, frameOf, TOKEN, transportTo } from '../support/ws-world.ts';

const MIB = 1024 * 1024;
const PYTHON = '/usr/bin/python3';
const hasPython = hasTool('Python 3 with websockets', PYTHON, ['-c', 'import websockets']);

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
