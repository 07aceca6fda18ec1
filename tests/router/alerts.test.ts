import { describe, expect, test } from 'vitest';
import { parseReportedAlert } from '../../proto/codec.ts';
import { type FakeEncoder, refusal, World } from './fakes.ts';

function report(world: World, alert: Record<string, unknown>): void {
  world.router.alerts.fromService(parseReportedAlert(alert));
}

function fromEncoder(world: World, { link }: FakeEncoder, streamId: string, message = 'help'): void {
  const optional = { metadata: undefined, timestamp: undefined };
  world.router.alerts.fromEncoder(link, { type: 'alert', streamId, severity: 'critical', message, ...optional });
}

describe('an alert of the ML service', () => {
  test('reaches every viewer that consumes alerts, in its encoding, and the encoder that does', () => {
    const world = new World();
    const encoder = world.register('door', { consumes: ['alert'] });
    const msgpack = world.watch('door');
    const json = world.watch('door', 'anna', 'json', ['alert']);
    const framesOnly = world.watch('door', 'anna', 'json', ['video-frame']);
    world.register('garage');
    const elsewhere = world.watch('garage');
    report(world, { streamId: 'door', severity: 'high', message: 'fall', metadata: { box: [1, 2] }, timestamp: 5 });
    const expected = { type: 'alert', streamId: 'door', severity: 'high', message: 'fall', timestamp: 5 };
    for (const { socket } of [encoder, msgpack, json]) {
      expect(socket.controls('alert')).toEqual([{ ...expected, id: expect.any(String), metadata: { box: [1, 2] } }]);
    }
    for (const { socket } of [framesOnly, elsewhere]) expect(socket.controls('alert')).toEqual([]);
    expect(world.router.counters).toMatchObject({ alertsAccepted: 1, alertsDelivered: 3, alertsRefused: 0 });
  });

  test('has a missing time and missing metadata filled in', () => {
    const world = new World();
    world.register('door');
    const watcher = world.watch('door');
    report(world, { streamId: 'door', severity: 'low', message: 'motion', metadata: null });
    expect(watcher.socket.controls('alert')[0]).toMatchObject({ metadata: {}, timestamp: world.clock.epochMs() });
  });

  test('keeps a time of 0', () => {
    const world = new World();
    world.register('door');
    const watcher = world.watch('door');
    report(world, { streamId: 'door', severity: 'low', message: 'motion', timestamp: 0 });
    expect(watcher.socket.controls('alert')[0]).toMatchObject({ timestamp: 0 });
  });

  test('has an id of its own, the same for everybody, and later ones sort after earlier ones', () => {
    const world = new World();
    world.register('door');
    const watchers = [world.watch('door'), world.watch('door', 'anna', 'json')];
    for (const message of ['1', '2', '3']) world.alert('door', message);
    const [ids, otherIds] = watchers.map(({ socket }) => socket.controls('alert').map(({ id }) => id as string));
    expect(otherIds).toEqual(ids);
    expect(new Set(ids).size).toBe(3);
    expect(ids?.toSorted()).toEqual(ids);
  });

  test('about a stream that is not there is a ROUTING_ERROR and counted', () => {
    const world = new World();
    expect(() => world.alert('nowhere')).toThrow(refusal('ROUTING_ERROR', /nowhere/));
    expect(world.router.counters).toMatchObject({ alertsAccepted: 0, alertsRefused: 1 });
  });

  test('still reaches viewers while the phone is away, and the phone that came back', () => {
    const world = new World();
    world.register('door').socket.disconnect();
    const watcher = world.watch('door');
    world.alert('door', '1');
    const back = world.register('door', { consumes: ['alert'] });
    world.alert('door', '2');
    expect(watcher.socket.story.slice(2)).toEqual(['alert 1', 'alert 2']);
    expect(back.socket.story).toEqual(['alert 2']);
  });

  test('does not reach an encoder that did not ask for alerts', () => {
    const world = new World();
    const encoder = world.register('door');
    world.alert('door');
    expect(encoder.socket.received).toEqual([]);
  });
});

describe('an alert of an encoder', () => {
  test('reaches the viewers of its stream', () => {
    const world = new World();
    const encoder = world.register('door', { produces: ['video-frame', 'alert'] });
    const watcher = world.watch('door');
    fromEncoder(world, encoder, 'door');
    expect(watcher.socket.controls('alert')).toMatchObject([{ severity: 'critical', message: 'help' }]);
  });

  test('that did not register to send alerts is UNAUTHORIZED', () => {
    const world = new World();
    const encoder = world.register('door');
    const watcher = world.watch('door');
    expect(() => fromEncoder(world, encoder, 'door')).toThrow(refusal('UNAUTHORIZED', /produces/));
    expect(watcher.socket.controls('alert')).toEqual([]);
    expect(world.router.counters.alertsRefused).toBe(1);
  });

  test.each(['garage', 'nowhere'])('about the stream %s, which is not its own, is a ROUTING_ERROR', (streamId) => {
    const world = new World();
    world.register('garage');
    const encoder = world.register('door', { produces: ['alert'] });
    expect(() => fromEncoder(world, encoder, streamId)).toThrow(refusal('ROUTING_ERROR'));
  });

  test('before register is a ROUTING_ERROR', () => {
    const world = new World();
    expect(() => fromEncoder(world, world.encoder(), 'door')).toThrow(refusal('ROUTING_ERROR'));
  });
});
