import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { TestClient } from '../support/client.ts';
import {
  type AnnasStream,
  bearer,
  expectNothingOfOthers,
  expectRefusal,
  expectTurnedAway,
  startTwoUsers,
  subscribeTo,
  type TwoUsers,
} from '../support/two-users.ts';

let two: TwoUsers;
let hers: AnnasStream;

beforeAll(async () => {
  two = await startTwoUsers();
});
afterAll(() => two.stop());
beforeEach(async () => {
  hers = await two.openStream();
});
afterEach(() => hers.end(two));

function openWith(query: string, path = 'subscribe'): Promise<TestClient> {
  return TestClient.open(`${two.router.wsUrl}/streams/${path}?${query}`);
}

test('a ticket is its buyer’s: it opens nothing of another’s', async () => {
  const viewer = await openWith(`ticket=${await two.ticketOf(two.bob)}`);
  viewer.send(subscribeTo(hers.id));
  await expectRefusal(viewer, { code: 'UNAUTHORIZED', streamId: hers.id });
  const encoder = await openWith(`ticket=${await two.ticketOf(two.bob)}`, 'register');
  encoder.send({ type: 'register', clientType: 'mobile', streamId: hers.id });
  await expectRefusal(encoder, { code: 'UNAUTHORIZED' });
  const picture = await two.ask(`/streams/${hers.id}/snapshot.jpg?ticket=${await two.ticketOf(two.bob)}`);
  expect([picture.status, picture.code]).toEqual([403, 'UNAUTHORIZED']);
  const path = `/api/users/${two.anna.userId}/streams/${hers.id}?ticket=${await two.ticketOf(two.bob)}`;
  expect((await two.ask(path, { method: 'DELETE' })).status).toBe(403);
  await hers.expectUntouched();
  await expectNothingOfOthers(viewer);
  await Promise.all([viewer.close(), encoder.close()]);
});

test('a ticket of the owner’s opens her stream, once, and a second connection with it is turned away', async () => {
  const query = `ticket=${await two.ticketOf(two.anna)}`;
  const first = await openWith(query);
  first.send(subscribeTo(hers.id));
  expect(await first.next('video-frame')).toMatchObject({ streamId: hers.id });
  const second = await openWith(query);
  second.send(subscribeTo(hers.id));
  await expectTurnedAway(second);
  await hers.expectUntouched();
  await first.close();
});

test('of connections that race with one ticket one gets in', async () => {
  const query = `ticket=${await two.ticketOf(two.anna)}`;
  const racing = await Promise.all(Array.from({ length: 8 }, () => openWith(query)));
  for (const client of racing) client.send(subscribeTo(hers.id));
  const answers = await Promise.all(racing.map((client) => client.next(() => true)));
  expect(answers.filter(({ type }) => type === 'success')).toHaveLength(1);
  expect(answers.filter(({ code }) => code === 'AUTH_REQUIRED')).toHaveLength(7);
  await hers.expectUntouched();
  await Promise.all(racing.map((client) => client.close()));
});

test('a ticket that a picture was fetched with opens no WebSocket, and the other way round', async () => {
  const [spentOnPicture, spentOnSocket] = [await two.ticketOf(two.anna), await two.ticketOf(two.anna)];
  const path = `/streams/${hers.id}/snapshot.jpg?ticket=`;
  expect((await two.ask(path + spentOnPicture)).status).toBe(200);
  await expectTurnedAway(await openWith(`ticket=${spentOnPicture}`));
  const socket = await openWith(`ticket=${spentOnSocket}`);
  socket.send(subscribeTo(hers.id));
  await socket.next('success');
  expect((await two.ask(path + spentOnSocket)).status).toBe(401);
  await socket.close();
});

const bad: [string, () => Promise<string>][] = [
  ['an invented ticket', async () => `ticket=${randomBytes(32).toString('base64url')}`],
  ['a session token in a ticket’s place', async () => `ticket=${two.anna.token}`],
  ['a ticket in a token’s place', async () => `token=${await two.ticketOf(two.anna)}`],
  ['a ticket with one character more', async () => `ticket=${await two.ticketOf(two.anna)}A`],
  ['two tickets', async () => `ticket=${await two.ticketOf(two.bob)}&ticket=${await two.ticketOf(two.anna)}`],
  ['a bad ticket before a good token', async () => `ticket=invented&token=${two.anna.token}`],
];
test.each(bad)('%s opens no door', async (_name, query) => {
  const shown = await query();
  await expectTurnedAway(await openWith(shown));
  await expectTurnedAway(await openWith(shown, 'register'));
  const picture = await two.ask(`/streams/${hers.id}/snapshot.jpg?${shown}`);
  expect([picture.status, picture.code]).toEqual([401, 'AUTH_REQUIRED']);
  await hers.expectUntouched();
});

test('a ticket buys no ticket, and is still good for what it is for', async () => {
  const ticket = await two.ticketOf(two.anna);
  for (const headers of [{}, bearer(two.anna)]) {
    const { status, code } = await two.ask(`/api/tickets?ticket=${ticket}`, { method: 'POST', headers });
    expect([status, code]).toEqual([401, 'AUTH_REQUIRED']);
  }
  expect((await two.ask(`/streams/${hers.id}/snapshot.jpg?ticket=${ticket}`)).status).toBe(200);
});

test('a ticket counts before a token: Bob’s ticket with Anna’s token is Bob', async () => {
  const client = await openWith(`token=${two.anna.token}&ticket=${await two.ticketOf(two.bob)}`);
  client.send(subscribeTo(hers.id));
  await expectRefusal(client, { code: 'UNAUTHORIZED', streamId: hers.id });
  await hers.expectUntouched();
  await expectNothingOfOthers(client);
  await client.close();
});

test('who hoards tickets gets no more of them, and takes none from anybody else', async () => {
  const hoarder = await two.router.signUp();
  const buy = () => two.ask('/api/tickets', { method: 'POST', headers: bearer(hoarder) });
  const bought = await Promise.all(Array.from({ length: 101 }, buy));
  expect(bought.filter(({ status }) => status === 201)).toHaveLength(100);
  expect(bought.filter(({ code }) => code === 'RATE_LIMITED').map(({ status }) => status)).toEqual([429]);
  expect(await two.ticketOf(two.anna)).toMatch(/^[\w-]{43}$/);
});
