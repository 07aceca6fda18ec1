import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { frameOf, openEncoder, TestClient } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import {
  type AnnasStream,
  alertOf,
  bearer,
  cookieOf,
  type Doubler,
  expectNothingOfOthers,
  expectRefusal,
  expectTurnedAway,
  startDoubler,
  startTwoUsers,
  subscribeTo,
  type TwoUsers,
  toldUntilHeartbeat,
} from '../support/two-users.ts';

let two: TwoUsers;
let hers: AnnasStream;
let doubler: Doubler;

beforeAll(async () => {
  two = await startTwoUsers();
  doubler = await startDoubler(two.router.port);
});
afterAll(async () => {
  await doubler.stop();
  await two.stop();
});
beforeEach(async () => {
  hers = await two.openStream();
});
afterEach(() => hers.end(two));

interface Shown {
  query?: string;
  headers?: Record<string, string>;
}

/** Through the doubler, so that `x-second-…` is a second header of that name. */
function openWith({ query = '', headers = {} }: Shown, path = 'subscribe'): Promise<TestClient> {
  return TestClient.open(`ws://127.0.0.1:${doubler.port}/streams/${path}?${query}`, { headers });
}

function snapshotWith({ query = '', headers = {} }: Shown) {
  return two.ask(`/streams/${hers.id}/snapshot.jpg?${query}`, { headers, port: doubler.port });
}

/** Two keys at once: whoever stands before the router may have looked at the other one. */
const ambiguous: [string, () => Shown][] = [
  ['two tokens in the query', () => ({ query: `token=${two.bob.token}&token=${two.anna.token}` })],
  ['two tokens in the query, hers first', () => ({ query: `token=${two.anna.token}&token=${two.bob.token}` })],
  ['two tokens with much between them', () => ({ query: `token=${two.bob.token}&a=${'b'.repeat(500)}&token=x` })],
  ['two Authorization headers', () => twice('authorization', `Bearer ${two.bob.token}`, `Bearer ${two.anna.token}`)],
  ['two of them, hers first', () => twice('authorization', `Bearer ${two.anna.token}`, `Bearer ${two.bob.token}`)],
  ['another scheme before a bearer', () => twice('authorization', 'Basic Ym9iOmJvYg==', `Bearer ${two.anna.token}`)],
  ['an empty header before a bearer', () => twice('authorization', '', `Bearer ${two.anna.token}`)],
  ['two bearers in one header', () => authorization(`Bearer ${two.bob.token}, Bearer ${two.anna.token}`)],
  ['two tokens of one bearer', () => authorization(`Bearer ${two.bob.token} ${two.anna.token}`)],
  ['two tokens of one bearer with a comma', () => authorization(`Bearer ${two.bob.token},${two.anna.token}`)],
  ['a bad bearer before a good cookie', () => authorization('Bearer nobodys', cookieOf(two.anna))],
  ['an empty bearer before a good cookie', () => authorization('Bearer ', cookieOf(two.anna))],
  ['a bad token before a good bearer', () => ({ query: 'token=nobodys', headers: bearer(two.anna) })],
  ['a bad cookie before a good one', () => twice('cookie', 'better-auth.session_token=x', cookieOf(two.anna))],
];

function twice(name: string, first: string, second: string): Shown {
  return { headers: { [name]: first, [`x-second-${name}`]: second } };
}

function authorization(value: string, cookie?: string): Shown {
  return { headers: { authorization: value, ...(cookie === undefined ? {} : { cookie }) } };
}

test.each(ambiguous)('%s open no door', async (_name, shown) => {
  for (const path of ['subscribe', 'register']) await expectTurnedAway(await openWith(shown(), path));
  const { status, code } = await snapshotWith(shown());
  expect([status, code]).toEqual([401, 'AUTH_REQUIRED']);
  await hers.expectUntouched();
});

/** Bob's own good session, and beside it something that says Anna. */
const disguises: [string, () => Shown][] = [
  ['user_id in the query', () => ({ query: `token=${two.bob.token}&user_id=${two.anna.userId}` })],
  ['userId in the query', () => ({ query: `userId=${two.anna.userId}&token=${two.bob.token}` })],
  ['her token under another name', () => ({ query: `token=${two.bob.token}&Token=${two.anna.token}` })],
  ['her token in a fragment of his', () => ({ query: `token=${two.bob.token}&x=?token=${two.anna.token}` })],
  [
    'her id in headers',
    () => ({ headers: { ...bearer(two.bob), 'x-user-id': two.anna.userId, from: two.anna.userId } }),
  ],
  ['her cookie beside his bearer', () => ({ headers: { ...bearer(two.bob), cookie: cookieOf(two.anna) } })],
  ['her bearer beside his token', () => ({ query: `token=${two.bob.token}`, headers: bearer(two.anna) })],
  ['her cookie beside his token', () => ({ query: `token=${two.bob.token}`, headers: { cookie: cookieOf(two.anna) } })],
  ['her cookie after his', () => ({ headers: { cookie: `${cookieOf(two.bob)}; ${cookieOf(two.anna)}` } })],
  ['her cookie in a second header', () => twice('cookie', cookieOf(two.bob), cookieOf(two.anna))],
  [
    'her unsigned token in his cookie',
    () => ({ headers: { cookie: `${cookieOf(two.bob)}; token=${two.anna.token}` } }),
  ],
];

