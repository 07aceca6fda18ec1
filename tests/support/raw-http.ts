import { connect, type Socket } from 'node:net';
import { noteSecretsOf } from './evidence.ts';

export interface RawRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * One HTTP request over a socket of its own, written and read by hand: so a test can stop reading where a client library would read on, send half a body, and see just
 * what came. The body is taken out of its chunks as it comes.
 */
export class RawHttp {
  readonly socket: Socket;
  /** Of the answer; 0 while there is none. */
  status = 0;
  readonly headers = new Map<string, string>();
  /** The last chunk has come, or as many bytes as were announced. */
  isComplete = false;
  /** The connection is closed. */
  isClosed = false;
  #pending: Buffer = Buffer.alloc(0);
  #body: Buffer[] = [];
  #bodyBytes = 0;
  /** Bytes of the chunk that are still to come, its line break included; undefined between chunks. */
  #chunkLeft: number | undefined;
  readonly #onBody: ((bytes: Buffer) => void) | undefined;
  #wake: (() => void)[] = [];

  /** `onBody` takes the body as it comes; without it all of it is kept. */
  constructor(
    port: number,
    path: string,
    { method = 'GET', headers = {}, body }: RawRequest = {},
    onBody?: (bytes: Buffer) => void,
  ) {
    noteSecretsOf(path, headers);
    this.#onBody = onBody;
    this.socket = connect(port, '127.0.0.1');
    const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1'];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    if (body !== undefined) lines.push(`content-length: ${body.length}`);
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    if (body !== undefined) this.socket.write(body);
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes: Buffer) => this.#came(bytes));
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#notify();
    });
  }

  /** What has come of the body, unless somebody else takes it. */
  get body(): Buffer {
    return Buffer.concat(this.#body);
  }

  get text(): string {
    return this.body.toString('utf8');
  }

  /** Of `{error: {code}}`. */
  get code(): string | undefined {
    return (JSON.parse(this.text) as { error?: { code: string } }).error?.code;
  }

  /** One chunk of a body whose request says `transfer-encoding: chunked`. An empty one ends it. */
  sendChunk(bytes: Uint8Array | string): void {
    const chunk = Buffer.from(bytes);
    this.socket.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]));
  }

  /** Waits until `condition` holds; fails with `what` when the connection is closed before, or it takes too long. */
  async until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      if (this.isClosed) throw new Error(`closed before: ${what}; status ${this.status}, ${this.text.slice(0, 200)}`);
      if (performance.now() > deadline) throw new Error(`never: ${what}; status ${this.status}`);
      const moved = new Promise<void>((resolve) => this.#wake.push(resolve));
      await Promise.race([moved, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
  }

  /** The whole answer. */
  async answer(timeoutMs?: number): Promise<this> {
    await this.until('a whole answer', () => this.isComplete, timeoutMs);
    return this;
  }

  async closed(timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.isClosed) {
      if (performance.now() > deadline) throw new Error('never closed');
      const moved = new Promise<void>((resolve) => this.#wake.push(resolve));
      await Promise.race([moved, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  #came(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    if (this.status === 0) this.#readHead();
    if (this.status !== 0) this.#readBody();
    this.#notify();
  }

  #readHead(): void {
    const end = this.#pending.indexOf(HEAD_END);
    if (end === -1) return;
    const [first = '', ...lines] = this.#pending.toString('latin1', 0, end).split('\r\n');
    this.#pending = this.#pending.subarray(end + HEAD_END.length);
    const status = Number(first.split(' ')[1]);
    // `100 Continue` comes before the answer.
    if (status < 200) {
      this.#readHead();
      return;
    }
    this.status = status;
    for (const line of lines) {
      const [name = '', value = ''] = line.split(/:(.*)/s);
      this.headers.set(name.trim().toLowerCase(), value.trim());
    }
  }

  #readBody(): void {
    if (this.headers.get('transfer-encoding') !== 'chunked') {
      this.#add(this.#pending);
      this.#pending = Buffer.alloc(0);
      this.isComplete = this.#bodyBytes >= Number(this.headers.get('content-length') ?? 0);
      return;
    }
    while (this.#pending.length > 0 && !this.isComplete) {
      if (this.#chunkLeft === undefined && !this.#readChunkHead()) return;
      this.#readChunk();
    }
  }

  /** False while it is not there. */
  #readChunkHead(): boolean {
    // The line break before it belongs to the chunk before; the library writes both together.
    const from = this.#pending[0] === 0x0d ? 2 : 0;
    const end = this.#pending.indexOf('\r\n', from);
    if (end === -1 || end < from) return false;
    this.#chunkLeft = Number.parseInt(this.#pending.toString('latin1', from, end), 16);
    this.#pending = this.#pending.subarray(end + 2);
    if (this.#chunkLeft === 0) this.isComplete = true;
    return true;
  }

  #readChunk(): void {
    const taken = this.#pending.subarray(0, this.#chunkLeft);
    this.#add(taken);
    this.#pending = this.#pending.subarray(taken.length);
    this.#chunkLeft = (this.#chunkLeft ?? 0) - taken.length;
    if (this.#chunkLeft === 0) this.#chunkLeft = undefined;
  }

  #add(bytes: Buffer): void {
    this.#bodyBytes += bytes.length;
    if (this.#onBody === undefined) this.#body.push(Buffer.from(bytes));
    else this.#onBody(bytes);
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
