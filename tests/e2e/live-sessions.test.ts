import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { frameOf, openEncoder, openViewer, TestClient } from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

const RECHECK_MS = 300;

const { embeddedUrl, postgresUrl } = inject('databases');
const databases = [
  { name: 'the embedded database', url: embeddedUrl },
  ...(postgresUrl === undefined ? [] : [{ name: 'a real Postgres', url: postgresUrl }]),
];

describe.each(databases)('whoever is connected, with sessions in $name', ({ url }) => {
  let router: TestRouter;
  let admin: pg.Pool;

  beforeAll(async () => {
    router = await startTestRouter({ databaseUrl: url, env: { SESSION_RECHECK_MS: String(RECHECK_MS) } });
    admin = new pg.Pool({ connectionString: url, max: 1 });
  });
  afterAll(async () => {
    await admin.end();
    await router.stop();
  });

  const revoke = ({ token }: Account) => admin.query('DELETE FROM session WHERE token = $1', [token]);
  const expire = ({ token }: Account, when: string) =>
    admin.query('UPDATE session SET "expiresAt" = now() + $2::interval WHERE token = $1', [token, when]);

  async function expectSentAway(client: TestClient): Promise<void> {
    expect(await client.next('error')).toMatchObject({ code: 'AUTH_REQUIRED', message: 'The session has ended' });
    expect(await client.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
  }

  async function expectPicture(viewer: TestClient, encoder: TestClient, streamId: string, number: number) {
    encoder.send(frameOf(encoder, streamId, numberedPicture(number, 2_000)));
    const frame = await viewer.next((message) => message['type'] === 'video-frame' && numberOf(message) === number);
    expect(numberOf(frame)).toBe(number);
  }
  const numberOf = (message: { data?: string }) => pictureNumber(Buffer.from(String(message.data), 'base64'));

  test('when a session is revoked all its sockets are sent away within the interval; other sessions of the same user stay', async () => {
    const phone = await router.signUp();
    const lost = await router.accounts.signInAgain(phone);
    const tablet = await router.accounts.signInAgain(phone);
    const { encoder, streamId } = await openEncoder(router.wsUrl, phone.token);
    const staying = await openViewer(router.wsUrl, tablet.token, streamId);
    const going = await Promise.all([0, 1, 2].map(() => openViewer(router.wsUrl, lost.token, streamId)));
    const going2 = (await openEncoder(router.wsUrl, lost.token)).encoder;

    await revoke(lost);
    const began = performance.now();
    await Promise.all([...going, going2].map(expectSentAway));
    // The interval, and what a busy machine takes for it.
    expect(performance.now() - began).toBeLessThan(RECHECK_MS + 5_000);
    await expectPicture(staying, encoder, streamId, 1);

    // Nor does its token open the door again, although it was known a moment ago.
    const again = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${lost.token}`);
    expect((await again.next('error'))['code']).toBe('AUTH_REQUIRED');
    for (const client of [encoder, staying]) await client.close();
  });

  test('a session that expires ends its sockets; one that the web app has extended meanwhile goes on', async () => {
    const short = await router.signUp();
    const extended = await router.signUp();
    await expire(extended, '2 seconds');
    const [ending, going] = await Promise.all(
      [short, extended].map(({ token }) => openViewer(router.wsUrl, token, 'nothing-there')),
    );
    await expire(extended, '1 hour');
    await expire(short, '-1 second');
    await expectSentAway(ending as TestClient);
    going?.send({ type: 'heartbeat' });
    expect(await going?.next('heartbeat')).toBeDefined();
    await going?.close();
  });

  test('the stream of a camera whose session ended waits for it through the grace, and it comes back with a new session', async () => {
    const camera = await router.signUp();
    const fresh = await router.accounts.signInAgain(camera);
    const { encoder, streamId } = await openEncoder(router.wsUrl, camera.token);
    const viewer = await openViewer(router.wsUrl, fresh.token, streamId);
    await revoke(camera);
    await expectSentAway(encoder);
    const back = (await openEncoder(router.wsUrl, fresh.token, { register: { streamId } })).encoder;
    await expectPicture(viewer, back, streamId, 7);
    expect(viewer.messages.filter((message) => message['status'] === 'offline')).toEqual([]);
    for (const client of [back, viewer]) await client.close();
  });

  test('a ticket of a session that was revoked opens nothing any more', async () => {
    const account = await router.signUp();
    const viewer = await openViewer(router.wsUrl, account.token, 'nothing-there');
    const headers = { authorization: `Bearer ${account.token}` };
    const bought = await fetch(`${router.httpUrl}/api/tickets`, { method: 'POST', headers });
    const { ticket } = (await bought.json()) as { ticket: string };
    await revoke(account);
    await expectSentAway(viewer);
    const late = await TestClient.open(`${router.wsUrl}/streams/subscribe?ticket=${ticket}`);
    expect((await late.next('error'))['code']).toBe('AUTH_REQUIRED');
    await until('it is counted', async () => (await router.stats())['connections'].refused.unauthorized > 0);
    expect((await router.stats())['sessions'].ended).toBeGreaterThan(0);
  });
});
