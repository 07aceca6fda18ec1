import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { decode } from '@msgpack/msgpack';
import { expect, onTestFinished, test } from 'vitest';
import { createHttpTransport, type HttpTransportParts } from '../../src/ml/http-transport.ts';
import type { MayGo, SampledFrame } from '../../src/ml/transport.ts';
import { type MlAnswer, type MlRequest, startTestMlService } from '../support/ml-service.ts';
import { until } from '../support/until.ts';

/** What grows old between the feed, which looks at the age of frames, and the service: nothing that is too old is written to it. */

function frameOf(streamId: string, data: Uint8Array = Uint8Array.of(0xff, 0xd8)): SampledFrame {
  return { streamId, timestamp: 1, seq: 1, data };
}

/** The way there. `old`: streams whose frames are too old, from when they are put there. */
function openTransport(url: string, parts: Partial<HttpTransportParts> = {}) {
  const transport = createHttpTransport({
    url,
    token: undefined,
    protocol: 'batch',
    batchSize: 16,
    maxInFlight: 4,
    timeoutMs: 5_000,
    clock: { epochMs: () => Date.now(), monotonicMs: () => performance.now() },
    ...parts,
  });
  onTestFinished(() => transport.close());
  const old = new Set<string>();
  const mayGo: MayGo = ({ streamId }) => !old.has(streamId);
  return {
    transport,
    old,
    analyze: (...streamIds: string[]) =>
      transport.analyze(
        streamIds.map((id) => frameOf(id)),
        mayGo,
      ),
  };
}

async function serviceOf(answer: (request: MlRequest) => MlAnswer) {
  const service = await startTestMlService(answer);
  onTestFinished(() => service.stop());
  return service;
}

/** A server that speaks for itself. */
async function tcpServer(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';

test('a frame whose connection was cut is tried again while it is fresh, and not when it has grown old meanwhile', async () => {
  let requests = 0;
  let beforeCut = () => {};
  const url = await tcpServer((socket) => {
    let ofThisOne = 0;
    socket.on('data', (bytes) => {
      if (!bytes.toString('latin1').startsWith('POST')) return;
      requests += 1;
      ofThisOne += 1;
      if (ofThisOne === 1) return void socket.write(OK);
      beforeCut();
      socket.destroy();
    });
  });
  const { old, analyze } = openTransport(url, { maxInFlight: 1 });
  await analyze('door');
  await analyze('door');
  expect(requests).toBe(3);
  beforeCut = () => old.add('door');
  await expect(analyze('door')).rejects.toThrow('its frames grew too old');
  expect(requests).toBe(4);
});

test('of a batch that waited for its connection those frames go that are still fresh', async () => {
  const accepted: Socket[] = [];
  let isOpen = false;
  const service = await serviceOf(() => ({ status: 200 }));
  const port = Number(new URL(service.url).port);
  // Lets nothing through until it is opened, so that the second batch has no connection.
  const gate = await tcpServer((socket) => {
    accepted.push(socket);
    if (isOpen) join(socket, port);
  });
  const { old, analyze } = openTransport(gate, { maxInFlight: 1 });
  const first = analyze('waits');
  const second = analyze('a', 'b', 'c');
  await until('somebody is there', () => accepted.length === 1);
  old.add('b');
  isOpen = true;
  for (const socket of accepted) join(socket, port);
  await Promise.all([first, second]);
  const got = service.requests.map(({ body }) => body['frames'].map((frame: SampledFrame) => frame.streamId));
  expect(got).toEqual([['waits'], ['a', 'c']]);
});

test('a batch whose frames are all too old when there is a connection is not sent, and says why', async () => {
  const service = await serviceOf(() => ({ status: 200 }));
  const { old, analyze } = openTransport(service.url);
  old.add('a').add('b');
  await expect(analyze('a', 'b')).rejects.toThrow('no connection in time, its frames grew too old');
  expect(service.requests).toEqual([]);
  old.clear();
  await analyze('a', 'b');
  expect(service.requests).toHaveLength(1);
});

test('a batch that must go frame by frame, to a service that turns out to know no batches, leaves out what grows old on the way', async () => {
  const sent: string[] = [];
  const { url } = await serviceOf(({ path, body }) => {
    if (path !== '/analyze') return { status: 404 };
    sent.push(body['streamId']);
    // With the second one all that waited for a connection behind it have grown old.
    if (sent.length === 2) for (const id of ['c', 'd', 'e']) old.add(id);
    return { status: 200, body: { alert: { severity: 'low', message: body['streamId'] } } };
  });
  const { old, analyze } = openTransport(url, { protocol: 'auto', maxInFlight: 1 });
  const alerts = await analyze('a', 'b', 'c', 'd', 'e');
  expect(sent).toEqual(['a', 'b']);
  expect(alerts).toEqual(['a', 'b'].map((streamId) => expect.objectContaining({ streamId, message: streamId })));
});

test('a service that answers before it has read the pictures gets them as they were, though others follow', async () => {
  const bodies: Buffer[][] = [];
  const sockets: Socket[] = [];
  const url = await tcpServer((socket) => {
    const chunks: Buffer[] = [];
    bodies.push(chunks);
    sockets.push(socket);
    socket.on('data', (bytes: Buffer) => {
      chunks.push(bytes);
      if (chunks.length > 1) return;
      // Answered, with nearly all of it unread.
      socket.pause();
      socket.write(OK);
    });
  });
  const bytes = 7 * 1024 * 1024;
  const { transport } = openTransport(url);
  await transport.analyze([frameOf('a', Buffer.alloc(bytes, 1))]);
  await transport.analyze([frameOf('b', Buffer.alloc(bytes, 2))]);
  for (const socket of sockets) socket.resume();
  const received = () => bodies[0]?.reduce((sum, chunk) => sum + chunk.length, 0) ?? 0;
  await until('the first one has arrived', () => received() > bytes);
  const body = Buffer.concat(bodies[0] ?? []);
  const { frames } = decode(body.subarray(body.indexOf('\r\n\r\n') + 4)) as { frames: SampledFrame[] };
  expect(frames.map(({ streamId }) => streamId)).toEqual(['a']);
  expect(frames[0]?.data.every((byte) => byte === 1)).toBe(true);
});

function join(socket: Socket, port: number): void {
  const other = connect(port, '127.0.0.1');
  other.on('error', () => undefined);
  socket.pipe(other).pipe(socket);
}
