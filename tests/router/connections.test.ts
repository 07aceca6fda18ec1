import { describe, expect, test } from 'vitest';
import { connectionPage, type Onlooker } from '../../src/router/connections.ts';
import { highest } from '../../src/router/highest.ts';
import type { OpenConnection } from '../../src/router/open-connection.ts';
import { Viewer } from '../../src/router/viewer.ts';
import { type FakeEncoder, type FakeViewer, World, type WorldOptions } from './fakes.ts';

const OPERATOR: Onlooker = { kind: 'operator' };
const LARGE_BYTES = 600;

/** A world, and the connections that its gateway would know. */
class Connected {
  readonly world: World;
  readonly #connections: OpenConnection[] = [];

  constructor(options: WorldOptions = {}) {
    this.world = new World(options);
  }

  add(client: FakeEncoder | FakeViewer): OpenConnection {
    const side =
      'link' in client
        ? ({ role: 'encoder', link: client.link } as const)
        : ({ role: 'viewer', viewer: client.viewer } as const);
    const { peer } = 'link' in client ? client.link : client.viewer;
    const id = this.#connections.length + 1;
    const sinceMs = this.world.clock.monotonicMs();
    const facts = { transport: 'websocket', path: '/ws', address: '192.0.2.1', rttMs: undefined } as const;
    this.#connections.push({ id, ...facts, sinceMs, peer, side });
    return this.#connections[id - 1] as OpenConnection;
  }

