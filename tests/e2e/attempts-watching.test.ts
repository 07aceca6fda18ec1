import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { frameOf, jpegOf, openEncoder, openViewer, TestClient } from '../support/client.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import {
  type AnnasStream,
  alertOf,
  bearer,
  expectNothingOfOthers,
  expectRefusal,
  startTwoUsers,
  subscribeTo,
  type TwoUsers,
  toldUntilHeartbeat,
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

function asAnna(): Promise<TestClient> {
  return TestClient.open(`${two.router.wsUrl}/streams/subscribe?token=${two.anna.token}`);
}

const wishes: [string, object][] = [
  ['pictures and alerts', {}],
  ['pictures alone', { consumes: ['video-frame'] }],
  ['alerts alone', { consumes: ['alert'] }],
  ['pictures, one at a time', { window: 1 }],
  ['pictures, one a second', { maxFps: 1 }],
  ['nothing at all', { consumes: [] }],
];
test.each(wishes)('a stranger who knows a stream’s name sees nothing of it: asked for %s', async (_name, fields) => {
  const before = await two.unauthorized();
  const bob = await two.openAsBob('subscribe');
  bob.send(subscribeTo(hers.id, fields));
  await expectRefusal(bob, { code: 'UNAUTHORIZED', streamId: hers.id });
  expect(await two.unauthorized()).toBe(before + 1);
  await hers.expectUntouched();
  hers.encoder.send(alertOf(hers.id));
  await hers.viewer.next('alert');
  await expectNothingOfOthers(bob);

  const anna = await asAnna();
  anna.send(subscribeTo(hers.id, fields));
  expect(await anna.next('success')).toMatchObject({ streamId: hers.id });
  await Promise.all([bob.close(), anna.close()]);
});

test('a stranger’s stream in a list is refused by its name, and the own one beside it is watched', async () => {
  const { encoder, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token);
  const list = { type: 'subscribe', clientType: 'dashboard', streamIds: [his, hers.id] };
  const bob = await two.openAsBob('subscribe');
  bob.send(list);
  const answers = await toldUntilHeartbeat(bob);
  expect(answers).toMatchObject([
    { type: 'success', streamId: his },
    { type: 'status', streamId: his, status: 'online' },
    { type: 'error', code: 'UNAUTHORIZED', streamId: hers.id },
  ]);
  await hers.expectUntouched();
  encoder.send(frameOf(encoder, his, numberedPicture(77, 64)));
  expect(pictureNumber(jpegOf(await bob.next('video-frame')))).toBe(77);
  await expectNothingOfOthers(bob, [his]);

  const anna = await asAnna();
  anna.send(list);
  expect(await anna.next('error')).toMatchObject({ code: 'UNAUTHORIZED', streamId: his });
  expect(await anna.next('video-frame')).toMatchObject({ streamId: hers.id });
  await Promise.all([bob.close(), anna.close(), encoder.close()]);
});

test('who asks for all streams gets the own ones, and nobody else’s, neither live ones nor those that begin', async () => {
  const { encoder, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token);
  const [bob, anna] = [await two.openAsBob('subscribe'), await asAnna()];
  for (const client of [bob, anna]) client.send(subscribeTo('*'));
  const another = await two.openStream();
  for (const stream of [hers, another]) {
    stream.encoder.send(alertOf(stream.id));
    await stream.viewer.next('alert');
    await stream.encoder.next('alert');
    await stream.expectUntouched();
    await anna.next((message) => message['type'] === 'alert' && message['streamId'] === stream.id);
  }
  encoder.send(frameOf(encoder, his, numberedPicture(78, 64)));
  expect(pictureNumber(jpegOf(await bob.next('video-frame')))).toBe(78);
  await expectNothingOfOthers(bob, ['*', his]);
  await expectNothingOfOthers(anna, ['*', hers.id, another.id]);
  await another.end(two);
  await Promise.all([bob.close(), anna.close(), encoder.close()]);
});

test('who waited for a name before its owner came is told that it is not theirs, and sees nothing of it', async () => {
  const name = `nursery-${randomBytes(4).toString('hex')}`;
  const bob = await two.openAsBob('subscribe');
  bob.send(subscribeTo(name));
  expect(await bob.next('status')).toMatchObject({ streamId: name, status: 'offline' });
  const anna = await openViewer(two.router.wsUrl, two.anna.token, name);
  const before = await two.unauthorized();

  const { encoder } = await openEncoder(two.router.wsUrl, two.anna.token, { register: { streamId: name } });
  encoder.send(frameOf(encoder, name, numberedPicture(79, 64)));
  expect(pictureNumber(jpegOf(await anna.next('video-frame')))).toBe(79);
  expect(await toldUntilHeartbeat(bob)).toMatchObject([{ type: 'error', code: 'UNAUTHORIZED', streamId: name }]);
  expect(await two.unauthorized()).toBe(before + 1);

  // Nor does he still wait for it: it ends and comes anew, and he hears nothing.
  const path = `/api/users/${two.anna.userId}/streams/${name}`;
  const deleted = await two.ask(path, { method: 'DELETE', headers: bearer(two.anna) });
  expect(deleted.status).toBe(200);
  const again = await openEncoder(two.router.wsUrl, two.anna.token, { register: { streamId: name } });
  await anna.next((message) => message['status'] === 'online');
  expect(await toldUntilHeartbeat(bob)).toEqual([]);
  bob.send({ type: 'unsubscribe', streamId: name });
  await expectRefusal(bob, { code: 'ROUTING_ERROR' });
  await two.ask(path, { method: 'DELETE', headers: bearer(two.anna) });
  await Promise.all([bob, anna, encoder, again.encoder].map((client) => client.close()));
});

