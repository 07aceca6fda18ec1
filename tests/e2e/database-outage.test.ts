import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect, inject, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { frameOf, openEncoder, openViewer, TestClient } from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startPrivatePostgres } from '../support/private-postgres.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

const postgres = await startPrivatePostgres();

/** A camera with a viewer, which notice nothing: every picture arrives, and no other message. */
async function openWitnesses(router: TestRouter, { token }: Account) {
  const { encoder, streamId } = await openEncoder(router.wsUrl, token);
  const viewer = await openViewer(router.wsUrl, token, streamId);
  let sent = 0;
  return {
    viewer,
    async expectNothingNoticed(): Promise<void> {
      sent += 1;
      encoder.send(frameOf(encoder, streamId, numberedPicture(sent, 2_000)));
      const frame = await viewer.next('video-frame');
      expect(pictureNumber(Buffer.from(frame['data'], 'base64'))).toBe(sent);
      const others = viewer.messages.filter(({ type }) => !['video-frame', 'success', 'status'].includes(type));
      expect(others).toEqual([]);
    },
    async leave(): Promise<void> {
      await encoder.close();
      await viewer.close();
    },
  };
}

/** How somebody who connects now is answered: `success`, or the code of the error. */
async function knock(router: TestRouter, { token }: Account): Promise<string> {
  const client = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${token}`);
  client.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'nothing-there' });
  const answer = await client.next(({ type }) => type === 'success' || type === 'error');
  if (answer['type'] === 'success') await client.close();
  else expect((await client.closed).code).toBe(1013);
  return answer['type'] === 'success' ? 'success' : answer['code'];
}

const failedChecks = ({ logLines }: TestRouter) => logLines.filter((line) => line.includes('nobody is closed')).length;

test.skipIf(postgres === undefined)(
  'Postgres is stopped and started: nobody connected notices, newcomers are told to try again and then come in without a restart',
  async () => {
    if (postgres === undefined) throw new Error('skipped');
    onTestFinished(() => postgres.remove());
    // Sessions are not remembered: every newcomer needs the database.
    const env = { SESSION_RECHECK_MS: '200', SESSION_CACHE_MS: '0' };
    const router = await startTestRouter({ databaseUrl: postgres.url, env });
    const account = await router.signUp();
    const witnesses = await openWitnesses(router, account);
    await witnesses.expectNothingNoticed();

    await postgres.stop();
    await until('the sessions could not be checked, twice', () => failedChecks(router) >= 2);
    expect(await knock(router, account)).toBe('UNAVAILABLE');
    await witnesses.expectNothingNoticed();

    await postgres.start();
    await until('newcomers come in', async () => (await knock(router, account)) === 'success');
    await witnesses.expectNothingNoticed();

    // And it looks after sessions again.
    const guest = await router.signUp();
    const revoked = await openViewer(router.wsUrl, guest.token, 'nothing-there');
    await router.accounts.signOut(guest);
    expect((await revoked.closed).code).toBe(1008);
    await witnesses.expectNothingNoticed();
    await witnesses.leave();
    await router.stop();
  },
);

test('a database that accepts connections and answers nothing keeps newcomers waiting for seconds, not for ever, and nobody else', async () => {
  const proxy = await startProxy(new URL(inject('databases').url));
  const router = await startTestRouter({ databaseUrl: proxy.url, env: { SESSION_RECHECK_MS: '200' } });
  const account = await router.signUp();
  const newcomer = await router.signUp();
  const witnesses = await openWitnesses(router, account);

  proxy.hang();
  const began = performance.now();
  const knocking = knock(router, newcomer);
  await witnesses.expectNothingNoticed();
  expect(await knocking).toBe('UNAVAILABLE');
  expect(performance.now() - began).toBeLessThan(15_000);
  // Who is remembered comes in as ever.
  expect(await knock(router, account)).toBe('success');

  // A new server answers at its address; what was connected to the old one stays silent.
  proxy.goOn();
  await until('newcomers come in', async () => (await knock(router, newcomer)) === 'success', 30_000);
  await witnesses.expectNothingNoticed();
  await witnesses.leave();
  await router.stop();
  await proxy.stop();
});

/** Passes everything on to a database, until it is told to hang. Connections that hung once do so for ever. */
async function startProxy(target: URL) {
  let hangs = false;
  const silent = new Set<Socket>();
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        if (hangs) silent.add(client);
        if (!silent.has(client)) to.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  const url = new URL(target.href);
  url.port = String(address.port);
  return {
    url: url.href,
    hang: () => {
      hangs = true;
    },
    goOn: () => {
      hangs = false;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
