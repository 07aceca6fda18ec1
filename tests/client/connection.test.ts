import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket as WsSocket } from 'ws';
import { Connection } from '../../src/client/connection.ts';
import type { ConnectionOptions, ConnectionState } from '../../src/client/index.ts';
import type { Line } from '../../src/client/line.ts';
import { findWebSocket } from '../../src/client/websocket.ts';
import { REAL_WORLD } from '../../src/client/world.ts';
import { FakeSocket, FakeWorld, settled } from './fakes.ts';

let world: FakeWorld;
let states: ConnectionState[];

beforeEach(() => {
  world = new FakeWorld();
  states = [];
  FakeSocket.all = [];
});

async function connect(options: Partial<ConnectionOptions> = {}): Promise<Connection> {
  const purpose = {
    path: '/streams/subscribe',
    greet: (line: Line) => line.send({ type: 'hello' }),
    receive: () => undefined,
    lost: () => undefined,
    changed: (state: ConnectionState) => states.push(state),
  };
  const connection = new Connection(purpose, { url: 'wss://router.example', WebSocket: FakeSocket, world, ...options });
  await settled();
  return connection;
}

/** The last attempt is let in. */
function letIn(connection: Connection): void {
  FakeSocket.last.open();
  connection.ready();
}

test('a token goes ahead of everything else, and not into the address', async () => {
  const connection = await connect({ token: 'secret' });
  letIn(connection);
  expect(FakeSocket.last.url).toBe('wss://router.example/streams/subscribe');
  expect(FakeSocket.last.sent).toEqual([{ type: 'auth', token: 'secret' }, { type: 'hello' }]);
  expect(FakeSocket.last.binaryType).toBe('arraybuffer');
});

test('lost connections are tried again after growing pauses, and the page knows how long each is', async () => {
  const connection = await connect();
  letIn(connection);
  await world.pass(60_000);
  FakeSocket.last.end(1006);
  for (const retryInMs of [500, 1_000, 2_000, 4_000, 5_000]) {
    expect(connection.state).toMatchObject({ name: 'waiting', retryInMs });
    const sockets = FakeSocket.all.length;
    await world.pass(retryInMs - 1);
    expect(FakeSocket.all).toHaveLength(sockets);
    await world.pass(1);
    expect(FakeSocket.all).toHaveLength(sockets + 1);
    FakeSocket.last.end(1006);
  }
  await world.pass(5_000);
  letIn(connection);
  expect(
    states.filter(({ name }) => name === 'connecting').map((state) => 'attempt' in state && state.attempt),
  ).toEqual([1, 1, 2, 3, 4, 5, 6]);
  // This one did not last.
  await world.pass(1_000);
  FakeSocket.last.end(1006);
  expect(connection.state).toMatchObject({ retryInMs: 5_000 });
});

test('a router that does not answer is left, and its late answer is not heard', async () => {
  const connection = await connect({ connectTimeoutMs: 3_000 });
  const silent = FakeSocket.last;
  await world.pass(3_000);
  expect(connection.state).toMatchObject({ name: 'waiting', reason: 'The router did not answer in time' });
  expect(silent.closedWith).toBe(1000);
  silent.open();
  silent.end(1008);
  expect(silent.sent).toEqual([]);
  await world.pass(500);
  letIn(connection);
  expect(connection.state).toEqual({ name: 'open' });
});

test('a router that goes away is believed when it says when to come back, even if the network changes meanwhile', async () => {
  const connection = await connect();
  letIn(connection);
  FakeSocket.last.say({ type: 'going-away', reconnectAfterMs: 4_000 });
  await world.pass(1_500);
  FakeSocket.last.end(1012);
  expect(connection.state).toEqual({ name: 'waiting', retryInMs: 2_500, reason: 'The router restarts', code: 1012 });
  world.comeBack();
  await world.pass(2_499);
  expect(FakeSocket.all).toHaveLength(1);
  await world.pass(1);
  expect(FakeSocket.all).toHaveLength(2);
});

test('as soon as the page is looked at again or has a network again it tries again, but not more than once a second', async () => {
  const connection = await connect({ backoff: { baseMs: 20_000, maxMs: 20_000 } });
  letIn(connection);
  await world.pass(2_000);
  FakeSocket.last.end(1006);
  expect(connection.state.name).toBe('waiting');
  world.comeBack();
  await world.pass(0);
  expect(FakeSocket.all).toHaveLength(2);
  // There is no network yet. What is known of it a moment later is not forgotten.
  FakeSocket.last.end(1006);
  for (const _time of [1, 2, 3]) world.comeBack();
  await world.pass(999);
  expect(FakeSocket.all).toHaveLength(2);
  await world.pass(1);
  expect(FakeSocket.all).toHaveLength(3);
  // And does not disturb one that is there.
  letIn(connection);
  world.comeBack();
  await world.pass(60_000);
  expect(FakeSocket.all).toHaveLength(3);
});

