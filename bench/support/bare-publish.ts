import { App, us_socket_local_port } from 'uWebSockets.js';

/** The least that a fan-out can do: what arrives on `/pub` is published to everybody on `/sub`. Nothing is checked. */
const app = App();
const behavior = { maxPayloadLength: 32 * 1024 * 1024, maxBackpressure: 1024 * 1024, idleTimeout: 120 };
app.ws('/sub', { ...behavior, open: (ws) => void ws.subscribe('frames') });
app.ws('/pub', { ...behavior, message: (_ws, message, isBinary) => void app.publish('frames', message, isBinary) });
app.listen('127.0.0.1', 0, (socket) => {
  if (socket) process.stdout.write(`{"port":${us_socket_local_port(socket)},"msg":"listening"}\n`);
});
process.on('disconnect', () => process.exit(0));