describe.each(disguises)('with %s', (_name, shown) => {
  test('Bob stays Bob', async () => {
    const before = await two.unauthorized();
    const viewer = await openWith(shown());
    viewer.send(subscribeTo(hers.id));
    await expectRefusal(viewer, { code: 'UNAUTHORIZED', streamId: hers.id });
    const encoder = await openWith(shown(), 'register');
    encoder.send({ type: 'register', clientType: 'mobile', streamId: hers.id });
    await expectRefusal(encoder, { code: 'UNAUTHORIZED' });
    const { status, code } = await snapshotWith(shown());
    expect([status, code]).toEqual([403, 'UNAUTHORIZED']);
    expect(await two.unauthorized()).toBe(before + 3);
    await hers.expectUntouched();

    encoder.send({ type: 'register', clientType: 'mobile' });
    const { streamId: his } = await encoder.next('success');
    viewer.send(subscribeTo('*'));
    expect(await viewer.next('status')).toMatchObject({ streamId: his });
    await expectNothingOfOthers(viewer, ['*', his]);
    await Promise.all([viewer.close(), encoder.close()]);
  });
});

const keys: [string, () => Shown][] = [
  ['her token', () => ({ query: `token=${two.anna.token}` })],
  ['her token twice', () => ({ query: `token=${two.anna.token}&token=${two.anna.token}` })],
  ['her bearer', () => ({ headers: bearer(two.anna) })],
  ['her cookie', () => ({ headers: { cookie: cookieOf(two.anna) } })],
  ['her bearer beside his cookie', () => ({ headers: { ...bearer(two.anna), cookie: cookieOf(two.bob) } })],
  ['her cookie in a second header, after one of another name', () => twice('cookie', 'theme=dark', cookieOf(two.anna))],
];
test.each(keys)('with %s Anna is Anna', async (_name, shown) => {
  const viewer = await openWith(shown());
  viewer.send(subscribeTo(hers.id));
  expect(await viewer.next('video-frame')).toMatchObject({ streamId: hers.id });
  expect((await snapshotWith(shown())).status).toBe(200);
  await viewer.close();
});

test('a name in a message is not who sends it', async () => {
  const forged = { userId: two.anna.userId, user_id: two.anna.userId, ownerId: two.anna.userId, __proto__: undefined };
  const names = { ...forged, principal: { userId: two.anna.userId }, user: { id: two.anna.userId } };
  const viewer = await two.openAsBob('subscribe');
  viewer.send(subscribeTo(hers.id, names));
  await expectRefusal(viewer, { code: 'UNAUTHORIZED', streamId: hers.id });
  viewer.send(subscribeTo('*', names));
  const register = { ...names, metadata: names, produces: ['video-frame', 'alert'] };
  const { encoder, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token, { register });
  encoder.send(frameOf(encoder, his, numberedPicture(80, 64), names));
  encoder.send(alertOf(his, names));
  await viewer.next('alert');
  await hers.expectUntouched();
  await expectNothingOfOthers(viewer, ['*', his]);
  const list = await two.ask(`/api/users/${two.bob.userId}/streams`, { headers: bearer(two.bob) });
  expect(list.json['streams']).toMatchObject([{ stream_id: his, status: 'streaming' }]);
  await Promise.all([viewer.close(), encoder.close()]);
});

test('a prototype in a message is nobody’s name', async () => {
  const viewer = await two.openAsBob('subscribe');
  const inherited = `{"userId":"${two.anna.userId}","principal":{"userId":"${two.anna.userId}"}}`;
  viewer.sendRaw(`{"__proto__":${inherited},"type":"subscribe","clientType":"dashboard","streamId":"${hers.id}"}`);
  await expectRefusal(viewer, { code: 'UNAUTHORIZED', streamId: hers.id });
  await hers.expectUntouched();
  await viewer.close();
});

