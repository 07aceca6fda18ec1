import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { announce, doorOf, MAX_MESSAGE_BYTES, Rooms } from './relay.ts';

/** A broadcast as the documentation of `ws` shows it: what arrives on `/pub/<stream>` is sent to each of `/sub/<stream>`. */

const rooms = new Rooms<WebSocket>();
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  maxPayload: MAX_MESSAGE_BYTES,
  perMessageDeflate: false,
});
server.on('connection', (socket, request) => {
  const door = doorOf(request.url ?? '');
  if (door === undefined) return socket.close(1008);
  const room = rooms.of(door.stream);
  socket.on('error', () => socket.terminate());
  if (!door.isEncoder) {
    room.add(socket);
    socket.on('close', () => room.delete(socket));
    return;
  }
  socket.on('message', (data, isBinary) => {
    for (const viewer of room) if (viewer.readyState === viewer.OPEN) viewer.send(data, { binary: isBinary });
  });
});
server.on('listening', () => announce((server.address() as AddressInfo).port));
