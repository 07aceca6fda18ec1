import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { decode } from '@msgpack/msgpack';
import type { MlCondition, ServiceReport } from '../soak/conditions.ts';

/**
 * An ML service that does what it likes, `ML_CONDITION` says what. It looks at 20 frames a second, one after the other, and
 * answers a batch when it is done with it, unless it is one that does not. `GET /report` tells what it was sent since
 * `GET /begin`.
 */
const condition = (process.env['ML_CONDITION'] ?? 'busy') as Exclude<MlCondition, 'off' | 'dead'>;

const MS_PER_FRAME = 1000 / 20;
/** A service that dies is gone, and back, for so long. */
const DEAD_MS = 4_000;
const ALIVE_MS = 4_000;
const DRIP_EVERY_MS = 500;
const HUGE_BYTES = 20 * 1024 * 1024;

const garbage = Buffer.from(Array.from({ length: 2_000 }, (_, index) => (index * 7_919 + 13) % 256));
const huge = Buffer.alloc(HUGE_BYTES, ' ');

const nothing = (): ServiceReport => ({ requests: 0, frames: 0, maxAgeMs: 0, ofStream: {} });
let report = nothing();
let freeAtMs = 0;

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/begin') report = nothing();
  if (request.url === '/begin' || request.url === '/report') {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(report));
    return;
  }
  const arrivedAtMs = Date.now();
  const body = await bodyOf(request);
  report.requests += 1;
  const frames = (decode(body) as { frames: { streamId: string; timestamp: number }[] }).frames;
  for (const { streamId, timestamp } of frames) {
    report.frames += 1;
    report.ofStream[streamId] = (report.ofStream[streamId] ?? 0) + 1;
    report.maxAgeMs = Math.max(report.maxAgeMs, arrivedAtMs - timestamp);
  }
  answer(response, frames.length);
}

function answer(response: ServerResponse, frames: number): void {
  response.on('error', () => undefined).setHeader('content-type', 'application/json');
  switch (condition) {
    case 'busy':
    case 'dying':
      setTimeout(() => response.end('{"alerts":[]}'), workMs(frames));
      return;
    case 'unknown streams':
      setTimeout(() => response.end(unknownStreams(frames)), workMs(frames));
      return;
    case 'hanging':
      return;
    case 'resetting':
      response.socket?.resetAndDestroy();
      return;
    case 'dripping': {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), DRIP_EVERY_MS);
      response.once('close', () => clearInterval(drip));
      return;
    }
    case 'garbage':
      response.end(garbage);
      return;
    case 'huge':
      response.end(huge);
  }
}

/** How long it takes until it is done with these frames too: one after the other. */
function workMs(frames: number): number {
  const nowMs = performance.now();
  freeAtMs = Math.max(freeAtMs, nowMs) + frames * MS_PER_FRAME;
  return freeAtMs - nowMs;
}

/** An alert for each frame. */
function unknownStreams(frames: number): string {
  const severity = 'critical';
  const message = 'Nobody is there';
  return JSON.stringify({
    alerts: Array.from({ length: frames }, (_, index) => ({ streamId: `nobody-s-${index}`, severity, message })),
  });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const server = createServer((request, response) => void take(request, response).catch(() => response.destroy()));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`{"port":${port},"msg":"listening"}\n`);
  if (condition === 'dying') setTimeout(die, ALIVE_MS, server, port);
});
process.on('disconnect', () => process.exit(0));

/** As a crash does it: connections are cut, and nobody listens for a while. */
function die(living: Server & { closeAllConnections(): void }, port: number): void {
  living.closeAllConnections();
  living.close();
  setTimeout(() => {
    living.listen(port, '127.0.0.1', () => setTimeout(die, ALIVE_MS, living, port));
  }, DEAD_MS);
}
