import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { frameOf, openEncoder, TestClient, type TestEncoding } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import {
  type AnnasStream,
  alertOf,
  expectNothingOfOthers,
  expectRefusal,
  startTwoUsers,
  type TwoUsers,
} from '../support/two-users.ts';
import { until } from '../support/until.ts';

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

/** A registration by which somebody would get hold of Anna's stream. */
const takeovers: [string, () => object][] = [
  ['its name', () => ({ streamId: hers.id })],
  ['its resume token', () => ({ resumeToken: hers.resumeToken })],
  ['its name and its resume token', () => ({ streamId: hers.id, resumeToken: hers.resumeToken })],
  ['its resume token, for a new name', () => ({ streamId: 'bobs-own', resumeToken: hers.resumeToken })],
  ['its name, and a resume token of nobody', () => ({ streamId: hers.id, resumeToken: 'nobodys' })],
  ['its name, and the owner’s id', () => ({ streamId: hers.id, userId: two.anna.userId, user_id: two.anna.userId })],
];

function registerWith(fields: object): object {
  return { type: 'register', clientType: 'mobile', produces: ['video-frame', 'alert'], consumes: ['alert'], ...fields };
}

test.each(takeovers)('nobody takes over another’s live camera with %s', async (_name, fields) => {
  const before = await two.unauthorized();
  const bob = await two.openAsBob('register');
  bob.send(registerWith(fields()));
  await expectRefusal(bob, { code: 'UNAUTHORIZED' });
  expect(await two.unauthorized()).toBe(before + 1);

  // Nor has the refused attempt bound him to it by half.
  bob.send(frameOf(bob, hers.id, numberedPicture(666, 64)));
  await expectRefusal(bob, { code: 'ROUTING_ERROR' });
  bob.send(alertOf(hers.id));
  await expectRefusal(bob, { code: 'ROUTING_ERROR' });
  await hers.expectUntouched();
  await expectNothingOfOthers(bob);

  bob.send(registerWith({}));
  expect((await bob.next('success'))['streamId']).not.toBe(hers.id);
  await hers.expectUntouched();
  await bob.close();
});

test.each(takeovers)('nobody slips in with %s while a camera has lost its network', async (_name, fields) => {
  const { producers } = await stats();
  await hers.encoder.close();
  await until('the encoder is gone', async () => (await stats()).producers === producers - 1);

  const bob = await two.openAsBob('register');
  bob.send(registerWith(fields()));
  await expectRefusal(bob, { code: 'UNAUTHORIZED' });
  bob.send(frameOf(bob, hers.id, numberedPicture(666, 64)));
  await expectRefusal(bob, { code: 'ROUTING_ERROR' });
  await hers.expectViewerUndisturbed();
  expect(await stats()).toMatchObject({ producers: producers - 1, live: expect.arrayContaining([hers.id]) });
  await expectNothingOfOthers(bob);
  await bob.close();

  const register = { resumeToken: hers.resumeToken, produces: ['video-frame', 'alert'] };
  const back = await openEncoder(two.router.wsUrl, two.anna.token, { register });
  expect(back.streamId).toBe(hers.id);
  hers.encoder = back.encoder;
  await hers.expectUntouched();
});

async function stats(): Promise<{ producers: number; live: string[] }> {
  const { totalProducers, activeStreams } = await two.router.stats();
  return { producers: totalProducers, live: activeStreams };
}

test('the owner takes over with the name or the resume token, and the viewer notices nothing', async () => {
  for (const fields of [{ streamId: hers.id }, { resumeToken: hers.resumeToken }]) {
    const older = hers.encoder;
    const register = { produces: ['video-frame', 'alert'], ...fields };
    const { encoder, streamId } = await openEncoder(two.router.wsUrl, two.anna.token, { register });
    expect(streamId).toBe(hers.id);
    expect((await older.closed).code).toBe(4409);
    hers.encoder = encoder;
    await hers.expectUntouched();
  }
});

const ENCODINGS: TestEncoding[] = ['json', 'msgpack'];

describe.each(ENCODINGS)('with a %s encoder', (encoding) => {
  const url = () => `${two.router.wsUrl}/streams/register?token=${two.bob.token}`;

  test('nobody puts a picture into another’s stream', async () => {
    const before = (await two.router.stats())['frames'].rejected.notYours;
    const { encoder: bob, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token, { encoding });
    const stranger = await TestClient.open(url(), { encoding });
    for (const client of [bob, stranger]) {
      client.send(frameOf(client, hers.id, numberedPicture(666, 64), { userId: two.anna.userId }));
      await expectRefusal(client, { code: 'ROUTING_ERROR' });
    }
    await hers.expectUntouched();
    expect((await two.router.stats())['frames'].rejected.notYours).toBe(before + 2);
    await expectNothingOfOthers(bob, [his]);
    await expectNothingOfOthers(stranger);
    await Promise.all([bob.close(), stranger.close()]);
  });

  test('nobody raises an alert about another’s stream', async () => {
    const register = { produces: ['video-frame', 'alert'] };
    const { encoder: bob, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token, { encoding, register });
    const stranger = await TestClient.open(url(), { encoding });
    const before = (await two.router.stats())['alerts'];
    for (const client of [bob, stranger]) {
      client.send(alertOf(hers.id, { userId: two.anna.userId, user_id: two.anna.userId }));
      await expectRefusal(client, { code: 'ROUTING_ERROR' });
    }
    await hers.expectUntouched();
    expect((await two.router.stats())['alerts']).toEqual({ ...before, refused: before.refused + 2 });
    await expectNothingOfOthers(bob, [his]);
    await Promise.all([bob.close(), stranger.close()]);
  });
});

test('a dashboard raises no alert, not even about its own stream', async () => {
  const bob = await two.openAsBob('subscribe');
  const anna = await TestClient.open(`${two.router.wsUrl}/streams/subscribe?token=${two.anna.token}`);
  const before = await two.unauthorized();
  for (const client of [bob, anna]) {
    client.send(alertOf(hers.id));
    await expectRefusal(client, { code: 'UNAUTHORIZED' });
  }
  expect(await two.unauthorized()).toBe(before + 2);
  await hers.expectUntouched();
  await expectNothingOfOthers(bob);
  await Promise.all([bob.close(), anna.close()]);
});

test('an encoder that did not say so raises no alert; one that did is heard', async () => {
  const { encoder: bob, streamId: his } = await openEncoder(two.router.wsUrl, two.bob.token);
  bob.send(alertOf(his));
  await expectRefusal(bob, { code: 'UNAUTHORIZED' });
  hers.encoder.send(alertOf(hers.id));
  expect(await hers.viewer.next(() => true)).toMatchObject({ type: 'alert', streamId: hers.id });
  expect(await hers.encoder.next(() => true)).toMatchObject({ type: 'alert', streamId: hers.id });
  await expectNothingOfOthers(bob, [his]);
  await bob.close();
});
