import { parseArgs } from 'node:util';
import { encode } from '@msgpack/msgpack';
import { openAccounts } from '../src/demo/accounts.ts';
import { startEmbeddedDatabase } from '../src/demo/embedded-database.ts';
import { startMlService } from '../src/demo/ml-service.ts';
import { readWalk } from '../src/demo/walk.ts';
import { clientMessage, openRawSocket } from './support/raw-socket.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';

/**
 * What does a delivered frame cost the router's process, against the ten lines of uWebSockets.js that check nothing?
 * One stream of real frames, MessagePack, as fast as the viewers take them; everything on (sessions, limits, accounting,
 * sampling to an ML service that answers). Router and base take turns, twice the base in each round, so that the noise of
 * the machine stands beside the ratio. `npm run bench:fan-out -- --help`.
 */

const { values } = parseArgs({
  options: {
    viewers: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    kb: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write(
    'npm run bench:fan-out -- [--viewers 100] [--seconds 4] [--rounds 5] [--kb <size, instead of real frames>]\n',
  );
  process.exit(0);
}
const viewers = Number(values.viewers);
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);

/** Frames on their way at a time: enough to keep the server busy, far from any backpressure limit. */
const WINDOW = 4;
const STREAM_ID = 'bench';
const SECRET = 'a secret for the benchmark only';

interface Load {
  server: ServerProcess;
  encoderPath: string;
  viewerPath: string;
  /** What a viewer and the encoder say first; the bare server needs nothing. */
  subscribe?: object;
  register?: object;
}

interface Measured {
  microsPerFrame: number;
  framesPerSecond: number;
  residentBytes: number[];
}

const pictures = values.kb === undefined ? readWalk() : [syntheticJpeg(Number(values.kb) * 1000)];
const frames = pictures.map((data) => {
  const message = encode({ type: 'video-frame', streamId: STREAM_ID, data, timestamp: 1729943200000 });
  return { wire: clientMessage(message), deliveredBytes: message.length + (message.length < 65_536 ? 4 : 10) };
});

const meanFrameBytes = frames.reduce((sum, frame) => sum + frame.deliveredBytes, 0) / frames.length;

async function measure(load: Load): Promise<Measured> {
  let receivedBytes = 0;
  const sockets = await Promise.all(
    Array.from({ length: viewers }, async () => {
      const socket = await openRawSocket(load.server.port, load.viewerPath);
      if (load.subscribe !== undefined) {
        const answered = new Promise((resolve) => socket.once('data', resolve));
        socket.write(clientMessage(encode(load.subscribe)));
        await answered;
      }
      return socket;
    }),
  );
  const encoder = await openRawSocket(load.server.port, load.encoderPath);
  encoder.resume();
  if (load.register !== undefined) {
    const answered = new Promise((resolve) => encoder.once('data', resolve));
    encoder.write(clientMessage(encode(load.register)));
    await answered;
  }

  let sentFrames = 0;
  let sentBytes = 0;
  let measuring = true;
  const send = () => {
    while (measuring && sentBytes - receivedBytes / viewers < WINDOW * meanFrameBytes) {
      const frame = frames[sentFrames % frames.length];
      if (frame === undefined) return;
      encoder.write(frame.wire);
      sentFrames += 1;
      sentBytes += frame.deliveredBytes;
    }
  };
  for (const socket of sockets) {
    socket.on('data', (chunk) => {
      receivedBytes += chunk.length;
      send();
    });
  }
  send();
  await pause(1000);

  const residentBytes = [load.server.residentBytes()];
  const start = { cpu: load.server.cpuSeconds(), bytes: receivedBytes, ms: performance.now() };
  for (let second = 0; second < seconds; second += 1) {
    await pause(1000);
    residentBytes.push(load.server.residentBytes());
  }
  const cpuSeconds = load.server.cpuSeconds() - start.cpu;
  const deliveredFrames = (receivedBytes - start.bytes) / meanFrameBytes;
  const elapsedSeconds = (performance.now() - start.ms) / 1000;
  measuring = false;
  for (const socket of [encoder, ...sockets]) socket.destroy();
  await pause(200);
  return {
    microsPerFrame: (cpuSeconds * 1e6) / deliveredFrames,
    framesPerSecond: deliveredFrames / elapsedSeconds,
    residentBytes,
  };
}

const database = await startEmbeddedDatabase();
const accounts = await openAccounts(database.url, SECRET);
const { token } = await accounts.signUp('bench');
const mlService = await startMlService();
const router = await startServer(new URL('../src/main.js', import.meta.url), {
  PORT: '0',
  HOST: '127.0.0.1',
  DATABASE_URL: database.url,
  BETTER_AUTH_SECRET: SECRET,
  ML_SERVICE_URL: mlService.url,
  // As fast as the viewers take them: the ingest limit of 60 frames a second is checked, and never reached.
  STREAM_MAX_FPS: '100000',
  STREAM_MAX_BYTES_PER_SECOND: String(2 ** 30),
});
const bare = await startServer(new URL('./support/bare-publish.js', import.meta.url));

const routerLoad: Load = {
  server: router,
  encoderPath: `/streams/register?token=${token}`,
  viewerPath: `/streams/subscribe?token=${token}`,
  subscribe: { type: 'subscribe', clientType: 'dashboard', streamId: STREAM_ID, consumes: ['video-frame'] },
  register: { type: 'register', clientType: 'mobile', streamId: STREAM_ID, produces: ['video-frame'] },
};
const bareLoad: Load = { server: bare, encoderPath: '/pub', viewerPath: '/sub' };

process.stdout.write(
  `1 stream, messages of ${Math.round(meanFrameBytes / 1000)} KB on average, to ${viewers} viewers, ${rounds} rounds of ${seconds} s\n`,
);
const ratios: number[] = [];
const noise: number[] = [];
for (let round = 1; round <= rounds; round += 1) {
  const before = await measure(bareLoad);
  const ours = await measure(routerLoad);
  const after = await measure(bareLoad);
  ratios.push((2 * ours.microsPerFrame) / (before.microsPerFrame + after.microsPerFrame));
  noise.push(after.microsPerFrame / before.microsPerFrame);
  const mib = (bytes: number | undefined) => `${Math.round((bytes ?? 0) / 2 ** 20)}`;
  const resident = `${mib(ours.residentBytes[0])} to ${mib(ours.residentBytes.at(-1))} MiB, at most ${mib(Math.max(...ours.residentBytes))}`;
  process.stdout.write(
    `round ${round}: bare ${before.microsPerFrame.toFixed(2)} and ${after.microsPerFrame.toFixed(2)} µs, ` +
      `router ${ours.microsPerFrame.toFixed(2)} µs per delivered frame (${Math.round(ours.framesPerSecond)}/s), resident ${resident}\n`,
  );
}
const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
process.stdout.write(
  `router / bare publish: ${median(ratios).toFixed(3)} (median; base against base ` +
    `${Math.min(...noise).toFixed(3)} to ${Math.max(...noise).toFixed(3)})\n`,
);
router.stop();
bare.stop();
mlService.stop();
await accounts.close();
await database.stop();
process.exit(0);

function syntheticJpeg(bytes: number): Buffer {
  const jpeg = Buffer.alloc(bytes, 0x5a);
  jpeg.set([0xff, 0xd8, 0xff, 0xe0]);
  return jpeg;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