test('somebody who wants it now need not wait for a router that goes away either', async () => {
  const connection = await connect();
  letIn(connection);
  FakeSocket.last.say({ type: 'going-away', reconnectAfterMs: 60_000 });
  await world.pass(5_000);
  FakeSocket.last.end(1012);
  connection.hurry();
  await world.pass(0);
  expect(FakeSocket.all).toHaveLength(2);
});

describe('a page that is looked at again', () => {
  test('notices within seconds that its connection is dead, and not after half a minute', async () => {
    const connection = await connect();
    letIn(connection);
    await world.pass(5_000);
    FakeSocket.last.isDead = true;
    world.comeBack();
    await world.pass(2_999);
    expect(connection.state.name).toBe('open');
    await world.pass(1);
    expect(connection.state).toMatchObject({ name: 'waiting', reason: 'The connection was lost', code: 1006 });
    await world.pass(500);
    letIn(connection);
    expect([FakeSocket.all.length, connection.state.name]).toEqual([2, 'open']);
  });

  test('asks once a second at most, and leaves alone what answers, however late for a slow line', async () => {
    const connection = await connect();
    letIn(connection);
    await world.pass(5_000);
    for (const _time of [1, 2, 3]) world.comeBack();
    expect(FakeSocket.last.questions).toBe(1);
    // The watchdog has asked, too, and learns that answers take four seconds here.
    FakeSocket.last.isDead = true;
    await world.pass(9_000);
    FakeSocket.last.say({ type: 'heartbeat' });
    world.comeBack();
    await world.pass(9_000);
    FakeSocket.last.say({ type: 'heartbeat' });
    FakeSocket.last.isDead = false;
    await world.pass(60_000);
    expect([FakeSocket.all.length, connection.state.name]).toEqual([1, 'open']);
  });

  test('takes any word for a sign of life, and waits longer where a picture is on its way before the question', async () => {
    const connection = await connect();
    letIn(connection);
    await world.pass(5_000);
    FakeSocket.last.isDead = true;
    world.comeBack();
    await world.pass(2_000);
    FakeSocket.last.say({ type: 'status', streamId: 's1', status: 'online' });
    await world.pass(3_000);
    expect([FakeSocket.all.length, connection.state.name]).toEqual([1, 'open']);

    connection.openLine?.send({ type: 'video-frame', streamId: 's1', timestamp: 1, data: new Uint8Array(100_000) });
    world.comeBack();
    await world.pass(9_000);
    expect(connection.state.name).toBe('open');
    await world.pass(2_000);
    expect(connection.state.name).not.toBe('open');
  });

  test('leaves nothing behind when it is closed meanwhile', async () => {
    const connection = await connect();
    letIn(connection);
    FakeSocket.last.isDead = true;
    world.comeBack();
    connection.close();
    expect([world.timers, world.backListeners]).toEqual([0, 0]);
  });
});

test('a page hears of the network and of being looked at again, a worker of the network alone, and Node of nothing', () => {
  const [windowEvents, page] = [new EventTarget(), Object.assign(new EventTarget(), { hidden: true })];
  let calls = 0;
  REAL_WORLD.whenBack(() => expect.fail('nobody calls'))();
  vi.stubGlobal('addEventListener', windowEvents.addEventListener.bind(windowEvents));
  vi.stubGlobal('removeEventListener', windowEvents.removeEventListener.bind(windowEvents));
  onTestFinished(() => void vi.unstubAllGlobals());
  const endWorker = REAL_WORLD.whenBack(() => {
    calls += 1;
  });
  windowEvents.dispatchEvent(new Event('online'));
  endWorker();
  expect(calls).toBe(1);
  vi.stubGlobal('document', page);
  const end = REAL_WORLD.whenBack(() => {
    calls += 1;
  });
  page.dispatchEvent(new Event('visibilitychange'));
  expect(calls).toBe(1);
  page.hidden = false;
  const all = () => {
    page.dispatchEvent(new Event('visibilitychange'));
    for (const name of ['online', 'pageshow']) windowEvents.dispatchEvent(new Event(name));
  };
  all();
  expect(calls).toBe(4);
  end();
  all();
  expect(calls).toBe(4);
});