test('nobody acknowledges another viewer’s pictures: its window stays as full as it was', async () => {
  const anna = await asAnna();
  anna.send(subscribeTo(hers.id, { window: 1 }));
  const first = await anna.next('video-frame');
  expect(pictureNumber(jpegOf(first))).toBe(hers.pictures);
  await hers.expectUntouched();

  const bob = await two.openAsBob('subscribe');
  bob.send({ type: 'ack', streamId: hers.id, received: 1 });
  await expectRefusal(bob, { code: 'ROUTING_ERROR' });
  expect(await toldUntilHeartbeat(anna)).toEqual([]);
  await expectNothingOfOthers(bob);

  anna.send({ type: 'ack', streamId: hers.id, received: 1 });
  expect(pictureNumber(jpegOf(await anna.next('video-frame')))).toBe(hers.pictures);
  await Promise.all([bob.close(), anna.close()]);
});

test('nobody unsubscribes another viewer', async () => {
  const bob = await two.openAsBob('subscribe');
  for (const streamId of [hers.id, '*']) {
    bob.send({ type: 'unsubscribe', streamId });
    await expectRefusal(bob, { code: 'ROUTING_ERROR' });
  }
  await hers.expectUntouched();
  await expectNothingOfOthers(bob);

  hers.viewer.send({ type: 'unsubscribe', streamId: hers.id });
  expect(await hers.viewer.next('success')).toMatchObject({ message: 'Unsubscribed' });
  await bob.close();
});

test('the id of an alert brings nobody the alerts of another’s streams, live or ended', async () => {
  for (const message of ['first', 'second']) hers.encoder.send(alertOf(hers.id, { message }));
  const { id: since } = await hers.viewer.next('alert');
  await hers.viewer.next('alert');
  for (const _ of ['first', 'second']) await hers.encoder.next('alert');
  const { encoder, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token);

  const bob = await two.openAsBob('subscribe');
  bob.send(subscribeTo(hers.id, { since }));
  await expectRefusal(bob, { code: 'UNAUTHORIZED', streamId: hers.id });
  bob.send({ type: 'subscribe', clientType: 'dashboard', streamIds: [his, hers.id], since });
  bob.send(subscribeTo('*', { since }));
  await expectNothingOfOthers(bob, ['*', his]);
  expect(bob.messages.filter(({ type }) => type === 'success')).toHaveLength(2);
  await hers.expectUntouched();

  const anna = await asAnna();
  anna.send(subscribeTo(hers.id, { since }));
  expect(await anna.next('alert')).toMatchObject({ message: 'second' });

  await hers.end(two);
  bob.send(subscribeTo(hers.id, { since }));
  bob.send(subscribeTo('*', { since }));
  const told = await toldUntilHeartbeat(bob);
  expect(told.filter(({ type }) => type === 'alert')).toEqual([]);
  const later = await asAnna();
  later.send(subscribeTo(hers.id, { since }));
  expect(await later.next('alert')).toMatchObject({ message: 'second' });
  await Promise.all([bob, anna, later, encoder].map((client) => client.close()));
});

test('where everybody may watch, a stream is still its owner’s: no one else sends, ends, lists or takes it', async () => {
  const open = await startTwoUsers({ STREAM_ACCESS: 'authenticated' });
  const stream = await open.openStream();
  const bob = await open.openAsBob('subscribe');
  bob.send(subscribeTo(stream.id));
  expect(await bob.next('video-frame')).toMatchObject({ streamId: stream.id });
  expect((await open.ask(`/streams/${stream.id}/snapshot.jpg`, { headers: bearer(open.bob) })).status).toBe(200);
  const all = await open.openAsBob('subscribe');
  all.send(subscribeTo('*'));

  bob.send(alertOf(stream.id));
  await expectRefusal(bob, { code: 'UNAUTHORIZED' });
  const encoder = await open.openAsBob('register');
  for (const fields of [{ streamId: stream.id }, { resumeToken: stream.resumeToken }]) {
    encoder.send({ type: 'register', clientType: 'mobile', ...fields });
    await expectRefusal(encoder, { code: 'UNAUTHORIZED' });
  }
  encoder.send(frameOf(encoder, stream.id, numberedPicture(666, 64)));
  await expectRefusal(encoder, { code: 'ROUTING_ERROR' });
  for (const { userId } of [open.anna, open.bob]) {
    const path = `/api/users/${userId}/streams/${stream.id}`;
    expect((await open.ask(path, { method: 'DELETE', headers: bearer(open.bob) })).status).toBe(403);
  }
  expect((await open.ask(`/api/users/${open.anna.userId}/streams`, { headers: bearer(open.bob) })).status).toBe(403);
  await stream.expectUntouched();
  await expectNothingOfOthers(all, ['*']);
  await Promise.all([bob, all, encoder].map((client) => client.close()));
  await stream.end(open);
  await open.stop();
});
