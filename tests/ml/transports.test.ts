import { describe, expect, onTestFinished, test } from 'vitest';
import { MAX_ALERTS_PER_MESSAGE } from '../../src/ml/alert-message.ts';
import type { SampledFrame } from '../../src/ml/transport.ts';
import { hasRedisServer } from '../support/private-redis.ts';
import {
  httpPlace,
  openTransport,
  type Protocol,
  redisPlace,
  type TransportPlace,
  webSocketPlace,
} from '../support/transport-places.ts';
import { until } from '../support/until.ts';

const MIB = 1024 * 1024;
const everyByte = Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte));

function frame(seq: number, data: Uint8Array = everyByte, streamId = 'door'): SampledFrame {
  return { streamId, timestamp: 1_729_943_200_123.5 + seq, seq, data };
}

const alertText = (message: string) => JSON.stringify({ alert: { streamId: 'door', severity: 'high', message } });

/** A service, the router's way to it, and the ways a test speaks of both. */
async function worldOf(open: () => Promise<TransportPlace>, protocol: Protocol, timeoutMs?: number) {
  const place = await open();
  onTestFinished(() => place.stop());
  const { transport, alerts, lines } = await openTransport(place, protocol, timeoutMs);
  onTestFinished(() => transport.close());
  const heard: string[] = [];
  /** Sends frames. False: the service could not be asked. */
  const sends = async (...frames: SampledFrame[]) => {
    try {
      // As the feed does: never more than the transport asks for at once.
      for (let at = 0; at < frames.length; at += transport.batchSize()) {
        alerts.push(...(await transport.analyze(frames.slice(at, at + transport.batchSize()))));
      }
      return true;
    } catch {
      return false;
    }
  };
  const messages = () => {
    heard.push(...alerts.splice(0).map((alert) => String((alert as { message: unknown }).message)));
    return heard;
  };
  let seq = 1_000;
  /** Frames go by until `condition` holds. */
  const until_ = (what: string, condition: () => boolean) =>
    until(what, async () => {
      seq += 1;
      await sends(frame(seq, everyByte, 'passing'));
      return condition();
    });
  /** The service says it, again and again, until it is heard: a queue forgets what is said while nobody listens. */
  const saysUntilHeard = async (text: string, message: string) => {
    await until_(`it hears ${message}`, () => {
      if (messages().includes(message)) return true;
      place.say(text);
      return false;
    });
  };
  await until_('the service is reached', () => place.frames.length > 0);
  return { place, transport, lines, sends, messages, until: until_, saysUntilHeard };
}

const places: { name: string; open: () => Promise<TransportPlace> }[] = [
  { name: 'HTTP', open: httpPlace },
  { name: 'a WebSocket', open: webSocketPlace },
  ...(hasRedisServer() ? [{ name: 'Redis', open: redisPlace }] : []),
];
const forms = places.flatMap((place) => [
  { ...place, protocol: 'batch' as const },
  { ...place, protocol: 'single' as const },
]);

