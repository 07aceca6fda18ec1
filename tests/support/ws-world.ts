import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { SampledFrame } from '../../src/ml/transport.ts';
import { createWsTransport, type WsTransportParts } from '../../src/ml/ws-transport.ts';
import { until } from './until.ts';

export const TOKEN = 'the-token-of-the-ws-service';

/** A real WebSocket server in the place of an ML service. `sockets`: every connection it ever had. */
export class Service {
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
export function transportTo(port: number, parts: Partial<WsTransportParts> = {}) {
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
export async function connectedPair(parts: Partial<WsTransportParts> = {}, options: ServerOptions = {}) {
  const service = await Service.start(options);
  const link = transportTo(service.port, parts);
  await link.connected();
  return { service, ...link };
}

export function frameOf(streamId: string, data: Buffer, seq = 1): SampledFrame {
  return { streamId, timestamp: 1_729_943_200_123.5, seq, data };
}

export const alertOn = (streamId: string) => ({
  type: 'alert',
  streamId,
  severity: 'high',
  message: 'Person',
  timestamp: 5,
});
