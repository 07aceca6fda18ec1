import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RegisterMessage } from '../../proto/messages.ts';
import { Counters } from '../../src/router/counters.ts';
import { knownStream, knownStreamsOf } from '../../src/router/known-streams.ts';
import { noTap } from '../../src/router/no-tap.ts';
import type { FrameTap, StreamOwners } from '../../src/router/ports.ts';
import {
  type Device,
  RESERVATION_LIMITS,
  type ReservationLimits,
  Reservations,
} from '../../src/router/reservations.ts';
import { type FakeEncoder, refusal, World, type WorldOptions } from './fakes.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const GRACE_MS = 15_000;

/** What is known of a camera; by default nothing. */
function device(fields: Partial<Device> = {}): Device {
  return { deviceName: undefined, deviceType: undefined, metadata: {}, ...fields };
}

/** A world in which Anna has reserved a name. */
function reserved(options: WorldOptions = {}, fields: Partial<Device> = {}) {
  const world = new World(options);
  const { streamId } = world.router.streams.reserve('anna', device(fields));
  return { world, streamId };
}

/** Registers by name, with what the encoder says of itself. */
function register(world: World, streamId: string, fields: Partial<RegisterMessage> = {}, userId = 'anna'): FakeEncoder {
  const encoder = world.encoder({ userId });
  world.say(encoder, { type: 'register', clientType: 'mobile', streamId, ...fields });
  return encoder;
}

/** The encoder goes, and its stream after its grace. */
function goOffline(world: World, encoder: FakeEncoder): void {
  encoder.socket.disconnect();
  world.advance(GRACE_MS);
}

describe('a reserved name', () => {
  test('is registered by its owner, over and over, and by nobody else, whether it is live or not', () => {
    const { world, streamId } = reserved();
    expect(streamId).toMatch(/^stream_\w+$/);
    for (let time = 0; time < 3; time += 1) {
      expect(() => register(world, streamId, {}, 'bert')).toThrow(refusal('UNAUTHORIZED'));
      const encoder = register(world, streamId);
      expect(() => register(world, streamId, {}, 'bert')).toThrow(refusal('UNAUTHORIZED'));
      goOffline(world, encoder);
      expect(world.router.streams.get(streamId)).toBeUndefined();
    }
    expect(() => register(world, streamId, {}, 'bert')).toThrow(refusal('UNAUTHORIZED'));
  });

  test('is watched by its owner before it is live, and refused to others as a live one is', () => {
    const { world, streamId } = reserved();
    expect(() => world.watch(streamId, 'bert')).toThrow(refusal('UNAUTHORIZED'));
    const watcher = world.watch(streamId);
    const encoder = register(world, streamId);
    world.frame(encoder, 1);
    expect(watcher.socket.story).toEqual(['success', 'status offline', 'status online', 'status streaming', 'frame 1']);
    goOffline(world, encoder);
    expect(() => world.watch(streamId, 'bert')).toThrow(refusal('UNAUTHORIZED'));
  });

  test('may be watched by every signed-in user where live streams may', () => {
    const { world, streamId } = reserved({ access: 'authenticated' });
    expect(world.watch(streamId, 'bert').socket.story).toEqual(['success', 'status offline']);
  });

  test('is known to be the owner’s while the web app’s database is away', () => {
    const silent: StreamOwners = { unknownOf: (ids) => ids, load: async () => false, known: () => undefined };
    const { world, streamId } = reserved({ owners: silent });
    expect(() => register(world, 'door')).toThrow(refusal('UNAVAILABLE'));
    register(world, streamId);
    expect(world.router.streams.get(streamId)?.ownerId).toBe('anna');
  });

  test('is not given to an encoder that asks for no name', () => {
    const { world, streamId } = reserved();
    expect(world.registerOn(world.encoder(), undefined)).not.toBe(streamId);
  });
});

