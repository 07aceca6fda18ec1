import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { decode } from '@msgpack/msgpack';
import { createClient } from '@redis/client';
import { createRedisTransport, type RedisTransportParts } from '../../src/ml/redis-transport.ts';
import type { MlTransport, SampledFrame } from '../../src/ml/transport.ts';
import { makePrivateRedis, type PrivateRedis } from './private-redis.ts';
import { until } from './until.ts';

const FRAMES = 'video-frames';
const ALERTS = 'ml-alerts';
export const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const clock = { epochMs: () => Date.now(), monotonicMs: () => performance.now() };
export const alertOn = (streamId: string) => ({
  type: 'alert',
  streamId,
  severity: 'high',
  message: 'Person é',
  timestamp: 7,
});

const opened: (() => unknown)[] = [];

/** Closes what a test opened, the newest first. */
export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

export interface World {
  transport: MlTransport;
  alerts: unknown[];
  lines: { level: string; text: string }[];
  linesWith(part: string): string[];
}

/** The router's side. */
export function openTransport(url: string, parts: Partial<RedisTransportParts> = {}): World {
  const alerts: unknown[] = [];
  const lines: World['lines'] = [];
  const log: RedisTransportParts['log'] = (level, facts, message) =>
    lines.push({ level, text: `${message} ${JSON.stringify(facts)}` });
  const onAlert = (alert: unknown) => alerts.push(alert);
  const base = { url, batchSize: 16, timeoutMs: 2_000, log, clock, onAlert, form: 'binary' as const };
  const transport = createRedisTransport({ ...base, ...parts });
  opened.push(() => transport.close());
  const linesWith = (part: string) => lines.map(({ text }) => text).filter((text) => text.includes(part));
  return { transport, alerts, lines, linesWith };
}

export async function startRedis(...options: string[]): Promise<PrivateRedis> {
  const redis = await makeRedis(...options);
  await redis.start();
  return redis;
}

/** One that is not started yet. */
export async function makeRedis(...options: string[]): Promise<PrivateRedis> {
  const redis = await makePrivateRedis(...options);
  opened.push(() => redis.remove());
  return redis;
}

/** The ML service's side: connections of its own, by the library as it comes. */
export async function openService(url: string) {
  const frames: Buffer[] = [];
  const sender = createClient({ url }).on('error', () => undefined);
  const receiver = createClient({ url }).on('error', () => undefined);
  opened.push(() => [sender.destroy(), receiver.destroy()]);
  await Promise.all([sender.connect(), receiver.connect()]);
  await receiver.subscribe(FRAMES, (message) => frames.push(message), true);
  const says = (message: string | Uint8Array) =>
    sender.publish(ALERTS, typeof message === 'string' ? message : Buffer.from(message));
  /** Says it until the router hears it. */
  const saysHeard = (message: string | Uint8Array) =>
    until('the router listens', async () => (await says(message)) === 1);
  const administer = (...words: string[]) => sender.sendCommand(words);
  return { frames, says, saysHeard, administer };
}

export const isSent = (transport: MlTransport, ...frames: SampledFrame[]) =>
  transport.analyze(frames).then(
    () => true,
    () => false,
  );

export const sends = (transport: MlTransport, ...frames: SampledFrame[]) =>
  until('the router reaches Redis', () => isSent(transport, ...frames));

export function frame(seq: number, data: Uint8Array = everyByte, streamId = 's1'): SampledFrame {
  return { streamId, timestamp: 1_729_943_200_123.5 + seq, seq, data };
}

export const refusalOf = (transport: MlTransport, ...frames: SampledFrame[]) =>
  transport.analyze(frames).then(
    () => 'sent',
    (error: Error) => error.message,
  );

export function seqOf(message: Buffer): number {
  return (decode(message) as unknown as SampledFrame).seq;
}

/** A server that is not Redis: what it does with each connection is given. Its connections are counted. */
export async function openServer(onConnection: (socket: Socket) => void) {
  const state = { connections: 0, open: 0 };
  const server = createServer((socket) => {
    state.connections += 1;
    state.open += 1;
    socket
      .on('error', () => undefined)
      .on('close', () => {
        state.open -= 1;
      });
    socket.resume();
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  opened.push(() => server.close());
  return { state, url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
