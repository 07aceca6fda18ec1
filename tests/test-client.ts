import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decode, encode } from '@msgpack/msgpack';
import WebSocket from 'ws';
import { readWalk } from '../src/demo/walk.ts';

/**
 * Plays an encoder, two dashboards and, where it can, the ML service against a running router, and says what works.
 * Exit code 0 when everything did.
 */

const HELP = `Checks a running router from the outside: encoder, dashboards, ML service.

  npm run test:client                                  starts a router of its own, and checks that
  npm run test:client -- --url <url> --token <token>   checks the router at <url>
      --ml-port <port>   also plays the ML service, where the router's ML_SERVICE_URL is http://<this machine>:<port>`;

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    token: { type: 'string' },
    'ml-port': { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help || (options.url === undefined) !== (options.token === undefined)) {
  process.stdout.write(`${HELP}\n`);
  process.exit(options.help ? 0 : 2);
}

const TIMEOUT_MS = 20_000;
const walk = readWalk();
let passed = 0;
let failed = 0;

interface Message {
  type: string;
  streamId?: string;
  status?: string;
  message?: string;
  severity?: string;
  id?: string;
  code?: string;
  data?: Uint8Array | string;
}

/** One WebSocket, and a queue of what came in over it. */
class Client {
  readonly #socket: WebSocket;
  readonly #encoding: 'json' | 'msgpack';
  readonly #inbox: Message[] = [];
  #wake: () => void = () => undefined;

  private constructor(socket: WebSocket, encoding: 'json' | 'msgpack') {
    this.#socket = socket;
    this.#encoding = encoding;
    socket.on('message', (data: Buffer, isBinary) => {
      this.#inbox.push((isBinary ? decode(data) : JSON.parse(data.toString())) as Message);
      this.#wake();
    });
  }

  static async open(url: string, encoding: 'json' | 'msgpack'): Promise<Client> {
    const socket = new WebSocket(url);
    const client = new Client(socket, encoding);
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return client;
  }

  send(message: object): void {
    this.#socket.send(this.#encoding === 'json' ? JSON.stringify(message) : encode(message));
  }

  sendFrame(streamId: string, jpeg: Buffer): void {
    const data = this.#encoding === 'json' ? jpeg.toString('base64') : jpeg;
    this.send({ type: 'video-frame', streamId, data, timestamp: Date.now() });
  }