describe('a reservation lasts', () => {
  test('24 h when nobody uses it; then the name is anybody’s', () => {
    const { world, streamId } = reserved();
    world.advance(DAY_MS - 1);
    expect(() => register(world, streamId, {}, 'bert')).toThrow(refusal('UNAUTHORIZED'));
    world.advance(1);
    register(world, streamId, {}, 'bert');
    expect(world.router.streams.get(streamId)?.ownerId).toBe('bert');
    expect(knownStreamsOf(world.router, 'anna')).toEqual([]);
  });

  test('as long as its stream is live, and 24 h after it went offline the last time', () => {
    const { world, streamId } = reserved();
    world.advance(DAY_MS - 1);
    const encoder = register(world, streamId);
    world.advance(3 * DAY_MS);
    goOffline(world, encoder);
    world.advance(DAY_MS - 1);
    goOffline(world, register(world, streamId));
    world.advance(DAY_MS - 1);
    expect(world.router.reservations.size).toBe(1);
    world.advance(1);
    expect(world.router.reservations.size).toBe(0);
  });

  test('each by itself: one that was used in between outlives an older and a younger one', () => {
    const { world, streamId: oldest } = reserved();
    world.advance(1_000);
    const used = world.router.streams.reserve('anna', device()).streamId;
    world.advance(1_000);
    const youngest = world.router.streams.reserve('bert', device()).streamId;
    const encoder = register(world, used);
    world.advance(DAY_MS - 1_000);
    goOffline(world, encoder);
    const left = [oldest, used, youngest].filter((id) => world.router.reservations.get(id) !== undefined);
    expect(left).toEqual([used]);
  });

  test('until its owner deletes it, live or not; nobody else can', () => {
    const { world, streamId } = reserved();
    expect(() => world.router.streams.delete(streamId, 'bert')).toThrow(refusal('UNAUTHORIZED'));
    expect(world.router.streams.delete(streamId, 'anna')).toBe(true);
    expect(world.router.streams.delete(streamId, 'anna')).toBe(false);
    register(world, streamId, {}, 'bert');

    const { streamId: live } = world.router.streams.reserve('anna', device());
    const encoder = register(world, live);
    expect(world.router.streams.delete(live, 'anna')).toBe(true);
    expect(encoder.socket.closedWith?.code).toBe(4404);
    expect(world.router.reservations.size).toBe(0);
    expect(knownStream(world.router, live)).toBeUndefined();
  });
});

describe('what is known of the camera', () => {
  const front = { deviceName: 'Front door', deviceType: 'ip-camera', metadata: { room: 'hall', fps: 30 } };

  test('is what was reserved, overlaid by what its encoder says', () => {
    const { world, streamId } = reserved({}, front);
    expect(knownStream(world.router, streamId)).toMatchObject({ status: 'offline', isReserved: true, ...front });
    const metadata = { fps: 10, zone: 2, deviceName: 'A phone' };
    const encoder = register(world, streamId, { metadata });
    const merged = { ...front, metadata: { room: 'hall', ...metadata } };
    expect(knownStream(world.router, streamId)).toMatchObject({ status: 'online', ...merged });
    world.frame(encoder, 1);
    expect(knownStream(world.router, streamId)).toMatchObject({ status: 'streaming', ...merged });
    world.say(encoder, { type: 'register', clientType: 'mobile' });
    expect(knownStream(world.router, streamId)).toMatchObject(merged);
    world.say(encoder, { type: 'register', clientType: 'mobile', metadata: { zone: 3 } });
    expect(knownStream(world.router, streamId)?.metadata).toEqual({ room: 'hall', fps: 30, zone: 3 });
    goOffline(world, encoder);
    expect(knownStream(world.router, streamId)).toMatchObject({ status: 'offline', ...front });
  });

  test('reaches the analysis as soon as the stream is live', () => {
    const seen: unknown[] = [];
    const tap: FrameTap = {
      fps: 0,
      open: (stream) => {
        seen.push(stream.metadata);
        return noTap.open(stream, 0);
      },
    };
    const { world, streamId } = reserved({ tap }, { metadata: { priority: 3 } });
    register(world, streamId, { metadata: { zone: 1 } });
    expect(seen).toEqual([{ priority: 3, zone: 1 }]);
  });

  test('is what its encoder says where nothing was reserved; what is no text is no name', () => {
    const world = new World();
    register(world, 'door', { metadata: { deviceName: 'iPhone 14', deviceType: 'mobile' } });
    register(world, 'yard', { metadata: { deviceName: 7 } });
    expect(knownStreamsOf(world.router, 'anna')).toMatchObject([
      { id: 'door', deviceName: 'iPhone 14', deviceType: 'mobile', isReserved: false },
      { id: 'yard', deviceName: undefined },
    ]);
    expect(knownStreamsOf(world.router, 'bert')).toEqual([]);
  });

  test('was last seen with its last frame, or when its encoder came or went', () => {
    const { world, streamId } = reserved();
    const { clock } = world;
    const seen = () => knownStream(world.router, streamId)?.lastSeenMs;
    const reservedAtMs = clock.epochMs();
    world.advance(1_000);
    expect(seen()).toBe(reservedAtMs);
    const encoder = register(world, streamId);
    const connectedAtMs = clock.epochMs();
    world.advance(1_000);
    expect(seen()).toBe(connectedAtMs);
    world.frame(encoder, 1);
    const framedAtMs = clock.epochMs();
    world.advance(60_000);
    expect(seen()).toBe(framedAtMs);
    encoder.socket.disconnect();
    const leftAtMs = clock.epochMs();
    world.advance(GRACE_MS);
    expect(knownStream(world.router, streamId)).toMatchObject({ status: 'offline', lastSeenMs: leftAtMs });
    world.advance(60_000);
    expect(knownStream(world.router, streamId)).toMatchObject({ lastSeenMs: leftAtMs, createdAtMs: reservedAtMs });
  });

  test('is listed in the order in which it came, live and reserved ones together', () => {
    const world = new World();
    register(world, 'first');
    world.advance(1_000);
    const { streamId: second } = world.router.streams.reserve('anna', device());
    world.advance(1_000);
    register(world, 'third');
    world.advance(1_000);
    register(world, second);
    expect(knownStreamsOf(world.router, 'anna').map(({ id }) => id)).toEqual(['first', second, 'third']);
  });
});

