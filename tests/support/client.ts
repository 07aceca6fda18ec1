import { decode, encode } from '@msgpack/msgpack';
import WebSocket from 'ws';
import { noteSecret, noteSecretsOf } from './evidence.ts';

export type TestEncoding = 'json' | 'msgpack';
// biome-ignore lint/suspicious/noExplicitAny: a test looks into fields of messages of every type; with unknown each look would be a cast, and a field that is missing fails its assertion all the same
export type TestMessage = Record<string, any>;

export interface ConnectOptions {
  encoding?: TestEncoding;
  subprotocol?: string;
  headers?: Record<string, string>;
}

/**
 * An independent client (the `ws` package) that remembers everything it was sent. Waiting is by condition, never by time:
 * a wait that comes to nothing fails with what did arrive.
 */
export class TestClient {
  readonly socket: WebSocket;
  readonly encoding: TestEncoding;
  readonly messages: TestMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #errors: string[] = [];
  #taken = 0;
  #wake: (() => void)[] = [];

  constructor(url: string, { encoding = 'json', subprotocol, headers = {} }: ConnectOptions = {}) {
    noteSecretsOf(url, headers);
    this.encoding = encoding;
    this.socket = new WebSocket(url, subprotocol ?? [], { headers, maxPayload: 64 * 1024 * 1024 });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.socket.on('error', (error) => this.#errors.push(error.message));
    this.socket.on('message', (data: Buffer, isBinary) => {
      this.messages.push({
        ...(isBinary ? (decode(data) as TestMessage) : JSON.parse(data.toString('utf8'))),
        // Which way it came, and the very bytes.
        $binary: isBinary,
        $raw: data,
      });
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  static async open(url: string, options: ConnectOptions = {}): Promise<TestClient> {
    const client = new TestClient(url, options);
    await new Promise<void>((resolve, reject) => {
      client.socket.once('open', resolve);
      client.socket.once('error', reject);
    });
    return client;
  }

  send(message: object): void {
    if ('token' in message && typeof message.token === 'string') noteSecret(message.token);
    this.socket.send(this.encoding === 'json' ? JSON.stringify(message) : encode(message));
  }

  sendRaw(data: string | Uint8Array): void {
    this.socket.send(data);
  }

  /** The next message, after those taken before, that fits: by type, or by any test. Those in between are skipped. */
  async next(wanted: string | ((message: TestMessage) => boolean), timeoutMs = 20_000): Promise<TestMessage> {
    const fits = typeof wanted === 'string' ? (message: TestMessage) => message['type'] === wanted : wanted;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      while (this.#taken < this.messages.length) {
        const message = this.messages[this.#taken] as TestMessage;
        this.#taken += 1;
        if (fits(message)) return message;
      }
      await this.#arrival(deadline - performance.now(), String(wanted));
    }
  }

  close(): Promise<unknown> {
    this.socket.close(1000);
    return this.closed;
  }

  async #arrival(timeoutMs: number, wanted: string): Promise<void> {
    const arrived = new Promise<'arrived'>((resolve) => this.#wake.push(() => resolve('arrived')));
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<'timeout'>((resolve) => {
      timer = setTimeout(() => resolve('timeout'), Math.max(0, timeoutMs));
    });
    const outcome = await Promise.race([arrived, timeout, this.closed.then(() => 'closed' as const)]);
    clearTimeout(timer);
    if (outcome === 'arrived' || this.#taken < this.messages.length) return;
    const got = this.messages.map(({ $raw, $binary, data, ...rest }) => JSON.stringify(rest)).slice(-8);
    const how = outcome === 'closed' ? `closed (${JSON.stringify(await this.closed)} ${this.#errors})` : outcome;
    throw new Error(`${how} while waiting for ${wanted}; the last messages: ${got.join(' ') || 'none'}`);
  }
}

/** Opens an encoder and registers it; answers with the client and its stream's id. */
export async function openEncoder(
  wsUrl: string,
  token: string,
  options: ConnectOptions & { register?: object } = {},
): Promise<{ encoder: TestClient; streamId: string }> {
  const encoder = await TestClient.open(`${wsUrl}/streams/register?token=${token}`, options);
  encoder.send({
    type: 'register',
    clientType: 'mobile',
    produces: ['video-frame'],
    consumes: ['alert'],
    ...options.register,
  });
  const { streamId } = await encoder.next('success');
  return { encoder, streamId };
}

/** Opens a viewer and subscribes it; `success` and the first `status` are taken. */
export async function openViewer(
  wsUrl: string,
  token: string,
  streamId: string,
  options: ConnectOptions & { subscribe?: object } = {},
): Promise<TestClient> {
  const viewer = await TestClient.open(`${wsUrl}/streams/subscribe?token=${token}`, options);
  viewer.send({
    type: 'subscribe',
    clientType: 'dashboard',
    streamId,
    consumes: ['video-frame', 'alert'],
    ...options.subscribe,
  });
  await viewer.next('success');
  await viewer.next('status');
  return viewer;
}

/** A `video-frame` in the client's encoding: base64 text in JSON, bytes in MessagePack. */
export function frameOf(client: TestClient, streamId: string, jpeg: Buffer, extra: object = {}): object {
  const data = client.encoding === 'json' ? jpeg.toString('base64') : jpeg;
  return { type: 'video-frame', streamId, data, timestamp: Date.now(), ...extra };
}

/** The JPEG of a received frame, whatever the encoding. */
export function jpegOf(message: TestMessage): Buffer {
  return message['$binary'] ? Buffer.from(message['data']) : Buffer.from(message['data'], 'base64');
}
