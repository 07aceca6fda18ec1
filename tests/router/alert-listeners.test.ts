import { describe, expect, test } from 'vitest';
import type { DeliveredAlert } from '../../proto/messages.ts';
import { AlertHistory } from '../../src/router/alert-history.ts';
import { type AlertListener, AlertListeners } from '../../src/router/alert-listeners.ts';
import { Counters } from '../../src/router/counters.ts';
import { Outgoing } from '../../src/router/outgoing.ts';
import type { EvidenceRoom } from '../../src/router/ports.ts';
import { type FakeSocket, type Message, World, type WorldOptions } from './fakes.ts';

interface Heard {
  listener: AlertListener;
  socket: FakeSocket;
}

function listenerIn(
  world: World,
  shape: AlertListener['shape'],
  userId = 'anna',
  encoding: 'json' | 'msgpack' = 'json',
): Heard {
  const { viewer, socket } = world.viewer(userId, encoding);
  const listener = { peer: viewer.peer, shape };
  world.router.listeners.add(listener);
  return { listener, socket };
}

const messagesOf = ({ socket }: Heard): Message[] => socket.received.map(({ message }) => message);

test('each hears every alert of its user’s streams once, also of streams that begin later, and nothing of their status or frames', () => {
  const world = new World();
  const heard = [listenerIn(world, 'alert'), listenerIn(world, 'anomaly')];
  const stranger = listenerIn(world, 'anomaly', 'ben');
  const door = world.register('door');
  world.frame(door, 1);
  world.alert('door', 'one');
  world.register('bens', { userId: 'ben' });
  world.alert('bens', 'his');
  world.advance(10_000);
  expect(heard.map(messagesOf)).toEqual([
    [expect.objectContaining({ type: 'alert', streamId: 'door', message: 'one' })],
    [expect.objectContaining({ type: 'anomaly_detected', stream_id: 'door', user_id: 'anna', message: 'one' })],
  ]);
  expect(messagesOf(stranger)).toEqual([expect.objectContaining({ stream_id: 'bens', user_id: 'ben' })]);
});

test('an alert is written once for all who hear it in one encoding, and in JSON as bytes, which no socket has to copy', () => {
  const world = new World();
  const pages = [1, 2, 3].map(() => listenerIn(world, 'anomaly'));
  const others = [1, 2].map(() => listenerIn(world, 'anomaly', 'anna', 'msgpack'));
  world.register('door');
  world.alert('door');
  const raws = [pages, others].map((group) => new Set(group.map(({ socket }) => socket.received[0]?.raw)));
  expect(raws.map(({ size }) => size)).toEqual([1, 1]);
  for (const [raw] of raws) expect(raw).toBeInstanceOf(Uint8Array);
});

test('who has gone hears nothing, and is not remembered', () => {
  const world = new World();
  const heard = [listenerIn(world, 'alert'), listenerIn(world, 'anomaly')];
  world.register('door');
  for (const { listener } of heard) world.router.listeners.remove(listener);
  for (const { listener } of heard) world.router.listeners.remove(listener);
  world.alert('door');
  expect(heard.flatMap(messagesOf)).toEqual([]);
  expect(world.router.listeners.of('anna').size).toBe(0);
  expect(world.router.counters.alertsDelivered).toBe(0);
});

test('one that reads too slowly is closed with 4508 once what waits has gone out, and the others hear everything', () => {
  const world = new World({ limitBytes: 1_000 });
  const slow = listenerIn(world, 'anomaly');
  const quick = listenerIn(world, 'anomaly');
  world.register('door');
  slow.socket.stall();
  for (let count = 1; count <= 300; count += 1) world.alert('door', `${count}`);
  expect(quick.socket.received).toHaveLength(300);
  expect(world.router.counters.alertsUndelivered).toBeGreaterThan(0);
  slow.socket.unstall();
  expect(slow.socket.closedWith?.code).toBe(4508);
  const numbers = messagesOf(slow).map(({ message }) => Number(message));
  expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
  expect(world.router.counters.alertsDelivered).toBe(300 + numbers.length);
});

describe('alerts that were missed', () => {
  const PICTURE = 100_000;

  /** Twenty alerts of a stream, each with a picture, and nobody there to hear them. */
  function missed(options: WorldOptions = {}, pictureBytes = PICTURE) {
    const world = new World(options);
    const history = new AlertHistory('0');
    const evidence: EvidenceRoom = {
      keep: () => undefined,
      find: () => ({ streamId: 'door', ownerId: 'anna', jpeg: new Uint8Array(pictureBytes) }),
    };
    const counters = new Counters();
    const listeners = new AlertListeners({ history, evidence, counters });
    for (let number = 1; number <= 20; number += 1) {
      const id = String(number).padStart(4, '0');
      const alert: DeliveredAlert = { ...ALERT, id, message: `${number}` };
      history.add('anna', alert, 0, new Outgoing(alert));
    }
    const { viewer, socket } = world.viewer('anna', 'json');
    return { listeners, counters, socket, listener: (shape: AlertListener['shape']) => ({ peer: viewer.peer, shape }) };
  }

  const ALERT = { type: 'alert', streamId: 'door', severity: 'low', metadata: { a: 'ü' }, timestamp: 5 } as const;

  test('come first, those after the id that was named, in order', () => {
    const { listeners, socket, counters, listener } = missed();
    listeners.add(listener('anomaly'), '0017');
    const told = socket.received.map(({ message }) => [message['type'], message['message'], message['metadata']]);
    expect(told).toEqual(['18', '19', '20'].map((message) => ['anomaly_detected', message, { a: 'ü' }]));
    expect(counters.alertsReplayed).toBe(3);
  });

  test('carry the newest pictures only, so that many do not fill the outbox', () => {
    const { listeners, socket, listener } = missed();
    listeners.add(listener('anomaly'), '0000');
    const pictures = socket.received.map(({ message }) => message['annotated_frame'] !== undefined);
    expect(pictures).toHaveLength(20);
    expect(pictures.indexOf(true)).toBe(10);
    expect(pictures.slice(10)).toEqual(Array.from({ length: 10 }, () => true));
    expect(socket.closedWith).toBeUndefined();
  });

  test('come as they were first sent to who hears them as alerts', () => {
    const { listeners, socket, listener } = missed();
    listeners.add(listener('alert'), '0019');
    expect(socket.received.map(({ message }) => message)).toEqual([{ ...ALERT, id: '0020', message: '20' }]);
  });

  test('are not written any more for one that cannot take them, which is closed and comes back for the rest', () => {
    const { listeners, socket, counters, listener } = missed({ limitBytes: 1_000 }, 0);
    socket.stall();
    const huge = { ...ALERT, id: '0021', message: 'x', metadata: { filler: 'x'.repeat(900_000) } };
    const history = new AlertHistory('0', { alertsPerUser: 100, bytesPerUser: 1e9, bytes: 1e9 });
    for (let number = 21; number <= 40; number += 1) {
      const alert = { ...huge, id: String(number).padStart(4, '0') };
      history.add('anna', alert, 0, new Outgoing(alert));
    }
    const full = new AlertListeners({ history, evidence: { keep: () => undefined, find: () => undefined }, counters });
    full.add(listener('anomaly'), '0020');
    expect(counters.alertsReplayed).toBeLessThan(8);
    socket.unstall();
    expect(socket.received).toHaveLength(counters.alertsReplayed);
    expect(socket.closedWith?.code).toBe(4508);
    expect(listeners.of('anna').size).toBe(0);
  });
});