describe('the limit of streams', () => {
  test('counts live and reserved ones together, and each once', () => {
    const { world, streamId } = reserved({ maxStreamsPerUser: 2 });
    const { streams, counters } = world.router;
    const encoder = register(world, streamId);
    const door = register(world, 'door');
    expect(() => register(world, 'yard')).toThrow(refusal('ROUTING_ERROR'));
    expect(() => streams.reserve('anna', device())).toThrow(refusal('ROUTING_ERROR'));
    expect(counters.streamsRefused).toBe(2);
    streams.reserve('bert', device());
    goOffline(world, encoder);
    expect(() => register(world, 'yard')).toThrow(refusal('ROUTING_ERROR'));
    goOffline(world, door);
    register(world, 'yard');
    streams.delete(streamId, 'anna');
    streams.reserve('anna', device());
    expect(() => streams.reserve('anna', device())).toThrow(refusal('ROUTING_ERROR'));
  });

  test('lets nobody have more, and everybody have as many, whatever happens in which order', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constantFrom('reserve', 'register'), user: fc.constantFrom('anna', 'bert') }),
      fc.record({ kind: fc.constantFrom('go live', 'leave', 'delete'), which: fc.nat({ max: 9 }) }),
      fc.record({ kind: fc.constantFrom('a while', 'a day') }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const world = new World({ maxStreamsPerUser: 3 });
        const { streams } = world.router;
        const known = () => ['anna', 'bert'].flatMap((user) => knownStreamsOf(world.router, user));
        const refused = (act: () => void) => {
          try {
            act();
            return false;
          } catch {
            return true;
          }
        };
        for (const one of actions) {
          if ('user' in one) {
            const had = knownStreamsOf(world.router, one.user).length;
            const act =
              one.kind === 'reserve'
                ? () => void streams.reserve(one.user, device())
                : () => void world.register(undefined, { userId: one.user });
            expect(refused(act)).toBe(had === 3);
          } else if ('which' in one) {
            const all = known();
            const stream = all[one.which % Math.max(1, all.length)];
            if (stream === undefined) continue;
            const { id, ownerId } = stream;
            // Neither of them is ever over a limit: the name is there already.
            if (one.kind === 'go live') register(world, id, {}, ownerId);
            else if (one.kind === 'delete') expect(streams.delete(id, ownerId)).toBe(true);
            else streams.get(id)?.encoder?.peer.socket.close(1000, '');
          } else world.advance(one.kind === 'a day' ? DAY_MS : GRACE_MS);
          for (const user of ['anna', 'bert']) {
            expect(knownStreamsOf(world.router, user).length).toBeLessThanOrEqual(3);
          }
        }
        // When all are gone there is room again: nothing was counted twice, or never given back.
        for (const { id, ownerId } of known()) streams.delete(id, ownerId);
        for (let count = 0; count < 3; count += 1) streams.reserve('anna', device());
        expect(world.router.reservations.size).toBe(3);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the memory for reservations', () => {
  const clock = { nowMs: 0, epochMs: () => 1_700_000_000_000, monotonicMs: () => clock.nowMs };
  const withLimits = (limits: Partial<ReservationLimits>) =>
    new Reservations(clock, new Counters(), { ...RESERVATION_LIMITS, ...limits });
  const large = device({ metadata: { text: 'x'.repeat(1_000) } });

  test('is bounded for each user, by what they say of all their streams', () => {
    const reservations = withLimits({ textBytesPerUser: 5_000 });
    for (const id of ['one', 'two']) reservations.add(id, 'anna', large);
    expect(() => reservations.add('three', 'anna', large)).toThrow(refusal('ROUTING_ERROR'));
    reservations.add('three', 'anna', device());
    reservations.add('four', 'bert', large);
    expect(reservations.countOf('anna')).toBe(3);
  });

  test('is bounded for all users together, also where they say nothing', () => {
    const reservations = withLimits({ bytes: 10_000 });
    let count = 0;
    const fill = () => {
      for (;;) {
        reservations.add(`name-${count}`, `user-${count}`, device());
        count += 1;
      }
    };
    expect(fill).toThrow(refusal('UNAVAILABLE'));
    expect(count).toBeGreaterThan(10);
    expect(count).toBeLessThan(20);
    expect(reservations.size).toBe(count);
  });

  test('is given back by those that are removed, and by those that end', () => {
    const reservations = withLimits({ textBytesPerUser: 3_000, bytes: 4_000 });
    reservations.wentLive(reservations.add('stays', 'anna', device()));
    for (let time = 0; time < 20; time += 1) {
      const reservation = reservations.add('name', 'anna', large);
      if (time % 2 === 0) reservations.remove(reservation);
      else {
        clock.nowMs += DAY_MS;
        reservations.tick();
      }
      expect([reservations.size, reservations.countOf('anna')]).toEqual([1, 1]);
    }
  });
});
