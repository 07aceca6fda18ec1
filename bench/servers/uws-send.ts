import { App, us_socket_local_port, type WebSocket } from 'uWebSockets.js';
import { announce, MAX_BACKPRESSURE_BYTES, MAX_MESSAGE_BYTES, Rooms } from './relay.ts';

/** The least that a fan-out by single sends can do: what arrives on `/pub/<stream>` is sent to each of `/sub/<stream>`. Nothing is checked. */

interface Watched {
  stream: string;
}

const app = App();
const rooms = new Rooms<WebSocket<Watched>>();
const behavior = { maxPayloadLength: MAX_MESSAGE_BYTES, maxBackpressure: MAX_BACKPRESSURE_BYTES, idleTimeout: 120 };
app.ws<Watched>('/sub/:stream', {
  ...behavior,
  upgrade: (res, req, context) => upgrade(res, req, context),
  open: (ws) => void rooms.of(ws.getUserData().stream).add(ws),
  close: (ws) => void rooms.of(ws.getUserData().stream).delete(ws),
});
app.ws<Watched>('/pub/:stream', {
  ...behavior,
  upgrade: (res, req, context) => upgrade(res, req, context),
  message: (ws, message, isBinary) => {
    for (const viewer of rooms.of(ws.getUserData().stream)) viewer.send(message, isBinary);
  },
});
app.listen('127.0.0.1', 0, (socket) => {
  if (socket) announce(us_socket_local_port(socket));
});

type Upgrade = NonNullable<Parameters<typeof app.ws<Watched>>[1]['upgrade']>;

function upgrade(...[res, req, context]: Parameters<Upgrade>): void {
  res.upgrade({ stream: req.getParameter(0) ?? '' }, req.getHeader('sec-websocket-key'), '', '', context);
}