describe.each(forms)('over $name, $protocol', ({ open, protocol }) => {
  test('frames arrive bit for bit, each with its stream and time, in order', async () => {
    const { place, sends } = await worldOf(open, protocol);
    const pictures = [everyByte, Buffer.from([0xff, 0xd8]), Buffer.alloc(300_000, 0x5a)];
    const sent = pictures.map((data, index) => frame(index + 1, data, `s${index % 2}`));
    expect(await sends(...sent)).toBe(true);
    const got = () => place.frames.filter(({ streamId }) => streamId !== 'passing');
    await until('all are there', () => got().length === sent.length);
    // Single requests of one call may overtake each other; a stream never has two of them under way.
    const byTime = got().sort((one, other) => one.timestamp - other.timestamp);
    for (const [index, { streamId, timestamp, seq, jpeg }] of byTime.entries()) {
      expect({ streamId, timestamp }).toEqual({ streamId: sent[index]?.streamId, timestamp: sent[index]?.timestamp });
      expect(seq).toBe(protocol === 'batch' ? sent[index]?.seq : undefined);
      expect(jpeg.equals(pictures[index] as Buffer)).toBe(true);
    }
  });

  test('the memory of a frame may be written again as soon as it was taken', async () => {
    const { place, sends } = await worldOf(open, protocol);
    const memory = Buffer.alloc(100_000, 1);
    for (const value of [1, 2, 3, 4]) {
      memory.fill(value);
      expect(await sends(frame(value, memory, 'reused'))).toBe(true);
    }
    memory.fill(0);
    const got = () => place.frames.filter(({ streamId }) => streamId === 'reused');
    await until('all are there', () => got().length === 4);
    expect(got().map(({ jpeg }) => [...new Set(jpeg)])).toEqual([[1], [2], [3], [4]]);
  });

  test('an alert of the service is heard', async () => {
    const { saysUntilHeard } = await worldOf(open, protocol);
    await saysUntilHeard(alertText('Person é'), 'Person é');
  });

  test.each([
    ['no JSON', 'garbage'],
    ['half a JSON', '{"alert":'],
    ['nothing', ''],
    ['bytes of no format', Uint8Array.of(0xc1, 0xff, 0x00)],
    ['a number', '42'],
    ['more nesting than a stack holds', '['.repeat(200_000)],
    ['5 MiB', `{"alert":{"message":"${'x'.repeat(5 * MIB)}"}}`],
  ])('%s from the service costs that message alone', async (_name, message) => {
    const { place, messages, sends, saysUntilHeard } = await worldOf(open, protocol);
    place.say(message);
    await sends(frame(1));
    await saysUntilHeard(alertText('afterwards'), 'afterwards');
    expect(messages().filter((text) => text !== 'afterwards')).toEqual([]);
  });

  test('a message of more alerts than anybody can mean is cut short, and nothing else is lost', async () => {
    const { place, messages, sends, saysUntilHeard } = await worldOf(open, protocol);
    const alerts = Array.from({ length: MAX_ALERTS_PER_MESSAGE + 500 }, (_, index) => ({
      message: `many ${index}`,
      severity: 'low',
    }));
    place.say(JSON.stringify({ alerts }));
    await sends(frame(1));
    await saysUntilHeard(alertText('afterwards'), 'afterwards');
    expect(messages().filter((text) => text.startsWith('many'))).toHaveLength(MAX_ALERTS_PER_MESSAGE);
  });

  test('a service that goes away is said to be away at once, and is found again when it is back', async () => {
    const { place, transport, sends, until: untilFrames, saysUntilHeard } = await worldOf(open, protocol);
    await until('it is shown to be there', () => transport.isConnected);
    await place.stop();
    await until('it is noticed', async () => !(await sends(frame(1))));
    if (transport.reconnects) await until('it is shown', () => !transport.isConnected);
    const began = performance.now();
    expect(await sends(frame(2))).toBe(false);
    expect(performance.now() - began).toBeLessThan(1_000);
    const before = place.frames.length;
    await place.start();
    await untilFrames('frames flow again', () => place.frames.length > before);
    await saysUntilHeard(alertText('back'), 'back');
    expect(transport.isConnected).toBe(true);
  });

  test('it ends within a second, with a service and without one', async () => {
    for (const isThere of [true, false]) {
      const { place, transport } = await worldOf(open, protocol);
      if (!isThere) await place.stop();
      const began = performance.now();
      await transport.close();
      expect(performance.now() - began).toBeLessThan(1_000);
    }
  });

  test('no line of the log holds the token', async () => {
    const { place, lines, sends } = await worldOf(open, protocol);
    place.say('{"error":"the-token-of-the-service is wrong"}');
    await sends(frame(1));
    await place.stop();
    await until('it is noticed', async () => !(await sends(frame(2))));
    expect(lines.join('\n')).not.toContain('the-token-of-the-service');
  });
});