test('a token in a message counts for nothing on a connection that has a session', async () => {
  const viewer = await two.openAsBob('subscribe');
  viewer.send(subscribeTo(hers.id, { token: two.anna.token }));
  await expectRefusal(viewer, { code: 'UNAUTHORIZED', streamId: hers.id });
  const encoder = await two.openAsBob('register');
  encoder.send({ type: 'register', clientType: 'mobile', streamId: hers.id, token: two.anna.token });
  await expectRefusal(encoder, { code: 'UNAUTHORIZED' });
  await hers.expectUntouched();
  await expectNothingOfOthers(viewer);
  await Promise.all([viewer.close(), encoder.close()]);
});

test('on a connection that showed nothing, the first token decides', async () => {
  const viewer = await openWith({});
  viewer.send({ type: 'auth', token: two.bob.token });
  viewer.send({ type: 'auth', token: two.anna.token });
  viewer.send(subscribeTo(hers.id, { token: two.anna.token }));
  expect(await toldUntilHeartbeat(viewer)).toMatchObject([
    { type: 'success', message: 'Authentication successful' },
    { type: 'error', code: 'UNAUTHORIZED' },
    { type: 'error', code: 'UNAUTHORIZED', streamId: hers.id },
  ]);
  await hers.expectUntouched();
  await expectNothingOfOthers(viewer);

  const anna = await openWith({});
  anna.send(subscribeTo(hers.id, { token: two.anna.token }));
  expect(await anna.next('video-frame')).toMatchObject({ streamId: hers.id });
  await Promise.all([viewer.close(), anna.close()]);
});

const unauthenticated: [string, () => object][] = [
  ['a subscription without a token', () => subscribeTo(hers.id)],
  ['a subscription with an owner’s id', () => subscribeTo(hers.id, { userId: two.anna.userId })],
  ['an auth with a token of nobody', () => ({ type: 'auth', token: 'nobodys' })],
  ['a heartbeat', () => ({ type: 'heartbeat' })],
];
test.each(unauthenticated)('a connection that showed nothing is turned away for %s', async (_name, message) => {
  const client = await openWith({});
  client.send(message());
  client.send(subscribeTo(hers.id, { token: two.anna.token }));
  await expectTurnedAway(client);
  await hers.expectUntouched();
});

test('auth makes nobody somebody else: with another’s token, or a bad one, a connection stays what it was', async () => {
  const viewer = await two.openAsBob('subscribe');
  const { encoder, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token);
  const before = await two.unauthorized();
  for (const client of [viewer, encoder]) {
    for (const token of [two.anna.token, decodeURIComponent(two.anna.cookie), 'nobodys']) {
      client.send({ type: 'auth', token });
      await expectRefusal(client, { code: 'UNAUTHORIZED' });
    }
  }
  expect(await two.unauthorized()).toBe(before + 6);
  viewer.send(subscribeTo(hers.id));
  await expectRefusal(viewer, { code: 'UNAUTHORIZED', streamId: hers.id });
  encoder.send(frameOf(encoder, hers.id, numberedPicture(666, 64)));
  await expectRefusal(encoder, { code: 'ROUTING_ERROR' });
  await hers.expectUntouched();

  encoder.send(frameOf(encoder, his, numberedPicture(81, 64)));
  viewer.send(subscribeTo(his));
  await viewer.next('video-frame');
  await expectNothingOfOthers(viewer, [his]);
  viewer.send({ type: 'auth', token: two.bob.token });
  expect(await viewer.next('success')).toMatchObject({ message: 'Authentication successful' });
  await Promise.all([viewer.close(), encoder.close()]);
});

test('where sessions are checked before the upgrade, who is refused there gets no connection at all', async () => {
  const strict = await startTwoUsers({ AUTH_REJECT_AT_UPGRADE: 'true' });
  const stream = await strict.openStream();
  const used = await strict.ticketOf(strict.anna);
  expect((await strict.ask(`/streams/${stream.id}/snapshot.jpg?ticket=${used}`)).status).toBe(200);
  const twoTokens = `token=${strict.bob.token}&token=${strict.anna.token}`;
  for (const query of ['', 'token=nobodys', twoTokens, `ticket=${used}`]) {
    const opening = TestClient.open(`${strict.router.wsUrl}/streams/subscribe?${query}`);
    await expect(opening).rejects.toThrow('Unexpected server response: 401');
  }
  const bob = await strict.openAsBob('subscribe');
  bob.send(subscribeTo(stream.id, { token: strict.anna.token }));
  await expectRefusal(bob, { code: 'UNAUTHORIZED', streamId: stream.id });
  await stream.expectUntouched();
  await expectNothingOfOthers(bob);
  await bob.close();
  await stream.end(strict);
  await strict.stop();
});