describe('a session that is refused', () => {
  const refuse = () => {
    FakeSocket.last.open();
    FakeSocket.last.say({ type: 'error', code: 'AUTH_REQUIRED', message: 'A valid session token is required' });
    FakeSocket.last.end(1008, 'Unauthorized');
  };

  test('is the end with a token that stays the same', async () => {
    const connection = await connect({ token: 'old' });
    refuse();
    expect(connection.state).toEqual({
      name: 'closed',
      reason: 'Not signed in: A valid session token is required',
      code: 1008,
    });
    await world.pass(600_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(world.timers).toBe(0);
  });

  test('is worth one more try with a fresh one, and again only after it was good', async () => {
    let asked = 0;
    const connection = await connect({
      token: () => {
        asked += 1;
        return `token ${asked}`;
      },
    });
    refuse();
    await world.pass(500);
    expect(FakeSocket.all).toHaveLength(2);
    letIn(connection);
    refuse();
    await world.pass(1_000);
    expect(FakeSocket.all).toHaveLength(3);
    refuse();
    expect(connection.state.name).toBe('closed');
    expect(asked).toBe(3);
  });

  test('of the page’s cookie is not taken for that of the token', async () => {
    const connection = await connect({ token: 'another' });
    FakeSocket.last.open();
    FakeSocket.last.say({ type: 'error', code: 'UNAUTHORIZED', message: 'token: it is another user’s' });
    expect(connection.state).toMatchObject({ name: 'closed', reason: 'Not signed in: token: it is another user’s' });
  });
});

test('a callback that fails is asked again, and one that never answers is not waited for', async () => {
  let answer = () => Promise.reject<string>(new Error('The web app is away'));
  const connection = await connect({ ticket: () => answer(), connectTimeoutMs: 3_000 });
  expect(connection.state).toMatchObject({ name: 'waiting', reason: 'The web app is away' });
  answer = () => new Promise<string>(() => undefined);
  await world.pass(500);
  expect(connection.state.name).toBe('connecting');
  await world.pass(3_000);
  expect(connection.state).toMatchObject({ name: 'waiting', reason: 'The router did not answer in time' });
  answer = () => Promise.resolve('t');
  await world.pass(1_000);
  expect(FakeSocket.last.url).toBe('wss://router.example/streams/subscribe?ticket=t');
});

test('an old complaint does not explain a new close', async () => {
  const connection = await connect();
  letIn(connection);
  FakeSocket.last.say({ type: 'error', code: 'ROUTING_ERROR', message: 'long ago' });
  await world.pass(5_000);
  FakeSocket.last.end(1013);
  expect(connection.state).toMatchObject({ reason: 'The router cannot take the connection now' });
});

test('once closed it is closed, in whatever state it was, and leaves nothing behind', async () => {
  const inEachState = [
    async () => connect(),
    async () => {
      const connection = await connect();
      letIn(connection);
      return connection;
    },
    async () => {
      const connection = await connect();
      FakeSocket.last.end(1006);
      return connection;
    },
  ];
  for (const make of inEachState) {
    const connection = await make();
    connection.close();
    connection.close();
    expect(connection.state).toEqual({ name: 'closed', reason: 'Closed by the application' });
    const sockets = FakeSocket.all.length;
    await world.pass(600_000);
    expect([FakeSocket.all.length, world.timers, world.backListeners]).toEqual([sockets, 0, 0]);
  }
  // Before it has begun: no socket at all.
  FakeSocket.all = [];
  const purpose = {
    path: '/',
    greet: () => undefined,
    receive: () => undefined,
    lost: () => undefined,
    changed: () => undefined,
  };
  new Connection(purpose, { url: 'wss://r', WebSocket: FakeSocket, world }).close();
  await world.pass(1_000);
  expect(FakeSocket.all).toEqual([]);
});

test('a platform without WebSocket says what to do', async () => {
  expect(findWebSocket(FakeSocket)).toBe(FakeSocket);
  vi.stubGlobal('WebSocket', undefined);
  onTestFinished(() => void vi.unstubAllGlobals());
  // Node 20: the package `ws` is found.
  expect(findWebSocket(undefined)).toBe(WsSocket);
  vi.stubGlobal('process', {});
  const connection = await connect({ WebSocket: undefined });
  expect(connection.state).toMatchObject({ name: 'waiting', reason: expect.stringContaining('option `WebSocket`') });
  connection.close();
});
