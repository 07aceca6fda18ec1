import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** As much as is read from a client at a time. */
const CHUNK_BYTES = 16 * 1024;

/**
 * A bad network in front of a server on this machine: it can be cut, stand still, be away altogether, and let what clients send pass slowly. What it does not carry
 * waits in the kernel's buffers, as on a real line. (`SlowLink` slows down what the server sends.)
 */
export class FlakyLink {
  /** What clients send passes at this rate. `Infinity`: as fast as it goes. */
  uploadBitsPerSecond = Number.POSITIVE_INFINITY;
  /** How long everything takes, each way. For connections that begin from now on. */
  delayMs = 0;
  /** New connections are broken at once. */
  isAway = false;
  /** Connections that were taken so far. */
  accepted = 0;
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  #isStalled = false;
  #targetPort: number;

  static async open(targetPort: number): Promise<FlakyLink> {
    const link = new FlakyLink(targetPort);
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ highWaterMark: CHUNK_BYTES, noDelay: true }, (client) => {
      if (this.isAway) {
        client.on('error', () => undefined).destroy();
        return;
      }
      this.accepted += 1;
      const line = new Line(client, this.#targetPort, this.delayMs, () => this.uploadBitsPerSecond);
      this.#lines.add(line);
      client.once('close', () => this.#lines.delete(line));
      if (this.#isStalled) line.stall();
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are there now. */
  get connections(): number {
    return this.#lines.size;
  }

  /** From the next connection on. */
  leadTo(targetPort: number): void {
    this.#targetPort = targetPort;
  }

  /** Breaks every connection, in the middle of whatever it carries; new ones are taken. */
  cut(): void {
    for (const line of this.#lines) line.cut();
  }

  /** Carries nothing any more, either way, and breaks nothing. */
  stall(): void {
    this.#isStalled = true;
    for (const line of this.#lines) line.stall();
  }

  goOn(): void {
    this.#isStalled = false;
    for (const line of this.#lines) line.goOn();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}

/** One connection through the link. */
class Line {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #delayMs: number;
  readonly #bitsPerSecond: () => number;
  #timer: NodeJS.Timeout | undefined;
  /** Read from the client, and not passed on yet. */
  #chunk: Buffer | undefined;
  #isStalled = false;

  constructor(client: Socket, targetPort: number, delayMs: number, bitsPerSecond: () => number) {
    this.#client = client;
    this.#delayMs = delayMs;
    this.#bitsPerSecond = bitsPerSecond;
    this.#target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    client.on('data', (chunk) => this.#read(chunk));
    this.#target.on('data', (chunk) => this.#pass(chunk, client, this.#target));
    client.on('drain', () => this.#resume(this.#target));
    this.#target.on('drain', () => this.#resume(this.#client));
    for (const socket of [client, this.#target]) {
      socket.on('error', () => this.cut()).on('close', () => this.cut());
    }
  }

  cut(): void {
    clearTimeout(this.#timer);
    this.#client.destroy();
    this.#target.destroy();
  }

  stall(): void {
    this.#isStalled = true;
    clearTimeout(this.#timer);
    this.#client.pause();
    this.#target.pause();
  }

  goOn(): void {
    this.#isStalled = false;
    this.#resume(this.#target);
    if (this.#chunk === undefined) this.#resume(this.#client);
    else this.#forward();
  }

  #read(chunk: Buffer): void {
    this.#client.pause();
    this.#chunk = chunk;
    const passingMs = (chunk.length * 8_000) / this.#bitsPerSecond();
    if (passingMs < 1) this.#forward();
    else this.#timer = setTimeout(() => this.#forward(), passingMs);
  }

  #forward(): void {
    const chunk = this.#chunk;
    if (chunk === undefined || this.#isStalled) return;
    this.#chunk = undefined;
    this.#resume(this.#client);
    this.#pass(chunk, this.#target, this.#client);
  }

  #pass(chunk: Buffer, to: Socket, from: Socket): void {
    const write = () => {
      if (!to.destroyed && !to.write(chunk)) from.pause();
    };
    if (this.#delayMs === 0) write();
    else setTimeout(write, this.#delayMs);
  }

  #resume(socket: Socket): void {
    if (!this.#isStalled && (socket === this.#target || this.#chunk === undefined)) socket.resume();
  }
}
