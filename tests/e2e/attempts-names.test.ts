import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/demo/embedded-database.ts';
import { frameOf, openEncoder, openViewer, type TestClient } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import {
  expectNothingOfOthers,
  expectRefusal,
  startTwoUsers,
  subscribeTo,
  type TwoUsers,
} from '../support/two-users.ts';

/** Its own: the table of the web app must be there from the start, and in no other test's database. */
let database: EmbeddedDatabase;
let admin: pg.Pool;

beforeAll(async () => {
  database = await startEmbeddedDatabase();
  admin = new pg.Pool({ connectionString: database.url, max: 1 });
  await admin.query('CREATE TABLE video_stream (id text PRIMARY KEY, "userId" text NOT NULL)');
});
afterAll(async () => {
  await admin.end();
  await database.stop();
});

/** A router that asks the web app whose a stream is, where the web app has given a name to Anna. */
async function withName(name: string, cacheMs: string, act: (two: TwoUsers) => Promise<void>): Promise<void> {
  const env = { STREAM_OWNERS: 'video_stream', SESSION_CACHE_MS: cacheMs };
  const two = await startTwoUsers(env, database.url);
  try {
    await admin.query('INSERT INTO video_stream VALUES ($1, $2)', [name, two.anna.userId]);
    await act(two);
  } finally {
    await two.stop();
  }
}

function registerAs(client: TestClient, streamId: string): void {
  client.send({ type: 'register', clientType: 'mobile', streamId });
}

test('nobody registers or waits for a name that the web app has given to another, while its camera is away', () =>
  withName('nursery', '30000', async (two) => {
    const before = await two.unauthorized();
    const [encoder, viewer] = [await two.openAsBob('register'), await two.openAsBob('subscribe')];
    registerAs(encoder, 'nursery');
    await expectRefusal(encoder, { code: 'UNAUTHORIZED' });
    encoder.send(frameOf(encoder, 'nursery', numberedPicture(666, 64)));
    await expectRefusal(encoder, { code: 'ROUTING_ERROR' });
    viewer.send(subscribeTo('nursery'));
    await expectRefusal(viewer, { code: 'UNAUTHORIZED', streamId: 'nursery' });
    expect(await two.unauthorized()).toBe(before + 2);
    expect((await two.router.stats())['activeStreams']).toEqual([]);

    const waiting = await openViewer(two.router.wsUrl, two.anna.token, 'nursery');
    const anna = await openEncoder(two.router.wsUrl, two.anna.token, { register: { streamId: 'nursery' } });
    anna.encoder.send(frameOf(anna.encoder, 'nursery', numberedPicture(1, 64)));
    await waiting.next('video-frame');
    await expectNothingOfOthers(viewer);
    await expectNothingOfOthers(encoder);
    await Promise.all([encoder, viewer, waiting, anna.encoder].map((client) => client.close()));
  }));

test('nor does who tries again and again, by many connections at once, while answers of the web app run out', () =>
  withName('garage', '0', async (two) => {
    const bobs = await Promise.all(Array.from({ length: 50 }, () => two.openAsBob('register')));
    for (let round = 0; round < 40; round += 1) for (const bob of bobs) registerAs(bob, 'garage');
    const answers = await Promise.all(
      bobs.map(async (bob) => {
        const codes = new Set<string>();
        for (let answer = 0; answer < 40; answer += 1) {
          const { type, code } = await bob.next(() => true);
          codes.add(code ?? type);
        }
        return [...codes];
      }),
    );
    const codes = new Set(answers.flat());
    expect(codes).toContain('UNAUTHORIZED');
    // The router may be too busy to find out whose it is, and says so; what it must not do is give it away.
    expect([...codes].filter((code) => !['UNAUTHORIZED', 'UNAVAILABLE', 'RATE_LIMITED'].includes(code))).toEqual([]);
    expect((await two.router.stats())['activeStreams']).toEqual([]);
    await Promise.all(bobs.map((bob) => bob.close()));
  }));
