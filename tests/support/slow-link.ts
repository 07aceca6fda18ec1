import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** As much as is read at a time, and so all that the link itself holds. */
const CHUNK_BYTES = 2 * 1024;
/** Woken late by a busy machine, the line catches up on this much. */
const MAX_LATE_MS = 200;

/**
 * A slow line to a server on this machine: what the server sends passes at `bitsPerSecond`, what its clients send as it comes. The link holds one
 * chunk. The rest waits where it does on a real line: in the kernel's buffers on both sides of the connection, and in the server.
 */
export class SlowLink {
  /** May be changed at any time. `Infinity`: as fast as it goes. */
  bitsPerSecond: number;
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  #forwarded = 0;

  static async open(targetPort: number, bitsPerSecond: number): Promise<SlowLink> {
    const link = new SlowLink(targetPort, bitsPerSecond);
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  private constructor(targetPort: number, bitsPerSecond: number) {
    this.bitsPerSecond = bitsPerSecond;
    this.#server = createServer({ highWaterMark: CHUNK_BYTES, noDelay: true }, (client) => {
      const line = new Line(client, targetPort, {
        bitsPerSecond: () => this.bitsPerSecond,
        forwarded: (bytes) => {
          this.#forwarded += bytes;
        },
      });
      this.#lines.add(line);
      client.once('close', () => this.#lines.delete(line));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes that went to clients so far, those of earlier connections included. */
  get forwardedBytes(): number {
    return this.#forwarded;
  }

  /** Breaks every connection, in the middle of whatever it carries; new ones are taken. */
  cut(): void {
    for (const line of this.#lines) line.cut();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}

interface LineParts {
  bitsPerSecond: () => number;
  forwarded: (bytes: number) => void;
}

/** One connection through the link. */
class Line {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #parts: LineParts;
  /** When the last bit of what was read so far has passed. */
  #freeMs = 0;
  /** The line has been free since, with nothing to carry. */
  #isIdle = true;
  #timer: NodeJS.Timeout | undefined;
  #idleCheck: NodeJS.Immediate | undefined;

  constructor(client: Socket, targetPort: number, parts: LineParts) {
    this.#client = client;
    this.#parts = parts;
    this.#target = connect({
      port: targetPort,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: Buffer.allocUnsafe(CHUNK_BYTES), callback: (bytes, buffer) => this.#read(bytes, buffer) },
    });
    client.pipe(this.#target);
    this.#target.on('end', () => client.end());
    for (const socket of [client, this.#target]) socket.on('error', () => this.cut()).on('close', () => this.cut());
  }

  cut(): void {
    clearTimeout(this.#timer);
    this.#client.destroy();
    this.#target.destroy();
  }

  /** Answers false: nothing more is read before this has passed. */
  #read(bytes: number, buffer: Uint8Array): false {
    const chunk = Buffer.from(buffer.subarray(0, bytes));
    const nowMs = performance.now();
    const fromMs = Math.max(this.#freeMs, this.#isIdle ? nowMs : nowMs - MAX_LATE_MS);
    this.#isIdle = false;
    clearImmediate(this.#idleCheck);
    this.#freeMs = fromMs + (bytes * 8_000) / this.#parts.bitsPerSecond();
    const waitMs = this.#freeMs - nowMs;
    if (waitMs > 0) this.#timer = setTimeout(() => this.#forward(chunk), waitMs);
    else setImmediate(() => this.#forward(chunk));
    return false;
  }

  #forward(chunk: Buffer): void {
    if (this.#client.destroyed) return;
    this.#parts.forwarded(chunk.length);
    if (this.#client.write(chunk)) this.#resume();
    else this.#client.once('drain', () => this.#resume());
  }

  #resume(): void {
    this.#target.resume();
    // What was waiting is read in this turn of the event loop, however long that takes on a busy machine.
    this.#idleCheck = setImmediate(() => {
      this.#isIdle = true;
    });
  }
}
