import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decode } from '@msgpack/msgpack';
import { type Motion, MotionDetector } from './motion.ts';

/** One alert per stream in this time: somebody walking through the zone is one event, not thirty. */
const COOLDOWN_MS = 5_000;
const MAX_BODY_BYTES = 32 * 1024 * 1024;
const MAX_STREAMS = 1_000;

interface AnalyzedFrame {
  streamId: string;
  timestamp: number;
  data: Uint8Array;
}

interface Watched {
  detector: MotionDetector;
  alertedAtMs: number;
}

export interface MlService {
  url: string;
  stop(): void;
}

/**
 * A small ML service of its own: motion in a zone. It knows batches (`POST /analyze/batch`, MessagePack) and the original
 * contract (`POST /analyze`, JSON), and shows the author of a real one what the router sends and takes.
 */
export async function startMlService(): Promise<MlService> {
  const watched = new Map<string, Watched>();
  const server = createServer((request, response) => {
    handle(request, response, watched).catch((error: unknown) => {
      answer(response, 400, { error: error instanceof Error ? error.message : 'bad request' });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close().closeAllConnections() };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  watched: Map<string, Watched>,
): Promise<void> {
  if (request.method !== 'POST') return answer(response, 405, { error: 'POST only' });
  const body = await readBody(request);
  if (request.url === '/analyze/batch') {
    const { frames } = decode(body) as { frames: AnalyzedFrame[] };
    const results = await Promise.allSettled(frames.map((frame) => analyze(frame, watched)));
    // A picture that cannot be decoded is its own stream's trouble only.
    const alerts = results.flatMap((result) => (result.status === 'fulfilled' ? (result.value ?? []) : []));
    return answer(response, 200, { alerts });
  }
  if (request.url === '/analyze') {
    const { streamId, frame, timestamp } = JSON.parse(body.toString('utf8'));
    const alert = await analyze({ streamId, timestamp, data: Buffer.from(frame, 'base64') }, watched);
    return answer(response, 200, alert === undefined ? { status: 'ok' } : { alert });
  }
  answer(response, 404, { error: 'not found' });
}

async function analyze(frame: AnalyzedFrame, watched: Map<string, Watched>): Promise<object | undefined> {
  let stream = watched.get(frame.streamId);
  if (stream === undefined) {
    if (watched.size >= MAX_STREAMS) watched.clear();
    stream = { detector: new MotionDetector(), alertedAtMs: Number.NEGATIVE_INFINITY };
    watched.set(frame.streamId, stream);
  }
  const motion = await stream.detector.look(frame.data);
  const nowMs = performance.now();
  if (motion === undefined || nowMs - stream.alertedAtMs < COOLDOWN_MS) return undefined;
  stream.alertedAtMs = nowMs;
  return describe(frame, motion);
}

function describe(frame: AnalyzedFrame, { changed, box }: Motion): object {
  return {
    type: 'alert',
    streamId: frame.streamId,
    severity: changed > 0.06 ? 'high' : 'medium',
    message: 'Motion at the crossing',
    metadata: {
      confidence: Math.min(0.99, Math.round((0.5 + changed * 5) * 100) / 100),
      location: { x: box.x + Math.round(box.w / 2), y: box.y + Math.round(box.h / 2) },
      bbox: box,
      objectType: 'motion',
    },
    timestamp: Date.now(),
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Error('body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
