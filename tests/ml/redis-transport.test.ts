import { decode, encode } from '@msgpack/msgpack';
import { afterEach, describe, expect, test } from 'vitest';
import type { SampledFrame } from '../../src/ml/transport.ts';
import { hasRedisServer } from '../support/private-redis.ts';
import {
  alertOn,
  closeAll,
  everyByte,
  frame,
  openService,
  openTransport,
  sends,
  startRedis,
} from '../support/redis-world.ts';
import { until } from '../support/until.ts';

afterEach(closeAll);

describe.skipIf(!hasRedisServer())('with a Redis', () => {
  test.each([1, 3, 16, 40])('%i frames of a batch arrive as MessagePack, in order and bit for bit', async (count) => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    const { transport } = openTransport(redis.url);
    const batch = Array.from({ length: count }, (_, seq) =>
      frame(seq, Buffer.alloc(seq * 3_000, everyByte), `été${seq}`),
    );
    // Twice: the second batch is written where the first one was.
    await sends(transport, ...batch);
    expect(await transport.analyze(batch)).toEqual([]);
    await until('all frames arrive', () => service.frames.length === 2 * count);
    for (const [index, message] of service.frames.entries()) {
      const { data, ...head } = decode(message) as unknown as SampledFrame;
      const { data: sent, ...sentHead } = batch[index % count] as SampledFrame;
      expect(head).toEqual(sentHead);
      expect(Buffer.from(data).equals(sent)).toBe(true);
    }
  });

  test('a service that was written against the original document reads the JSON form unchanged', async () => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    const { transport } = openTransport(redis.url, { form: 'json' });
    await sends(transport, frame(1), frame(2, everyByte, 'été'));
    await until('both arrive', () => service.frames.length === 2);
    const base64 = Buffer.from(everyByte).toString('base64');
    expect(service.frames.map(String)).toEqual([
      `{"streamId":"s1","frame":"${base64}","timestamp":1729943200124.5}`,
      `{"streamId":"été","frame":"${base64}","timestamp":1729943200125.5}`,
    ]);
  });

  test('frames of many requests at once all arrive, large ones too', async () => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    const { transport } = openTransport(redis.url);
    await sends(transport, frame(0));
    const big = Buffer.alloc(1_000_000, everyByte);
    const requests = [1, 2, 3, 4].map((part) => [0, 1, 2].map((index) => frame(part * 10 + index, big)));
    await Promise.all(requests.map((batch) => transport.analyze(batch)));
    await until('all arrive', () => service.frames.length === 13);
    expect(service.frames.slice(1).map((message) => (decode(message) as unknown as SampledFrame).seq)).toEqual(
      requests.flat().map(({ seq }) => seq),
    );
  });

  const shapes: [string, unknown, string[]][] = [
    ['one alert', alertOn('a'), ['a']],
    ['a list', [alertOn('a'), alertOn('b')], ['a', 'b']],
    ['{alerts:[…]}', { alerts: [alertOn('a'), alertOn('b')] }, ['a', 'b']],
  ];
  test.each(
    shapes.flatMap(([name, value, ids]) => [
      [`${name} in JSON`, JSON.stringify(value), ids] as const,
      [`${name} in MessagePack`, encode(value), ids] as const,
    ]),
  )('%s is taken, whenever it comes', async (_name, message, ids) => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    const { alerts } = openTransport(redis.url);
    await service.saysHeard(message);
    await until('the alerts are in', () => alerts.length === ids.length);
    expect(alerts).toEqual(ids.map(alertOn));
  });

  const garbage: [string, string | Uint8Array][] = [
    ['nothing', ''],
    ['text', 'fire! fire! fire!'],
    ['a number', '42'],
    ['null', 'null'],
    ['cut JSON', '{"streamId":'],
    ['a million brackets', '['.repeat(1_000_000)],
    ['`alerts` that are no list', '{"alerts":{"streamId":"a"}}'],
    ['cut MessagePack', encode(alertOn('a')).subarray(0, 20)],
    ['MessagePack that claims four billion alerts', Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['noise', Uint8Array.from({ length: 1_000 }, (_, index) => (index * 167 + 211) % 256)],
    ['20 MB of a good alert', JSON.stringify({ ...alertOn('a'), padding: 'x'.repeat(20e6) })],
  ];

  test.each(garbage)('%s on the alerts’ channel is said in the log and costs nothing else', async (_name, message) => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    const { transport, alerts, linesWith } = openTransport(redis.url);
    await service.saysHeard(message);
    await service.says(encode(alertOn('b')));
    await until('the good alert is in', () => alerts.length > 0);
    expect(alerts).toEqual([alertOn('b')]);
    expect(linesWith('alert message refused')).toHaveLength(1);
    expect(linesWith('fire!')).toEqual([]);
    await sends(transport, frame(1));
    expect(linesWith('lost')).toEqual([]);
  });

  test('of more alerts in a message than anybody sees the first thousand are taken, and that is said', async () => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    const { alerts, linesWith } = openTransport(redis.url);
    await service.saysHeard(JSON.stringify(Array.from({ length: 5_000 }, () => alertOn('a'))));
    await until('what was too much is said', () => linesWith('more than 1000 alerts').length === 1);
    expect(alerts).toHaveLength(1_000);
  });

  test('a flood of garbage and of refused alerts is one line a second each', async () => {
    const redis = await startRedis();
    const service = await openService(redis.url);
    let refused = 0;
    const onAlert = () => {
      refused += 1;
      throw new Error('no such stream');
    };
    const { linesWith } = openTransport(redis.url, { onAlert });
    await service.saysHeard('garbage');
    const startMs = performance.now();
    for (let sent = 0; sent < 500; sent += 1)
      await Promise.all([service.says('garbage'), service.says('[{"severity":1},{"severity":1}]')]);
    await until('all is read', () => refused === 1_000);
    const mostLines = Math.floor((performance.now() - startMs) / 1000) + 2;
    expect(linesWith('alert message refused').length).toBeLessThanOrEqual(mostLines);
    const lines = linesWith('alert of the ML service refused');
    expect(lines.length).toBeLessThanOrEqual(mostLines);
    expect(lines[0]).toContain('no such stream');
  });
});
