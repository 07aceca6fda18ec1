import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/**
 * A WebSocket client that hardly costs anything: it counts the bytes it gets and looks at none of them. The load must not be
 * what is measured.
 */
export async function openRawSocket(port: number, path: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', resolve);
  });
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await new Promise<void>((resolve, reject) => {
    socket.once('data', (head) => {
      if (head.toString('latin1').startsWith('HTTP/1.1 101')) resolve();
      else reject(new Error(head.toString('latin1').split('\r\n')[0]));
    });
  });
  return socket;
}

/** One binary WebSocket message as a client sends it. The mask is zero, so that masking costs nothing here; a server unmasks it all the same. */
export function clientMessage(payload: Uint8Array): Buffer {
  const length = payload.length;
  const header = length < 126 ? Buffer.alloc(2 + 4) : length < 65_536 ? Buffer.alloc(4 + 4) : Buffer.alloc(10 + 4);
  header[0] = 0x82;
  if (length < 126) header[1] = 0x80 | length;
  else if (length < 65_536) {
    header[1] = 0x80 | 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 0x80 | 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, payload]);
}
