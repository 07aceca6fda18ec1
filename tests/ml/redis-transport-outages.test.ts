import { decode } from '@msgpack/msgpack';
import { afterEach, describe, expect, test } from 'vitest';
import type { MlTransport, SampledFrame } from '../../src/ml/transport.ts';
import { hasRedisServer } from '../support/private-redis.ts';
import {
  alertOn,
  closeAll,
  everyByte,
  frame,
  isSent,
  makeRedis,
  openServer,
  openService,
  openTransport,
  refusalOf,
  sends,
  seqOf,
  startRedis,
} from '../support/redis-world.ts';
import { until } from '../support/until.ts';

afterEach(closeAll);

describe.skipIf(!hasRedisServer())('with a Redis', () => {
  test('Redis may start after the router: until then frames are refused at once, then they flow', async () => {
    const redis = await makeRedis();
    const { transport, alerts, linesWith } = openTransport(redis.url);
    await until('it is said that Redis is not there', () => linesWith('cannot be reached').length === 2);
    expect(linesWith('ECONNREFUSED')).toHaveLength(2);
    expect(await refusalOf(transport, frame(1))).toBe('not connected to Redis');
    await redis.start();
    const service = await openService(redis.url);
    await service.saysHeard(JSON.stringify(alertOn('a')));
    await sends(transport, frame(2));
    await until('both came through', () => service.frames.length === 1 && alerts.length === 1);
    expect(decode(service.frames[0] as Buffer)).toMatchObject({ seq: 2 });
  });

  test('a restart of Redis costs the frames of its absence, and alerts are heard again afterwards', async () => {
    const redis = await startRedis();
    const { transport, alerts, lines, linesWith } = openTransport(redis.url);
    await until('both connections are said', () => linesWith('connected to Redis').length >= 2);
    await redis.stop();
    await until('both losses are said', () => linesWith('connection to Redis lost').length === 2);
    for (let seq = 0; seq < 100; seq += 1) expect(await isSent(transport, frame(seq))).toBe(false);
    const failures = lines.filter(({ level }) => level === 'warn').length;
    await redis.start();
    const service = await openService(redis.url);
    await service.saysHeard(JSON.stringify(alertOn('a')));
    await sends(transport, frame(100));
    await until('both came through', () => service.frames.length > 0 && alerts.length > 0);
    expect(service.frames.map((message) => (decode(message) as unknown as SampledFrame).seq)).toEqual([100]);
    await until('both connections are said again', () => linesWith('connected to Redis').length === 4);
    expect(failures).toBeLessThan(8);
  });

  test('a Redis that freezes fails each request after its timeout, nothing waits for it, and frames flow when it thaws', async () => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    const { transport, linesWith } = openTransport(redis.url, { timeoutMs: 400 });
    await sends(transport, frame(0));
    redis.freeze();
    const startMs = performance.now();
    // More than the kernel takes.
    const big = Buffer.alloc(4_000_000, everyByte);
    const reasons = await Promise.all([1, 2, 3, 4].map((seq) => refusalOf(transport, frame(seq, big))));
    const waitedMs = performance.now() - startMs;
    expect(waitedMs).toBeGreaterThan(390);
    expect(waitedMs).toBeLessThan(5_000);
    expect(reasons[0]).toBe('Redis did not answer within 400 ms');
    expect(reasons).not.toContain('sent');
    expect(linesWith('did not answer').length).toBeGreaterThan(0);
    for (let seq = 100; seq < 1_100; seq += 1) {
      expect(await refusalOf(transport, frame(seq))).toBe('not connected to Redis');
    }
    redis.thaw();
    await sends(transport, frame(5_000));
    await until('it arrives', () => service.frames.some((message) => seqOf(message) === 5_000));
    expect(service.frames.filter((message) => seqOf(message) >= 100).map(seqOf)).toEqual([5_000]);
  });

  test('a Redis that freezes while no camera sends is noticed, and alerts are heard when it thaws', async () => {
    const redis = await startRedis();
    const { alerts, linesWith } = openTransport(redis.url, { timeoutMs: 300 });
    await until('both connections are said', () => linesWith('connected to Redis').length >= 2);
    redis.freeze();
    await until('both losses are said', () => linesWith('did not answer within 300 ms').length >= 2);
    redis.thaw();
    const service = await openService(redis.url);
    await until('the router listens again', async () => {
      await service.says(JSON.stringify(alertOn('a')));
      return alerts.length > 0;
    });
  });

  test.each([
    ['redis://default:hunter2%2Fsecret@', 'WRONGPASS'],
    ['redis://:hunter2%2Fsecret@', 'WRONGPASS'],
    ['redis://', 'NOAUTH'],
  ])('with %s at a Redis that wants another password the log says so, without it', async (start, reason) => {
    const redis = await startRedis('--requirepass', 'the-right-one');
    const { transport, lines, linesWith } = openTransport(`${start}127.0.0.1:${redis.port}`);
    await until('it is said', () => linesWith(reason).length >= 2);
    const refusal = await refusalOf(transport, frame(1));
    expect(refusal).not.toBe('sent');
    expect(JSON.stringify([lines, refusal])).not.toContain('hunter2');
    expect(linesWith('connected to Redis')).toEqual([]);
  });

  test('the password of the URL lets the router in', async () => {
    const redis = await startRedis('--requirepass', 'the/right one');
    const { transport, linesWith } = openTransport(`redis://:the%2Fright%20one@127.0.0.1:${redis.port}/2`);
    await sends(transport, frame(1));
    await until('both connections are said', () => linesWith('connected to Redis').length >= 2);
  });

  test('a user who may not hear alerts is not said to be connected, until an administrator allows it', async () => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    await service.administer('ACL', 'SETUSER', 'router', 'on', '>secret', '&video-frames', '+@all');
    const { transport, alerts, linesWith } = openTransport(`redis://router:secret@127.0.0.1:${redis.port}`);
    await until('it is said what is missing', () => linesWith('NOPERM').length > 0);
    await sends(transport, frame(1));
    expect(transport.isConnected).toBe(false);
    await service.administer('ACL', 'SETUSER', 'router', '&ml-alerts');
    await service.administer('CLIENT', 'KILL', 'USER', 'router');
    await until('it is connected', () => transport.isConnected);
    await service.says(JSON.stringify(alertOn('a')));
    await until('the alert is in', () => alerts.length === 1);
  });

  test('after close nothing is sent or heard, and Redis has no connection of the router left', async () => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    const { transport, alerts } = openTransport(redis.url);
    await service.saysHeard(JSON.stringify(alertOn('a')));
    await until('it is in', () => alerts.length === 1);
    await transport.close();
    await until('nobody listens', async () => (await service.says(JSON.stringify(alertOn('b')))) === 0);
    expect(await refusalOf(transport, frame(1))).toBe('not connected to Redis');
    expect(alerts).toHaveLength(1);
    await transport.close();
  });
});

