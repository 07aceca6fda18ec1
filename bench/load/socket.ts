import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { clientFrame } from './client-frame.ts';
import { FrameReader, type MessageSink } from './frame-reader.ts';

const CONNECT_TIMEOUT_MS = 15_000;

/** One read takes up to this much. The buffer is shared by all sockets of a thread: a read is handled before the next one. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Why a connection could not be opened, in few words: it is a key under which such failures are counted. */
export class ConnectFailure extends Error {}

/** What the owner of a socket wants to know beside the messages. */
export interface SocketOwner extends MessageSink {
  /** The upgrade is through. Before the first message, which may have come in the same packet. */
  opened(socket: LoadSocket): void;
  /** The TCP connection is gone, whatever the reason. */
  gone(): void;
}

/**
 * A WebSocket client that hardly costs anything, since the load must not be what is measured: it reads into one buffer that is used again and
 * again, and never copies or decodes a payload.
 */
export class LoadSocket {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  /** What may be read now, for a slow viewer. */
  #allowanceBytes = Number.POSITIVE_INFINITY;
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #onHandshake: ((head: string) => void) | undefined;
  #handshake = '';

  private constructor(url: URL, owner: SocketOwner) {
    this.#reader = new FrameReader(owner);
    const options = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (url.protocol === 'wss:' ? 443 : 80),
      noDelay: true,
      onread: { buffer: readBuffer, callback: (bytes: number) => this.#read(bytes) },
    };
    this.#socket = url.protocol === 'wss:' ? connectTls({ ...options, servername: url.hostname }) : connect(options);
  }

  /**
   * Opens a WebSocket. `path` may hold a token; it stays out of every error.
   * @throws ConnectFailure `HTTP 401`, `ECONNREFUSED`, `timeout` …
   */
  static async open(url: URL, path: string, subprotocol: string | undefined, owner: SocketOwner): Promise<void> {
    const opened = new LoadSocket(url, owner);
    const socket = opened.#socket;
    const subprotocolLine = subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`;
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${subprotocolLine}` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => fail('timeout'), CONNECT_TIMEOUT_MS);
      function fail(reason: string): void {
        clearTimeout(timer);
        socket.destroy();
        reject(new ConnectFailure(reason));
      }
      const failed = (error: NodeJS.ErrnoException) => fail(error.code ?? error.message);
      const ended = () => fail('closed during the handshake');
      socket.once('error', failed).once('close', ended);
      opened.#onHandshake = (head) => {
        const status = /^HTTP\/1\.1 (\d+)/.exec(head)?.[1];
        if (status !== '101') return fail(`HTTP ${status ?? 'garbage'}`);
        clearTimeout(timer);
        // A reset shows as a close without a code.
        socket.off('error', failed).on('error', () => undefined);
        socket.off('close', ended).on('close', () => owner.gone());
        owner.opened(opened);
        resolve();
      };
    });
  }

  /** Bytes that wait in this process because the kernel takes no more. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Sends buffers in one write. They must stay as they are. */
  send(...buffers: readonly Buffer[]): void {
    if (this.#socket.destroyed) return;
    this.#socket.cork();
    for (const buffer of buffers) this.#socket.write(buffer);
    this.#socket.uncork();
  }

  pong(payload: Buffer): void {
    this.send(clientFrame('pong', payload));
  }

  /** Reads nothing any more. */
  stall(): void {
    this.#socket.pause();
  }

  /** Reads so much on average. To be followed by `allow`, a few times a second. */
  slowDown(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#allowanceBytes = 0;
  }

  /** Time has passed: a slow reader may read again. */
  allow(elapsedMs: number): void {
    this.#allowanceBytes = Math.min(
      this.#allowanceBytes + (elapsedMs / 1000) * this.#bytesPerSecond,
      this.#bytesPerSecond,
    );
    if (this.#allowanceBytes > 0) this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** False stops reading. */
  #read(bytes: number): boolean {
    const chunk = readBuffer.subarray(0, bytes);
    if (this.#onHandshake !== undefined) this.#readHandshake(chunk);
    else this.#reader.read(chunk);
    this.#allowanceBytes -= bytes;
    return this.#allowanceBytes > 0;
  }

  #readHandshake(chunk: Buffer): void {
    this.#handshake += chunk.toString('latin1');
    const end = this.#handshake.indexOf('\r\n\r\n');
    if (end < 0) return;
    const rest = Buffer.from(this.#handshake.slice(end + 4), 'latin1');
    this.#onHandshake?.(this.#handshake.slice(0, end));
    this.#onHandshake = undefined;
    this.#handshake = '';
    if (rest.length > 0) this.#reader.read(rest);
  }
}
