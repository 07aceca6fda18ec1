import { decode, encode } from '@msgpack/msgpack';
import WebSocket from 'ws';
import { readWalk, WALK_FPS } from './walk.ts';

/** Over this much waiting in the socket the camera skips frames: a new one is worth more than a late one. */
const MAX_BUFFERED_BYTES = 256 * 1024;
const RECONNECT_MS = 1_000;

export interface Camera {
  stop(): void;
}

/**
 * Plays the walk in a loop, as every encoder does: registers `streamId` at `routerUrl` (`ws://…`) and sends MessagePack frames.
 * Connects again when the connection is lost.
 */
export function startCamera(routerUrl: string, token: string, streamId: string): Camera {
  const frames = readWalk();
  let next = 0;
  let stopped = false;
  let socket: WebSocket | undefined;
  let timer: NodeJS.Timeout | undefined;

  function connect(): void {
    socket = new WebSocket(`${routerUrl}/streams/register`, 'watchout.v1.msgpack', {
      headers: { authorization: `Bearer ${token}` },
    });
    const ws = socket;
    ws.on('open', () => {
      const metadata = { deviceName: 'Demo camera', resolution: '768x576', fps: WALK_FPS };
      ws.send(encode({ type: 'register', clientType: 'mobile', streamId, produces: ['video-frame'], metadata }));
    });
    ws.on('message', (data: Buffer) => {
      const message = decode(data) as { type: string };
      if (message.type === 'success') timer = setInterval(() => sendFrame(ws), 1000 / WALK_FPS);
    });
    ws.on('error', () => ws.terminate());
    ws.on('close', () => {
      clearInterval(timer);
      if (!stopped) timer = setTimeout(connect, RECONNECT_MS);
    });
  }

  function sendFrame(ws: WebSocket): void {
    const data = frames[next % frames.length];
    next += 1;
    if (ws.bufferedAmount > MAX_BUFFERED_BYTES) return;
    ws.send(encode({ type: 'video-frame', streamId, data, timestamp: Date.now() }));
  }

  connect();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
      socket?.terminate();
    },
  };
}
