import { describe, expect, test } from 'vitest';
import { parseReportedAlert } from '../../proto/codec.ts';
import { Cooldown } from '../../src/router/cooldown.ts';
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

  test('that comes again with its id is sent once, as long as the stream lives, and anew when another of its name has begun', () => {
    const world = new World();
    const seen = { streamId: 'door', severity: 'high', message: 'fall', id: 'door-1' };
    const door = world.register('door');
    const watcher = world.watch('door');
    for (let time = 0; time < 2; time += 1) report(world, seen);
    door.socket.disconnect();
    world.advance(14_000);
    const back = world.register('door');
    report(world, seen);
    expect(watcher.socket.controls('alert')).toHaveLength(1);
    expect(world.router.counters).toMatchObject({ alertsAccepted: 1, alertsRepeated: 2 });
    // Its frames are counted from 1 again, and with them what a service may make its ids of.
    back.socket.disconnect();
    world.advance(16_000);
    world.register('door');
    for (let time = 0; time < 2; time += 1) report(world, seen);
    expect(watcher.socket.controls('alert')).toHaveLength(2);
    expect(world.router.counters).toMatchObject({ alertsAccepted: 2, alertsRepeated: 3 });
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

describe('an alert that says the same again', () => {
  /** A stream whose alerts are not repeated for 10 s, and what its viewer heard of them. */
  function cooling() {
    const world = new World({ alertCooldownMs: 10_000 });
    const encoder = world.register('door', { produces: ['video-frame', 'alert'], consumes: ['alert'] });
    const { socket } = world.watch('door');
    return { world, encoder, heard: () => socket.controls('alert').map(({ message }) => message) };
  }

  test('within the cooldown reaches nobody: no viewer, not the encoder, not the service that keeps alerts', () => {
    const { world, encoder, heard } = cooling();
    world.alert('door', 'fall');
    world.advance(9_999);
    world.alert('door', 'fall');
    expect(heard()).toEqual(['fall']);
    expect(encoder.socket.story).toEqual(['alert fall']);
    expect(world.forwarded).toHaveLength(1);
    expect(world.router.counters).toMatchObject({ alertsAccepted: 1, alertsSuppressed: 1, alertsDelivered: 2 });
  });

  test('within the cooldown is not among the alerts that were missed', () => {
    const { world } = cooling();
    for (const message of ['first', 'fall', 'fall', 'fire']) world.alert('door', message);
    const back = world.watchWith('door', { since: world.forwarded[0] });
    expect(back.socket.story).toEqual(['success', 'status online', 'alert fall', 'alert fire']);
  });

  test('comes once for each cooldown, however often it is reported', () => {
    const { world, heard } = cooling();
    for (let ms = 0; ms < 60_000; ms += 500) {
      world.alert('door', 'fall');
      world.advance(500);
    }
    expect(heard()).toHaveLength(6);
  });

  test('with another severity or another text is another alert', () => {
    const { world, heard } = cooling();
    world.alert('door', 'fall');
    report(world, { streamId: 'door', severity: 'critical', message: 'fall' });
    world.alert('door', 'fire');
    expect(heard()).toEqual(['fall', 'fall', 'fire']);
  });

  test('with other metadata is the same alert', () => {
    const { world, heard } = cooling();
    for (const confidence of [0.8, 0.9]) {
      report(world, { streamId: 'door', severity: 'high', message: 'fall', metadata: { confidence } });
    }
    expect(heard()).toEqual(['fall']);
  });

  test('of another stream is another alert', () => {
    const { world, heard } = cooling();
    world.register('garage');
    world.alert('garage', 'fall');
    world.alert('door', 'fall');
    expect(heard()).toEqual(['fall']);
    expect(world.router.counters.alertsAccepted).toBe(2);
  });

  test('is held back from whomever it comes, the encoder or the ML service', () => {
    const { world, encoder, heard } = cooling();
    fromEncoder(world, encoder, 'door', 'help');
    report(world, { streamId: 'door', severity: 'critical', message: 'help' });
    fromEncoder(world, encoder, 'door', 'help');
    expect(heard()).toEqual(['help']);
  });

  test('is sent each time where there is no cooldown', () => {
    const world = new World();
    world.register('door');
    const watcher = world.watch('door');
    for (let count = 0; count < 3; count += 1) world.alert('door', 'fall');
    expect(watcher.socket.controls('alert')).toHaveLength(3);
    expect(world.router.counters.alertsSuppressed).toBe(0);
  });

  test('is known among the last 100 kinds: the one that was let through longest ago is forgotten first', () => {
    const cooldown = new Cooldown(10_000);
    for (let kind = 1; kind <= 100; kind += 1) expect(cooldown.admits('low', String(kind), kind)).toBe(true);
    expect(cooldown.admits('low', '1', 200)).toBe(false);
    expect(cooldown.admits('low', '101', 201)).toBe(true);
    expect(cooldown.admits('low', '1', 202)).toBe(true);
    expect(cooldown.admits('low', '100', 203)).toBe(false);
  });

  test('is known long after its first time, if it is let through now and then', () => {
    const cooldown = new Cooldown(10_000);
    for (let kind = 1; kind <= 100; kind += 1) cooldown.admits('low', String(kind), kind);
    expect(cooldown.admits('low', '1', 20_000)).toBe(true);
    expect(cooldown.admits('low', '101', 20_001)).toBe(true);
    expect(cooldown.admits('low', '1', 20_002)).toBe(false);
  });
});

test('every alert goes to the service that keeps them, whether somebody watches or not', () => {
  const world = new World();
  const encoder = world.register('door', { produces: ['alert'] });
  world.alert('door', '1');
  const { socket } = world.watch('door');
  fromEncoder(world, encoder, 'door');
  expect(world.forwarded).toHaveLength(2);
  expect(world.forwarded[1]).toBe(socket.controls('alert')[0]?.['id']);
});
