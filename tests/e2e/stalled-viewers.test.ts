import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type ServerProcess, startServer } from '../../bench/support/server-process.ts';
import { openAccounts } from '../../src/demo/accounts.ts';
import { frameOf, openEncoder, type TestMessage } from '../support/client.ts';
import { notePrinted } from '../support/evidence.ts';
import { auditFrames, type FrameAccount } from '../support/frame-account.ts';
import { numberedPicture } from '../support/pictures.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { Watcher } from '../support/watcher.ts';

/** `FULL=1`: a minute of standing still. */
const STALL_SECONDS = process.env['FULL'] === '1' ? 60 : 3;
const FPS = 30;
const FRAME_BYTES = 34_000;
const ALERTS_PER_SECOND = 2;
/** What the memory of a router may vary by. Were frames kept for stalled viewers, it would grow by this much in 2 s. */
const TOLERANCE_BYTES = 8 * 1024 * 1024;

let router: ServerProcess;
let token: string;

beforeAll(async () => {
  const { url: databaseUrl } = inject('databases');
  const secret = 'a secret of the tests, long enough';
  const accounts = await openAccounts(databaseUrl, secret);
  token = (await accounts.signUp(`stalled-${crypto.randomUUID()}`)).token;
  await accounts.close();
  const env = {
    PORT: '0',
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    BETTER_AUTH_SECRET: secret,
    // A camera that was held up by a busy machine catches up.
    STREAM_MAX_FPS: '1000',
  };
  router = await startServer(new URL('../../dist/src/main.js', import.meta.url), env, undefined, notePrinted);
});
afterAll(() => router.stop());

test('a fifth of the viewers stand still: nobody else misses a picture, nobody is sent away, the memory stays, and they get on with the newest', async () => {
  const wsUrl = `ws://127.0.0.1:${router.port}`;
  const { encoder, streamId } = await openEncoder(wsUrl, token, {
    encoding: 'msgpack',
    register: { produces: ['video-frame', 'alert'] },
  });
  const watch = (count: number, wish: { window?: number } = {}) =>
    Array.from({ length: count }, () => {
      return new Watcher(`${wsUrl}/streams/subscribe?token=${token}`, { streamId, ...wish });
    });
  const stalledPlain = watch(2);
  const stalledWindowed = watch(2, { window: 2 });
  const stalled = [...stalledPlain, ...stalledWindowed];
  // A window wide enough that a busy machine does not make it skip.
  const others = [...watch(12), ...watch(4, { window: 64 })];
  const everybody = [...stalled, ...others];
  await until('all watch', () => everybody.every(({ success }) => success !== undefined));
  const account = auditFrames(stats, 2 * 2 + 4 * 64 + everybody.length);

  let frames = 0;
  let alerts = 0;
  const endVideo = steadily(FPS, () => {
    frames += 1;
    encoder.send(frameOf(encoder, streamId, numberedPicture(frames, FRAME_BYTES)));
  });
  const endAlerts = steadily(ALERTS_PER_SECOND, () => {
    alerts += 1;
    encoder.send({ type: 'alert', streamId, severity: 'high', message: 'Person', metadata: { number: alerts } });
  });
  await until('all see pictures', () => everybody.every((watcher) => watcher.frames.length > 0));
  for (const watcher of stalled) watcher.stall();
  const seenBefore = new Map(stalled.map((watcher) => [watcher, watcher.frames.length]));
  // From then on nothing more fits anywhere on their way: each frame is skipped for each of them.
  await until('all of them are full', async () => {
    const before = (await stats())['frames'];
    await until('some frames later', async () => (await stats())['frames'].received >= before.received + 10);
    const after = (await stats())['frames'];
    return after.dropped.slow - before.dropped.slow >= stalled.length * (after.received - before.received);
  });

  const early = await usualMemory(account);
  const framesThen = frames;
  await until('the time is over', () => frames >= framesThen + FPS * STALL_SECONDS, STALL_SECONDS * 3_000);
  const late = await usualMemory(account);
  say(`stalled for ${STALL_SECONDS} s: router memory ${mib(early)} MiB early, ${mib(late)} MiB late`);
  expect(late - early).toBeLessThan(TOLERANCE_BYTES);

  const framesBefore = frames;
  const alertsBefore = alerts;
  for (const watcher of stalled) watcher.readAgain();
  await until('they see what is live', () => stalled.every((watcher) => newestOf(watcher) > framesBefore + FPS / 2));
  endAlerts();
  endVideo();
  await until('all see the last', () => everybody.every((watcher) => newestOf(watcher) === frames));
  await until('all have all alerts', () => everybody.every((watcher) => watcher.alerts.length >= alerts));

  const everyFrame = Array.from({ length: frames }, (_, index) => index + 1);
  const everyAlert = Array.from({ length: alerts }, (_, index) => index + 1);
  for (const watcher of others) expect(numbersOf(watcher)).toEqual(everyFrame);
  for (const watcher of stalled) {
    const numbers = numbersOf(watcher);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.length).toBeLessThan(frames - 10);
  }
  // No more than its window came late; then the newest.
  for (const watcher of stalledWindowed) {
    const older = numbersOf(watcher)
      .slice(seenBefore.get(watcher))
      .filter((number) => number < framesBefore);
    expect(older.length).toBeLessThanOrEqual(2);
  }
  for (const watcher of everybody) {
    expect(watcher.alerts.map(({ metadata }) => metadata['number'])).toEqual(everyAlert);
    expect(watcher.errors).toEqual([]);
    expect(watcher.closeCode).toBeUndefined();
  }
  expect(alertsBefore).toBeGreaterThan(ALERTS_PER_SECOND * STALL_SECONDS);

  await until('nothing is on its way any more', async () => (await stats())['frames'].inFlight === 0);
  await account.stop();
  const delivered = everybody.reduce((sum, watcher) => sum + watcher.frames.length, 0);
  const offered = frames * everybody.length;
  expect((await stats())['frames']).toMatchObject({
    offered,
    delivered,
    dropped: { slow: offered - delivered, fps: 0, closed: 0 },
  });
  expect(account.wrong).toEqual([]);
  expect(account.samples.length).toBeGreaterThan(20);
  await Promise.all([encoder.close(), ...everybody.map((watcher) => watcher.close())]);
}, 120_000);

async function stats(): Promise<TestMessage> {
  return (await (await fetch(`http://127.0.0.1:${router.port}/stats`)).json()) as TestMessage;
}

/** The least of about a second: what garbage there is comes and goes. */
async function usualMemory({ samples }: FrameAccount): Promise<number> {
  const from = samples.length;
  await until('some samples', () => samples.length >= from + 10);
  return Math.min(...samples.slice(from).map((sample) => sample['process'].residentBytes));
}

function numbersOf(watcher: Watcher): number[] {
  return watcher.frames.map(({ number }) => number);
}

function newestOf(watcher: Watcher): number {
  return watcher.frames.at(-1)?.number ?? 0;
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
