import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decode } from '@msgpack/msgpack';
import { createClient } from '@redis/client';
import { WebSocketServer } from 'ws';
import { createTransport } from '../../src/ml/create-transport.ts';
import type { MlTransport } from '../../src/ml/transport.ts';
import type { TestMessage } from './client.ts';
import { makePrivateRedis } from './private-redis.ts';

/** A frame as a service got it. */
interface GotFrame {
  streamId: string;
  timestamp: number;
  /** Undefined where the original contract has no place for it. */
  seq: number | undefined;
  jpeg: Buffer;
}

/** An ML service in a place of its own, which a test may take away and bring back at the same address. */
export interface TransportPlace {
  kind: 'http' | 'ws' | 'redis';
  url: string;
  frames: GotFrame[];
  /** What it answers from now on, or says at once: text or bytes, as they are. */
  say(message: string | Uint8Array): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export type Protocol = 'batch' | 'single';

/** Says nothing. Answers what `say` was given last, once. */
export async function httpPlace(): Promise<TransportPlace> {
  const frames: GotFrame[] = [];
  let waiting: string | Uint8Array | undefined;
  let server: Server | undefined;
  let port = 0;
  const place: TransportPlace = {
    kind: 'http',
    url: '',
    frames,
    say: (message) => {
      waiting = message;
    },
    async start() {
      server = createServer(async (request, response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk);
        frames.push(...framesIn(Buffer.concat(chunks), request.headers['content-type'] === 'application/msgpack'));
        response.setHeader('content-type', typeof waiting === 'string' ? 'application/json' : 'application/msgpack');
        response.end(waiting ?? '');
        waiting = undefined;
      });
      await once(server.listen(port, '127.0.0.1'), 'listening');
      ({ port } = server.address() as AddressInfo);
      place.url = `http://127.0.0.1:${port}`;
    },
    async stop() {
      server?.closeAllConnections();
      if (server?.listening) await new Promise((resolve) => server?.close(resolve));
    },
  };
  await place.start();
  return place;
}

export async function webSocketPlace(): Promise<TransportPlace> {
  const frames: GotFrame[] = [];
  let server: WebSocketServer | undefined;
  let port = 0;
  const place: TransportPlace = {
    kind: 'ws',
    url: '',
    frames,
    say: (message) => {
      for (const socket of server?.clients ?? []) socket.send(message);
    },
    async start() {
      server = new WebSocketServer({ port, host: '127.0.0.1', maxPayload: 64 * 1024 * 1024 });
      server.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.on('message', (data: Buffer, isBinary) => void frames.push(...framesIn(data, isBinary)));
      });
      await once(server, 'listening');
      ({ port } = server.address() as AddressInfo);
      place.url = `ws://127.0.0.1:${port}`;
    },
    async stop() {
      for (const socket of server?.clients ?? []) socket.terminate();
      await new Promise((resolve) => server?.close(resolve));
    },
  };
  await place.start();
  return place;
}

export async function redisPlace(): Promise<TransportPlace> {
  const redis = await makePrivateRedis();
  const frames: GotFrame[] = [];
  const connect = async () => {
    const receiver = createClient({ url: redis.url }).on('error', () => undefined);
    const sender = createClient({ url: redis.url }).on('error', () => undefined);
    await Promise.all([receiver.connect(), sender.connect()]);
    const take = (message: Buffer) => void frames.push(...framesIn(message, message[0] !== 0x7b));
    await receiver.subscribe('video-frames', take, true);
    return { receiver, sender };
  };
  let clients: Awaited<ReturnType<typeof connect>> | undefined;
  const place: TransportPlace = {
    kind: 'redis',
    url: redis.url,
    frames,
    say: (message) =>
      void clients?.sender
        .publish('ml-alerts', typeof message === 'string' ? message : Buffer.from(message))
        // It was stopped meanwhile.
        .catch(() => undefined),
    async start() {
      await redis.start();
      clients = await connect();
    },
    async stop() {
      clients?.receiver.destroy();
      clients?.sender.destroy();
      await redis.stop();
    },
  };
  await place.start();
  return place;
}

/** The router's way to that place, with what it answers and says. */
export async function openTransport(place: TransportPlace, protocol: Protocol, timeoutMs = 2_000) {
  const alerts: unknown[] = [];
  const lines: string[] = [];
  const transport: MlTransport = await createTransport(place, {
    token: 'the-token-of-the-service',
    protocol,
    batchSize: 16,
    maxInFlight: 4,
    timeoutMs,
    clock: { epochMs: () => Date.now(), monotonicMs: () => performance.now() },
    log: (_level, facts, message) => void lines.push(`${message} ${JSON.stringify(facts)}`),
    after: (delayMs, action) => {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
    random: () => 0.1,
    onAlert: (alert) => void alerts.push(alert),
  });
  return { transport, alerts, lines };
}

/** A batch, a frame of it, or one the original way. */
function framesIn(message: Buffer, isMsgpack: boolean): GotFrame[] {
  const body = (isMsgpack ? decode(message) : JSON.parse(message.toString())) as TestMessage;
  const list: TestMessage[] = body['frames'] ?? [body];
  return list.map((frame) => ({
    streamId: frame['streamId'],
    timestamp: frame['timestamp'],
    seq: frame['seq'],
    jpeg: isMsgpack ? Buffer.from(frame['data']) : Buffer.from(frame['frame'], 'base64'),
  }));
}
