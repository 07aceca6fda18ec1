import { expect, test } from 'vitest';
import { TestClient } from '../support/client.ts';
import {
  expectRefusal,
  startDoubler,
  startTwoUsers,
  subscribeTo,
  type TwoUsers,
  toldUntilHeartbeat,
} from '../support/two-users.ts';

/** Ways to write the header by which somebody would be somebody else. */
const forwardings: Record<string, string>[] = [
  { 'x-forwarded-for': '203.0.113.7' },
  { 'x-forwarded-for': '203.0.113.8, 198.51.100.1' },
  { 'x-forwarded-for': '2001:db8::1' },
  { 'x-forwarded-for': 'nonsense' },
  { 'x-forwarded-for': ', , ' },
  { forwarded: 'for=203.0.113.9', 'x-real-ip': '203.0.113.9', 'x-client-ip': '203.0.113.9' },
];

async function withTwoUsers(env: Record<string, string>, act: (two: TwoUsers) => Promise<void>): Promise<void> {
  const two = await startTwoUsers(env);
  try {
    await act(two);
  } finally {
    await two.stop();
  }
}

function openAs({ router }: TwoUsers, token: string, headers: Record<string, string>): Promise<TestClient> {
  return TestClient.open(`${router.wsUrl}/streams/subscribe?token=${token}`, { headers });
}

async function expectFull(client: TestClient): Promise<void> {
  client.send({ type: 'heartbeat' });
  await expectRefusal(client, { code: 'TOO_MANY_CONNECTIONS' });
  expect((await client.closed).code).toBe(1013);
  expect(client.messages).toHaveLength(1);
}

test('who writes X-Forwarded-For, and is no proxy, is counted by the address that it has', () =>
  withTwoUsers({ MAX_CONNECTIONS_PER_IP: '2' }, async (two) => {
    const held = await Promise.all([0, 1].map((one) => openAs(two, two.bob.token, forwardings[one] ?? {})));
    for (const client of held) expect(await toldUntilHeartbeat(client)).toEqual([]);
    for (const headers of forwardings) await expectFull(await openAs(two, two.bob.token, headers));
    expect((await two.router.stats())['connections'].refused.perAddress).toBe(forwardings.length);
    for (const client of held) expect(await toldUntilHeartbeat(client)).toEqual([]);

    await held[0]?.close();
    const next = await openAs(two, two.bob.token, {});
    expect(await toldUntilHeartbeat(next)).toEqual([]);
    await Promise.all([next, ...held].map((client) => client.close()));
  }));

test('behind a trusted proxy everybody is counted by the address that the proxy has written, and no other', () =>
  withTwoUsers({ MAX_CONNECTIONS_PER_IP: '1', TRUSTED_PROXIES: 'loopback' }, async (two) => {
    const anna = await openAs(two, two.anna.token, { 'x-forwarded-for': '203.0.113.7' });
    const bob = await openAs(two, two.bob.token, { 'x-forwarded-for': '203.0.113.8' });
    for (const client of [anna, bob]) expect(await toldUntilHeartbeat(client)).toEqual([]);
    // What stands before it he has written himself.
    for (const invented of ['192.0.2.1', '203.0.113.7', '127.0.0.1']) {
      await expectFull(await openAs(two, two.bob.token, { 'x-forwarded-for': `${invented}, 203.0.113.8` }));
    }
    await Promise.all([anna.close(), bob.close()]);
  }));

test('a proxy that writes a second X-Forwarded-For after the client’s is believed, and the client is not', () =>
  withTwoUsers({ MAX_CONNECTIONS_PER_IP: '1', TRUSTED_PROXIES: 'loopback' }, async (two) => {
    const proxy = await startDoubler(two.router.port);
    const open = (invented: string) => {
      const headers = { 'x-forwarded-for': invented, 'x-second-x-forwarded-for': '203.0.113.8' };
      return TestClient.open(`ws://127.0.0.1:${proxy.port}/streams/subscribe?token=${two.bob.token}`, { headers });
    };
    try {
      const first = await open('192.0.2.1');
      expect(await toldUntilHeartbeat(first)).toEqual([]);
      await expectFull(await open('192.0.2.2'));
      await first.close();
    } finally {
      await proxy.stop();
    }
  }));

test('who tries out tokens is stopped whatever X-Forwarded-For says, and who is known comes in all the same', () =>
  withTwoUsers({ MAX_AUTH_FAILURES_PER_IP: '3' }, async (two) => {
    const hers = await two.openStream();
    const path = `/streams/${hers.id}/snapshot.jpg?token=guess-`;
    const answers: (string | undefined)[] = [];
    for (const [guess, headers] of forwardings.entries()) answers.push((await two.ask(path + guess, { headers })).code);
    expect(answers.slice(0, 3)).toEqual(Array.from({ length: 3 }, () => 'AUTH_REQUIRED'));
    // The fourth may find that a part of the minute has passed.
    expect(answers.slice(4)).toEqual(Array.from({ length: 2 }, () => 'RATE_LIMITED'));
    const bob = await openAs(two, 'guess-again', { 'x-forwarded-for': '203.0.113.99' });
    await expectRefusal(bob, { code: 'RATE_LIMITED' });
    expect((await bob.closed).code).toBe(1013);
    const { unauthorized, failures } = (await two.router.stats())['connections'].refused;
    expect(unauthorized + failures).toBe(forwardings.length + 1);

    await hers.expectUntouched();
    const anna = await openAs(two, two.anna.token, {});
    anna.send(subscribeTo(hers.id));
    expect(await anna.next('video-frame')).toMatchObject({ streamId: hers.id });
    await Promise.all([anna.close(), hers.encoder.close(), hers.viewer.close()]);
  }));

test('who holds all the connections one user may have takes none from another', () =>
  withTwoUsers({ MAX_CONNECTIONS_PER_USER: '2' }, async (two) => {
    const held = await Promise.all([0, 1].map(() => openAs(two, two.bob.token, {})));
    for (const client of held) expect(await toldUntilHeartbeat(client)).toEqual([]);
    await expectFull(await openAs(two, two.bob.token, {}));
    expect((await two.router.stats())['connections'].refused.perUser).toBe(1);
    const hers = await two.openStream();
    await hers.expectUntouched();
    await Promise.all([...held, hers.encoder, hers.viewer].map((client) => client.close()));
  }));