  page(onlooker: Onlooker = OPERATOR, limit = 100) {
    const { router, clock } = this.world;
    return connectionPage({ connections: this.#connections, onlooker, limit, router, clock });
  }
}

const ids = ({ connections }: ReturnType<Connected['page']>) => connections.map(({ id }) => id);
const of = (userId: string): Onlooker => ({ kind: 'user', userId });

describe('the slowest first', () => {
  test('a viewer for whom bytes wait is above one that only missed frames in the past, and that above one that is well', () => {
    const connected = new Connected();
    const { world } = connected;
    const encoder = world.register('door');
    const [well, recovered, behind] = ['well', 'recovered', 'behind'].map(() => world.watch('door'));
    for (const watcher of [well, recovered, behind]) connected.add(watcher as FakeViewer);
    recovered?.socket.stall();
    for (let number = 1; number <= 9; number += 1) world.frame(encoder, number, LARGE_BYTES);
    recovered?.socket.unstall();
    behind?.socket.stall();
    for (let number = 10; number <= 12; number += 1) world.frame(encoder, number, LARGE_BYTES);
    const page = connected.page();
    expect(ids(page)).toEqual(['3', '2', '1']);
    expect(page.connections.map(({ waitingBytes }) => waitingBytes > 0)).toEqual([true, false, false]);
    expect(page.connections[1]?.subscriptions?.[0]?.dropped.slow).toBeGreaterThan(0);
  });

  test('what is cut off by the limit is what nobody asks for, and the answer says that there is more', () => {
    const connected = new Connected();
    const { world } = connected;
    const encoder = world.register('door');
    const watchers = Array.from({ length: 50 }, () => world.watchWith('door', { window: 1 }));
    for (const watcher of watchers) connected.add(watcher);
    world.frame(encoder, 1);
    world.advance(4_000);
    for (const [index, watcher] of watchers.entries()) if (index !== 30) world.ack(watcher, 'door', 1);
    const page = connected.page(OPERATOR, 1);
    expect(page).toMatchObject({ total: 50, more: true, connections: [{ id: '31' }] });
    expect(connected.page(OPERATOR, 50)).toMatchObject({ total: 50, more: false });
  });

  test.each([0, 1, 3, 7, 20])('the %i highest are found, equal ones in their order', (count) => {
    const scores = [3, 1, 3, 9, 0, 3, 9, 2, 1, 3];
    const sorted = scores.map((score, index) => ({ score, index })).sort((a, b) => b.score - a.score);
    const items = scores.map((score, index) => ({ score, index }));
    expect(highest(items, ({ score }) => score, count)).toEqual(sorted.slice(0, count));
  });
});

describe('what is said of a viewer', () => {
  test('its account is exact: offered = delivered + dropped + in flight, in every lane', () => {
    const connected = new Connected();
    const { world } = connected;
    const encoder = world.register('door');
    connected.add(world.watch('door'));
    connected.add(world.watchWith('door', { window: 2 }));
    connected.add(world.watchWith('door', { maxFps: 1 }));
    for (let number = 1; number <= 10; number += 1) {
      world.advance(100);
      world.frame(encoder, number);
    }
    const all = connected.page().connections.flatMap(({ subscriptions = [] }) => subscriptions);
    expect(all).toHaveLength(3);
    for (const { offered, delivered, dropped, inFlight } of all) {
      expect([offered, delivered + dropped.slow + dropped.fps + dropped.closed + inFlight]).toEqual([10, 10]);
    }
    expect(all.find(({ maxFps }) => maxFps === 1)?.dropped.fps).toBeGreaterThan(5);
  });

  test('one that acknowledges nothing shows for how long, and when it last did', () => {
    const connected = new Connected();
    const { world } = connected;
    const encoder = world.register('door');
    const watcher = world.watchWith('door', { window: 2 });
    connected.add(watcher);
    const subscription = () => connected.page().connections[0]?.subscriptions?.[0];
    expect(subscription()).toMatchObject({ unackedForMs: null, lastDeliveredAgeMs: null, inFlight: 0 });
    world.frame(encoder, 1);
    world.advance(100);
    expect(subscription()).toMatchObject({ unackedForMs: 100, lastDeliveredAgeMs: null, inFlight: 1 });
    world.ack(watcher, 'door', 1);
    world.advance(50);
    expect(subscription()).toMatchObject({ unackedForMs: null, lastDeliveredAgeMs: 50, delivered: 1 });
    world.frame(encoder, 2);
    world.frame(encoder, 3);
    world.advance(4_000);
    expect(subscription()).toMatchObject({ window: 2, unackedForMs: 4_000, lastDeliveredAgeMs: 4_050, inFlight: 2 });
  });

  test('a plain one shows when it last got a frame, also after it fell behind', () => {
    const connected = new Connected();
    const { world } = connected;
    const encoder = world.register('door');
    const watcher = world.watch('door');
    connected.add(watcher);
    world.frame(encoder, 1, LARGE_BYTES);
    world.advance(70);
    const subscription = () => connected.page().connections[0]?.subscriptions?.[0];
    expect(subscription()).toMatchObject({ delivered: 1, lastDeliveredAgeMs: 70, unackedForMs: null });
    watcher.socket.stall();
    for (let number = 2; number <= 6; number += 1) world.frame(encoder, number, LARGE_BYTES);
    world.advance(500);
    for (let number = 7; number <= 9; number += 1) world.frame(encoder, number, LARGE_BYTES);
    expect(subscription()?.lastDeliveredAgeMs).toBe(500);
    expect(subscription()?.dropped.slow).toBeGreaterThan(2);
  });

  test('a wall shows its slowest subscriptions and how many there are, so that no answer grows without bound', () => {
    const connected = new Connected();
    const { world } = connected;
    const names = Array.from({ length: 30 }, (_, index) => `s${index}`);
    const encoders = names.map((name) => world.register(name));
    const wall = world.watchWith(names, { window: 1 });
    connected.add(wall);
    world.frame(encoders[17] as FakeEncoder, 1);
    world.advance(1_000);
    const [row] = connected.page().connections;
    expect(row?.subscriptionCount).toBe(30);
    expect(row?.subscriptions?.[0]).toMatchObject({ streamId: 's17', unackedForMs: 1_000 });
    expect(row?.subscriptions).toHaveLength(20);
  });

  test('a subscription that waits for its stream says so', () => {
    const connected = new Connected();
    connected.add(connected.world.watch('later'));
    expect(connected.page().connections[0]?.subscriptions).toMatchObject([
      { streamId: 'later', isLive: false, offered: 0 },
    ]);
  });
});

describe('what is said of an encoder', () => {
  test('what it sent, what was refused and why, what it was asked for, and how far its clock is off', () => {
    const connected = new Connected({ limits: { maxFps: 3 } });
    const { world } = connected;
    const encoder = world.greet({ streamId: 'door' });
    connected.add(encoder);
    const stream = () => connected.page().connections[0]?.stream;
    expect(stream()).toMatchObject({ streamId: 'door', receivedFrames: 0, lastFrameAgeMs: null, arrivedAfterMs: null });
    expect(stream()).toMatchObject({ askedFps: 1, limitFps: 3, viewers: 0 });
    // Its clock is two seconds behind.
    const timestamp = world.clock.epochMs() - 2_000;
    for (let number = 1; number <= 5; number += 1) world.frame(encoder, timestamp);
    world.advance(200);
    expect(stream()).toMatchObject({
      status: 'streaming',
      receivedFrames: 5,
      lastFrameAgeMs: 200,
      arrivedAfterMs: 2_000,
    });
    expect(stream()?.rejected).toEqual({ notYours: 0, rate: 2, invalid: 0 });
  });

  test('counts begin anew with the connection that takes the stream over', () => {
    const connected = new Connected();
    const { world } = connected;
    const older = world.register('door');
    world.frame(older, 1);
    world.frame(older, 2);
    const newer = world.register('door');
    connected.add(older);
    connected.add(newer);
    world.frame(newer, 3);
    const streams = Object.fromEntries(connected.page().connections.map(({ id, stream }) => [id, stream]));
    expect(streams).toMatchObject({ 1: null, 2: { streamId: 'door', receivedFrames: 1 } });
  });
});

describe('who sees what', () => {
  function ofTwoUsers() {
    const connected = new Connected({ access: 'authenticated' });
    const { world } = connected;
    world.register('hers', { userId: 'anna' });
    world.register('his', { userId: 'bob' });
    connected.add(world.watch('hers', 'anna'));
    connected.add(world.watchWith(['hers', 'his'], { userId: 'bob' }));
    connected.add(world.watch('his', 'bob'));
    return connected;
  }

  test('a user sees their own connections, and of another’s that watches their stream only what it watches of theirs', () => {
    const connected = ofTwoUsers();
    const hers = connected.page(of('anna'));
    expect(hers.total).toBe(2);
    const foreign = hers.connections.find(({ id }) => id === '2');
    expect(foreign).toMatchObject({ userId: 'bob', subscriptionCount: 1, subscriptions: [{ streamId: 'hers' }] });
    const his = connected.page(of('bob'));
    expect(ids(his).sort()).toEqual(['2', '3']);
    expect(his.connections.find(({ id }) => id === '2')?.subscriptionCount).toBe(2);
  });

  test('a stranger sees nothing, and only who runs the router sees addresses', () => {
    const connected = ofTwoUsers();
    expect(connected.page(of('eve'))).toMatchObject({ connections: [], total: 0, more: false });
    for (const user of ['anna', 'bob']) {
      for (const row of connected.page(of(user)).connections) expect(row).not.toHaveProperty('address');
    }
    const all = connected.page().connections;
    expect(all.map(({ address }) => address)).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1']);
  });

  test('an ML service that watches is seen by the owner of a stream, and belongs to no user', () => {
    const connected = new Connected();
    const { world } = connected;
    world.register('hers', { userId: 'anna' });
    const { viewer, socket } = world.viewer('ml-service');
    const service = new Viewer(viewer.peer, true);
    world.subscribe({ viewer: service, socket }, '*');
    connected.add({ viewer: service, socket });
    expect(connected.page(of('anna')).connections).toMatchObject([{ role: 'ml', userId: null }]);
    expect(connected.page(of('ml-service')).connections).toEqual([]);
  });
});
