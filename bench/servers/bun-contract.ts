import { announce } from './relay.ts';

/**
 * A router for Bun as the original contract describes it: JSON with base64 in and out, one parse per message, one text per
 * broadcast, one send per viewer. Any token is good here: sessions are no part of what is compared.
 */

type Channel = 'video-frame' | 'alert';

interface Message {
  type: string;
  streamId?: string;
  produces?: Channel[];
  consumes?: Channel[];
}

interface ClientData {
  role: 'mobile' | 'dashboard';
}

/** The little of Bun that this server uses. */
interface BunSocket {
  readonly data: ClientData;
  send(text: string): number;
}
interface BunServer {
  readonly port: number;
  upgrade(request: Request, options: { data: ClientData }): boolean;
}
declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: BunServer): Response | undefined;
    websocket: {
      maxPayloadLength: number;
      message(socket: BunSocket, message: string | Uint8Array): void;
      close(socket: BunSocket): void;
    };
  }): BunServer;
};

const consumers: Record<Channel, Map<string, Set<BunSocket>>> = { 'video-frame': new Map(), alert: new Map() };

function consume(socket: BunSocket, streamId: string, channels: readonly Channel[]): void {
  for (const channel of channels) {
    const room = consumers[channel].get(streamId) ?? new Set();
    room.add(socket);
    consumers[channel].set(streamId, room);
  }
}

function broadcast(channel: Channel, streamId: string, message: Message): void {
  const room = consumers[channel].get(streamId);
  if (room === undefined || room.size === 0) return;
  const text = JSON.stringify(message);
  for (const socket of room) socket.send(text);
}

function answer(socket: BunSocket, fields: object): void {
  socket.send(JSON.stringify({ ...fields, timestamp: Date.now() }));
}

function handle(socket: BunSocket, message: Message): void {
  const streamId = message.streamId ?? `stream_${Date.now()}_${Math.random().toString(36).slice(2, 11)}`;
  switch (message.type) {
    case 'register':
      consume(
        socket,
        streamId,
        (message.consumes ?? []).filter((channel) => channel === 'alert'),
      );
      answer(socket, { type: 'success', message: `Registration successful. Stream ID: ${streamId}` });
      break;
    case 'subscribe':
      consume(socket, streamId, message.consumes ?? ['video-frame', 'alert']);
      answer(socket, { type: 'success', message: 'Subscription successful' });
      break;
    case 'video-frame':
    case 'alert':
      broadcast(message.type, streamId, message);
      break;
    default:
      answer(socket, { type: 'error', code: 'UNKNOWN_MESSAGE_TYPE', message: `Unknown type ${message.type}` });
  }
}

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, bun) {
    const { pathname, searchParams } = new URL(request.url);
    if (!searchParams.get('token')) return new Response('Unauthorized', { status: 401 });
    const role = pathname === '/streams/register' ? 'mobile' : 'dashboard';
    return bun.upgrade(request, { data: { role } }) ? undefined : new Response('Upgrade failed', { status: 400 });
  },
  websocket: {
    maxPayloadLength: 16 * 1024 * 1024,
    message(socket, text) {
      try {
        handle(socket, JSON.parse(String(text)) as Message);
      } catch {
        answer(socket, { type: 'error', code: 'INVALID_MESSAGE', message: 'Invalid message format' });
      }
    },
    close(socket) {
      for (const rooms of Object.values(consumers)) for (const room of rooms.values()) room.delete(socket);
    },
  },
});
announce(server.port);
