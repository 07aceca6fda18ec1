import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import { type ServerProcess, startServer } from '../../bench/support/server-process.ts';
import { openAccounts } from '../../src/demo/accounts.ts';
import { notePrinted } from '../support/evidence.ts';
import { until } from '../support/until.ts';

const VIEWERS = 5_000;
const USERS = 50;
/** A camera of 10 fps: what its viewers may wait for the next picture while all the others come. */
const MAX_GAP_MS = 1_000;

let router: ServerProcess;
let tokens: string[];
let witnessToken: string;

beforeAll(async () => {
  const { postgresUrl, embeddedUrl } = inject('databases');
  const databaseUrl = postgresUrl ?? embeddedUrl;
  const secret = 'a secret of the tests, long enough';
  const accounts = await openAccounts(databaseUrl, secret);
  const signUp = async () => (await accounts.signUp(`storm-${crypto.randomUUID()}`)).token;
  tokens = await Promise.all(Array.from({ length: USERS }, signUp));
  witnessToken = await signUp();
  await accounts.close();
  const env = {
    PORT: '0',
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    BETTER_AUTH_SECRET: secret,
    // All of them come from here.
    MAX_CONNECTIONS_PER_IP: '10000',
    STREAM_ACCESS: 'authenticated',
  };
  router = await startServer(new URL('../../dist/src/main.js', import.meta.url), env, undefined, notePrinted);
});
afterAll(() => router.stop());

test(`${VIEWERS} viewers of ${USERS} users connect at once: ${USERS} look-ups at most, all are let in, and nobody waits for pictures meanwhile`, async () => {
  const wsUrl = `ws://127.0.0.1:${router.port}`;
  // A camera and its viewer on a thread of their own: what is measured is the router, not the storm's clients.
  const witness = new Worker(new URL('../support/storm-witness.mjs', import.meta.url), {
    workerData: { wsUrl, token: witnessToken },
  });
  const pictures: number[] = [];
  witness.on('message', (atMs: number) => pictures.push(atMs));
  await until('pictures flow', () => pictures.length >= 10);
  const { sessions: before } = await statsOf(router);

  const beganMs = Date.now();
  let subscribed = 0;
  const problems: string[] = [];
  const viewers = Array.from({ length: VIEWERS }, (_, index) => {
    const viewer = new WebSocket(`${wsUrl}/streams/subscribe?token=${tokens[index % USERS]}`);
    viewer.on('open', () => viewer.send('{"type":"subscribe","clientType":"dashboard","streamId":"witness"}'));
    viewer.on('message', (data, isBinary) => {
      const message = isBinary ? {} : JSON.parse(data.toString());
      if (message.type === 'success') subscribed += 1;
      if (message.type === 'error') problems.push(message.code);
    });
    viewer.on('error', (error) => problems.push(error.message));
    viewer.on('close', (code) => problems.push(`closed ${code}`));
    return viewer;
  });
  await until('all are let in', () => subscribed === VIEWERS || problems.length > 0, 60_000);
  const endedMs = Date.now();
  expect(problems).toEqual([]);
  const { sessions: after, totalConnections } = await statsOf(router);
  expect(after.lookUps - before.lookUps).toBeLessThanOrEqual(USERS);
  expect(totalConnections).toBe(VIEWERS + 2);

  const during = pictures.filter((atMs) => atMs >= beganMs - MAX_GAP_MS && atMs <= endedMs);
  const gaps = during.slice(1).map((atMs, index) => atMs - (during[index] ?? atMs));
  process.stderr.write(
    `${VIEWERS} viewers in ${endedMs - beganMs} ms, ${after.lookUps - before.lookUps} look-ups, longest wait for a picture ${Math.max(...gaps)} ms\n`,
  );
  expect(gaps.length).toBeGreaterThan(5);
  // Or, on a slow machine, a part of what all of them take: if they were let in in one go, it would be all of it.
  expect(Math.max(...gaps)).toBeLessThan(Math.max(MAX_GAP_MS, (endedMs - beganMs) / 2));

  for (const viewer of viewers) {
    viewer.removeAllListeners('close');
    viewer.terminate();
  }
  await witness.terminate();
});

async function statsOf({ port }: ServerProcess) {
  const response = await fetch(`http://127.0.0.1:${port}/stats`);
  return (await response.json()) as { totalConnections: number; sessions: { lookUps: number } };
}
