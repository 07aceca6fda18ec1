import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { announce, MAX_MESSAGE_BYTES } from './relay.ts';

/** A Socket.IO server: an event `frame` of an encoder goes to the room of its stream. WebSocket alone, no compression. */

const http = createServer((_request, response) => response.writeHead(404).end());
const io = new Server(http, {
  transports: ['websocket'],
  maxHttpBufferSize: MAX_MESSAGE_BYTES,
  perMessageDeflate: false,
});
io.on('connection', (socket) => {
  const { role, stream } = socket.handshake.query;
  if (typeof stream !== 'string') return socket.disconnect(true);
  if (role === 'viewer') return socket.join(stream);
  socket.on('frame', (picture: Buffer) => io.to(stream).emit('frame', picture));
});
http.listen(0, '127.0.0.1', () => announce((http.address() as AddressInfo).port));
