import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { StartError } from './start-error.ts';

/** `LIBUS_LISTEN_EXCLUSIVE_PORT`: the package exports it as a value, but types it as none. */
const LIBUS_LISTEN_EXCLUSIVE_PORT = 1;
/** The overload with an address and options, which the types leave out. */
type Listen = (host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void) => void;

/** Rejects with a StartError when the port is taken. `port` 0: any free one. */
export function listen(app: TemplatedApp, host: string, port: number): Promise<us_listen_socket> {
  const listenOn = app.listen.bind(app) as unknown as Listen;
  return new Promise((resolve, reject) => {
    // Exclusive: by default a second process may share the port, and would quietly take half of the connections.
    listenOn(host, port, LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
      if (socket) return resolve(socket);
      const why = 'the port is taken, or the address is not this machine’s';
      reject(new StartError(`cannot listen on ${host}:${port}: ${why}`));
    });
  });
}
