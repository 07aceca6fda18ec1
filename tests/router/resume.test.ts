import { describe, expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { type FakeEncoder, refusal, World } from './fakes.ts';

/** The `resumeToken` of an encoder's last `success`. */
function tokenOf({ socket }: FakeEncoder): string {
  return socket.controls('success').at(-1)?.['resumeToken'] as string;
}

/** The stream of an encoder's last `success`. */
function streamOf({ socket }: FakeEncoder): unknown {
  return socket.controls('success').at(-1)?.['streamId'];
}

/** A phone that lets the router choose its stream's name, a viewer of it, and frame 1. */
function streaming(options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World(options);
  const phone = world.greet();
  const streamId = streamOf(phone) as string;
  const watcher = world.watch(streamId);
  world.frame(phone, 1);
  return { world, phone, streamId, watcher, resumeToken: tokenOf(phone) };
}

describe('an encoder that registers', () => {
  test('is told how to come back', () => {
    const { world, phone, streamId, resumeToken } = streaming();
    expect(phone.socket.controls('success')).toEqual([
      {
        type: 'success',
        message: `Registration successful. Stream ID: ${streamId}`,
        streamId,
        resumeToken,
        timestamp: world.clock.epochMs(),
      },
    ]);
    expect(resumeToken.length).toBeGreaterThan(0);
    expect(resumeToken.length).toBeLessThanOrEqual(256);
  });

  test('gets another token than any other stream', () => {
    const world = new World();
    const tokens = [world.greet(), world.greet(), world.greet({ streamId: 'door' })].map(tokenOf);
    expect(new Set(tokens).size).toBe(3);
  });
});

describe('an encoder that comes back with its token', () => {
  test.each(['with', 'without'])('and %s the name of its stream goes on with it', (how) => {
    const { world, phone, streamId, watcher, resumeToken } = streaming();
    phone.socket.disconnect();
    world.advance(10_000);
    const back = world.greet({ resumeToken, streamId: how === 'with' ? streamId : undefined });
    expect(streamOf(back)).toBe(streamId);
    world.frame(back, 2);
    expect(watcher.socket.frameNumbers(streamId)).toEqual([1, 2]);
  });

  test('while the router holds its old, half-open connection, closes that one with 4409; viewers see the next frame', () => {
    const { world, phone, streamId, watcher, resumeToken } = streaming();
    const back = world.greet({ resumeToken });
    expect(phone.socket.closedWith?.code).toBe(CloseCode.takenOver);
    expect(back.socket.closedWith).toBeUndefined();
    world.advance(1_000);
    world.frame(back, 2);
    expect(watcher.socket.story).toEqual(['success', 'status online', 'status streaming', 'frame 1', 'frame 2']);
    // The end of the old connection starts no grace.
    world.advance(20_000);
    expect(world.router.streams.get(streamId)?.encoder).toBe(back.link);
    expect(watcher.socket.story).not.toContain('status offline');
  });

  test('may do so again and again, with the token of its last success', () => {
    const { world, phone, streamId, watcher } = streaming();
    let last = phone;
    for (let times = 2; times <= 5; times += 1) {
      last.socket.disconnect();
      world.advance(14_000);
      last = world.greet({ resumeToken: tokenOf(last) });
      world.frame(last, times);
    }
    expect(watcher.socket.frameNumbers(streamId)).toEqual([1, 2, 3, 4, 5]);
    expect(watcher.socket.story).not.toContain('status offline');
    expect([...world.router.streams.all]).toHaveLength(1);
  });

  test('says anew what it produces and consumes', () => {
    const { world, phone, streamId, resumeToken } = streaming();
    const back = world.greet({ resumeToken, consumes: ['alert'] });
    world.alert(streamId, '1');
    expect(back.socket.story).toContain('alert 1');
    expect(phone.socket.story).not.toContain('alert 1');
  });

  test('on the connection that has the stream already is not closed by itself', () => {
    const { world, phone, streamId, watcher, resumeToken } = streaming();
    world.say(phone, { type: 'register', clientType: 'mobile', resumeToken });
    world.frame(phone, 2);
    expect(phone.socket.closedWith).toBeUndefined();
    expect(watcher.socket.frameNumbers(streamId)).toEqual([1, 2]);
  });
});

describe('a token that is good for nothing any more', () => {
  test('one that was never given out registers a new stream', () => {
    const { world, streamId } = streaming();
    const other = world.greet({ resumeToken: 'never-given-out' });
    expect(streamOf(other)).toMatch(/^stream_/);
    expect(streamOf(other)).not.toBe(streamId);
    expect(tokenOf(other)).not.toBe('never-given-out');
  });

  test('one that was never given out registers the stream that is named beside it', () => {
    const world = new World();
    expect(streamOf(world.greet({ resumeToken: 'never-given-out', streamId: 'door' }))).toBe('door');
  });

  test('one whose stream has ended registers a new stream', () => {
    const { world, phone, streamId, resumeToken } = streaming();
    phone.socket.disconnect();
    world.advance(15_000);
    const late = world.greet({ resumeToken });
    expect(streamOf(late)).not.toBe(streamId);
  });

  test('one whose stream has ended, of a name that lives again, is not the key to the new stream', () => {
    const world = new World();
    const first = world.greet({ streamId: 'door' });
    const resumeToken = tokenOf(first);
    first.socket.disconnect();
    world.advance(15_000);
    const second = world.greet({ streamId: 'door' });
    expect(tokenOf(second)).not.toBe(resumeToken);
    expect(streamOf(world.greet({ resumeToken }))).not.toBe('door');
    expect(second.socket.closedWith).toBeUndefined();
  });
});

describe('a token that is refused', () => {
  test.each(['with', 'without'])('another user’s, %s its stream’s name: UNAUTHORIZED, and the stream stays', (how) => {
    const { world, phone, streamId, watcher, resumeToken } = streaming();
    const thief = world.encoder({ userId: 'bert' });
    const fields = how === 'with' ? { streamId } : {};
    expect(() => world.say(thief, { type: 'register', clientType: 'mobile', resumeToken, ...fields })).toThrow(
      refusal('UNAUTHORIZED', /^resumeToken:/),
    );
    expect(thief.socket.received).toHaveLength(0);
    expect(phone.socket.closedWith).toBeUndefined();
    world.frame(phone, 2);
    expect(watcher.socket.frameNumbers(streamId)).toEqual([1, 2]);
  });

  test('another user’s beside an own stream’s name is UNAUTHORIZED too', () => {
    const { world, resumeToken } = streaming();
    expect(() => world.greet({ resumeToken, streamId: 'own' }, { userId: 'bert' })).toThrow(refusal('UNAUTHORIZED'));
    expect(world.router.streams.get('own')).toBeUndefined();
  });

  test('that of another stream than the one named beside it is INVALID_MESSAGE, and both streams go on', () => {
    const { world, phone, streamId, resumeToken } = streaming();
    const door = world.greet({ streamId: 'door' });
    for (const named of ['door', 'garage']) {
      expect(() => world.greet({ resumeToken, streamId: named })).toThrow(
        refusal('INVALID_MESSAGE', new RegExp(`^resumeToken:.*${named}`)),
      );
    }
    expect(world.router.streams.get('garage')).toBeUndefined();
    expect(world.router.streams.get(streamId)?.encoder).toBe(phone.link);
    expect(world.router.streams.get('door')?.encoder).toBe(door.link);
  });

  test('that of another stream than the one this connection has is INVALID_MESSAGE', () => {
    const { world, phone, resumeToken } = streaming();
    const door = world.greet({ streamId: 'door' });
    expect(() => world.say(door, { type: 'register', clientType: 'mobile', resumeToken })).toThrow(
      refusal('INVALID_MESSAGE'),
    );
    expect(phone.socket.closedWith).toBeUndefined();
    expect(door.link.stream?.id).toBe('door');
  });
});