  /** The next message of this type; what comes before it is dropped. */
  async next(type: string): Promise<Message> {
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      for (let message = this.#inbox.shift(); message !== undefined; message = this.#inbox.shift()) {
        if (message.type === type) return message;
        if (message.type === 'error') throw new Error(`${message.code}: ${message.message}`);
      }
      const remainingMs = deadline - performance.now();
      if (remainingMs <= 0) throw new Error(`no ${type} within ${TIMEOUT_MS / 1000} s`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, remainingMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async nextJpeg(): Promise<Buffer> {
    const { data } = await this.next('video-frame');
    return typeof data === 'string' ? Buffer.from(data, 'base64') : Buffer.from(data ?? []);
  }

  /** The alert with this text: the ML service may report something at any time, too. */
  async nextAlert(text: string): Promise<Message> {
    let alert = await this.next('alert');
    while (alert.message !== text) alert = await this.next('alert');
    return alert;
  }

  close(): void {
    this.#socket.close(1000);
  }
}

async function check(what: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    passed += 1;
    process.stdout.write(`  ok      ${what}\n`);
  } catch (error) {
    failed += 1;
    process.stdout.write(`  FAILED  ${what}: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function expectThat(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}

async function checkRouter(url: string, token: string, mlIsOurs: boolean): Promise<void> {
  const wsUrl = url.replace(/^http/, 'ws');
  process.stdout.write(`Router at ${url}\n`);
  await check('GET /health says healthy', async () => {
    const { status } = (await (await fetch(`${url}/health`)).json()) as { status: string };
    expectThat(status === 'healthy', `it says ${status}`);
  });

  let encoder: Client | undefined;
  let jsonViewer: Client | undefined;
  let msgpackViewer: Client | undefined;
  let streamId = '';
  let lastAlert: string | undefined;
  await check('an encoder registers and learns its stream id', async () => {
    encoder = await Client.open(`${wsUrl}/streams/register?token=${token}`, 'msgpack');
    encoder.send({ type: 'register', clientType: 'mobile', produces: ['video-frame', 'alert'], consumes: ['alert'] });
    const { message } = await encoder.next('success');
    streamId = /Stream ID: (stream_\w+)/.exec(message ?? '')?.[1] ?? '';
    expectThat(streamId !== '', `no id in: ${message}`);
  });
  await check('a JSON and a MessagePack dashboard subscribe and see it online', async () => {
    jsonViewer = await Client.open(`${wsUrl}/streams/subscribe?token=${token}`, 'json');
    msgpackViewer = await Client.open(`${wsUrl}/streams/subscribe?token=${token}`, 'msgpack');
    for (const viewer of [jsonViewer, msgpackViewer]) {
      viewer.send({ type: 'subscribe', clientType: 'dashboard', streamId, consumes: ['video-frame', 'alert'] });
      await viewer.next('success');
      const { status } = await viewer.next('status');
      expectThat(status === 'online', `it is ${status}`);
    }
  });
  await check('twenty real frames arrive at both, byte for byte', async () => {
    for (const jpeg of walk.slice(0, 20)) {
      encoder?.sendFrame(streamId, jpeg);
      for (const viewer of [jsonViewer, msgpackViewer]) {
        expectThat((await viewer?.nextJpeg())?.equals(jpeg) ?? false, 'a frame is not the one that was sent');
      }
    }
  });
  await check('an alert of the encoder reaches it and both dashboards, with one id', async () => {
    encoder?.send({ type: 'alert', streamId, severity: 'low', message: 'Test alert' });
    const ids = new Set<string | undefined>();
    for (const client of [encoder, jsonViewer, msgpackViewer]) {
      ids.add((await client?.nextAlert('Test alert'))?.id);
    }
    expectThat(ids.size === 1 && !ids.has(undefined), 'the ids differ');
    [lastAlert] = ids;
  });
  await check('a dashboard with a window gets one frame, then the newest for its ack', async () => {
    const viewer = await Client.open(`${wsUrl}/streams/subscribe?token=${token}`, 'msgpack');
    viewer.send({ type: 'subscribe', clientType: 'dashboard', streamId, window: 1 });
    const first = await viewer.nextJpeg();
    expectThat(first.equals(walk[19] as Buffer), 'the first frame is not the newest');
    for (const jpeg of walk.slice(0, 3)) {
      encoder?.sendFrame(streamId, jpeg);
      await msgpackViewer?.nextJpeg();
    }
    viewer.send({ type: 'ack', streamId, received: 1 });
    const second = await viewer.nextJpeg();
    expectThat(second.equals(walk[2] as Buffer), 'the ack did not release the newest frame');
    viewer.close();
  });
  await check('a dashboard that comes back is sent the alerts it missed', async () => {
    encoder?.send({ type: 'alert', streamId, severity: 'low', message: 'While nobody looked' });
    for (const client of [encoder, jsonViewer, msgpackViewer]) await client?.nextAlert('While nobody looked');
    const viewer = await Client.open(`${wsUrl}/streams/subscribe?token=${token}`, 'json');
    viewer.send({ type: 'subscribe', clientType: 'dashboard', streamId, consumes: ['alert'], since: lastAlert });
    await viewer.nextAlert('While nobody looked');
    viewer.close();
  });
  await checkMl(url, mlIsOurs, encoder, jsonViewer, streamId);
  await check('without a token the door stays shut, with 1008', async () => {
    const socket = new WebSocket(`${wsUrl}/streams/subscribe`);
    const code = await new Promise((resolve) => socket.once('close', resolve));
    expectThat(code === 1008, `closed with ${code}`);
  });
  for (const client of [encoder, jsonViewer, msgpackViewer]) client?.close();
}

async function checkMl(
  url: string,
  mlIsOurs: boolean,
  encoder: Client | undefined,
  viewer: Client | undefined,
  streamId: string,
): Promise<void> {
  const { ml } = (await (await fetch(`${url}/stats`)).json()) as { ml: object | null };
  if (ml === null) {
    process.stdout.write('  SKIPPED the ML service: this router has no ML_SERVICE_URL\n');
    return;
  }
  const whose = mlIsOurs ? 'the simulated ML service' : 'the router’s own ML service';
  await check(`frames reach ${whose}, and its alert reaches the dashboard`, async () => {
    let next = 0;
    const sending = setInterval(() => encoder?.sendFrame(streamId, walk[next++ % walk.length] as Buffer), 100);
    try {
      const alert = await viewer?.next('alert');
      expectThat(alert?.streamId === streamId, 'the alert is of another stream');
      if (mlIsOurs) expectThat(alert?.message === 'Simulated detection', `it says ${alert?.message}`);
    } finally {
      clearInterval(sending);
    }
  });
}

/** An ML service of the original kind: `POST /analyze`, one frame, and every one of them is suspicious. */
async function playMlService(port: number): Promise<Server> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.url !== '/analyze') {
      response.writeHead(404).end();
      return;
    }
    const { streamId, frame } = JSON.parse(Buffer.concat(chunks).toString()) as { streamId: string; frame: string };
    const isJpeg = Buffer.from(frame, 'base64').readUInt16BE(0) === 0xffd8;
    const alert = { type: 'alert', streamId, severity: 'high', message: 'Simulated detection', timestamp: Date.now() };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isJpeg ? { alert } : { status: 'ok' }));
  });
  await new Promise<void>((resolve, reject) => server.listen(port, resolve).once('error', reject));
  return server;
}

/** The built router in demo mode on a free port, fed by our ML service instead of the demo's. */
async function startOwnRouter(mlPort: number): Promise<{ child: ChildProcess; url: string; token: string }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../src/main.js', import.meta.url))], {
    env: { PATH: process.env['PATH'], PORT: '0', LOG_LEVEL: 'warn', ML_SERVICE_URL: `http://127.0.0.1:${mlPort}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the router ended: ${text}`)));
    child.stdout?.on('data', (chunk) => {
      text += chunk;
      const [, url, token] = /^Dashboard: (\S+)\/\?token=(\S+)$/m.exec(text) ?? [];
      if (url !== undefined && token !== undefined) resolve({ child, url, token });
    });
  });
}

const mlServer =
  options.url === undefined || options['ml-port'] !== undefined
    ? await playMlService(Number(options['ml-port'] ?? 0))
    : undefined;
if (options.url !== undefined && options.token !== undefined) {
  await checkRouter(options.url.replace(/\/$/, ''), options.token, mlServer !== undefined);
} else {
  const address = mlServer?.address() as AddressInfo | undefined;
  const own = await startOwnRouter(address?.port ?? 0);
  await checkRouter(own.url, own.token, true);
  own.child.removeAllListeners('exit').kill('SIGTERM');
}
mlServer?.close().closeAllConnections();
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