async function closeMs(transport: MlTransport): Promise<number> {
  const startMs = performance.now();
  await transport.close();
  return performance.now() - startMs;
}

test('a router that stops while it connects does so within a second, and leaves no connection behind', async () => {
  const { state, url } = await openServer(() => undefined);
  const { transport, lines } = openTransport(url);
  expect(await closeMs(transport)).toBeLessThan(1_000);
  await until('both connections came and went', () => state.connections === 2 && state.open === 0, 5_000);
  expect(lines).toEqual([]);
});

test('a router that stops while Redis leaves its login unanswered does so within a second', async () => {
  const { state, url } = await openServer(() => undefined);
  const { transport } = openTransport(url);
  await until('both are connected', () => state.open === 2);
  expect(await closeMs(transport)).toBeLessThan(1_000);
  await until('both are gone', () => state.open === 0, 5_000);
});

test('a router that stops between two attempts makes no further one', async () => {
  const [left, witness] = await Promise.all([1, 2].map(() => openServer((socket) => socket.destroy())));
  if (left === undefined || witness === undefined) throw new Error('two servers');
  const { transport } = openTransport(left.url);
  await until('attempts fail', () => left.state.connections >= 4);
  expect(await closeMs(transport)).toBeLessThan(1_000);
  const attempts = left.state.connections;
  openTransport(witness.url);
  // By then the first router would have tried again several times.
  await until('another router tries as often and more', () => witness.state.connections >= attempts + 4);
  expect(left.state.connections).toBe(attempts);
});

test('the pauses between attempts grow, and their failures are at most a line a second', async () => {
  const attemptsMs: number[] = [];
  const { url } = await openServer((socket) => {
    attemptsMs.push(performance.now());
    socket.destroy();
  });
  const startMs = performance.now();
  const { lines } = openTransport(url);
  await until('many attempts failed', () => attemptsMs.length >= 10);
  const seconds = (performance.now() - startMs) / 1000;
  expect(seconds).toBeGreaterThan(1.5);
  // Two connections.
  expect(lines.length).toBeLessThanOrEqual(2 * (Math.floor(seconds) + 1));
});

test.each([
  'http://u:hunter2@host',
  'redis://u:hunter2@',
  'u:hunter2',
  'redis://u:hunter2%zz@host',
  'redis://:hunter2@h/x',
])('the address %s is refused without being repeated', (url) => {
  expect(() => openTransport(url)).toThrow(/^the URL of Redis must be redis:\/\/((?!hunter2).)*$/);
});
