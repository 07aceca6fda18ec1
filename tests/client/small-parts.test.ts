import type { WebSocket as UndiciSocket } from 'undici';
import { describe, expect, expectTypeOf, onTestFinished, test, vi } from 'vitest';
import type { WebSocket as WsSocket } from 'ws';
import { AlertOutbox } from '../../src/client/alert-outbox.ts';
import { areRenewable, NotSignedIn, routerUrl, showCredentials } from '../../src/client/credentials.ts';
import { Emitter } from '../../src/client/emitter.ts';
import { Frame } from '../../src/client/frame.ts';
import { FramePictures } from '../../src/client/frame-pictures.ts';
import { FrameSlot } from '../../src/client/frame-slot.ts';
import type { WebSocketClass } from '../../src/client/index.ts';
import { RecentIds } from '../../src/client/recent-ids.ts';
import { settled } from './fakes.ts';

test('a slot holds one thing, the newest', () => {
  const slot = new FrameSlot<string>();
  expect(slot.isEmpty).toBe(true);
  expect([slot.put('old'), slot.put('new')]).toEqual([false, true]);
  expect([slot.take(), slot.take(), slot.isEmpty]).toEqual(['new', undefined, true]);
});

test('an id that comes again is known, and the oldest are forgotten in their turn', () => {
  const ids = new RecentIds(3);
  expect(['a', 'b', 'a', 'c', 'd', 'b', 'a'].map((id) => ids.add(id))).toEqual([
    true,
    true,
    false,
    true,
    true,
    false,
    true,
  ]);
});

test('each listener ends by itself, also the same one twice, and also while it is called', () => {
  const emitter = new Emitter<{ ring: number }>();
  const heard: string[] = [];
  const listener = (ring: number) => heard.push(`both ${ring}`);
  const end = emitter.on('ring', listener);
  emitter.on('ring', listener);
  const endOnce = emitter.on('ring', (ring) => {
    heard.push(`once ${ring}`);
    endOnce();
  });
  emitter.emit('ring', 1);
  end();
  emitter.emit('ring', 2);
  expect(heard).toEqual(['both 1', 'both 1', 'once 1', 'both 2']);
});

test('alerts wait for the router’s receipt, over connections, and not without end', () => {
  const outbox = new AlertOutbox(() => 1_000);
  outbox.add({ severity: 'low', message: 'one' });
  const sent = outbox.unsent();
  expect(sent).toEqual([{ severity: 'low', message: 'one', timestamp: 1_000 }]);
  outbox.add({ severity: 'high', message: 'two', timestamp: 7, metadata: { a: 1 } });
  expect(outbox.unsent()).toEqual([{ severity: 'high', message: 'two', timestamp: 7, metadata: { a: 1 } }]);
  outbox.delivered(sent);
  outbox.lost();
  expect(outbox.unsent().map(({ message }) => message)).toEqual(['two']);
  while (outbox.add({ severity: 'low', message: 'more' }));
  expect(outbox.size).toBe(100);
});

test('an alert that no message can carry is refused where it is raised, and what its metadata becomes later is not in it', () => {
  const outbox = new AlertOutbox(() => 1_000);
  const circle: Record<string, unknown> = { step: 1 };
  outbox.add({ severity: 'low', message: 'fine', metadata: circle });
  circle['itself'] = circle;
  const unsendable = [
    circle,
    { call: () => 1 },
    { deep: [{ big: 1n }] },
    { sign: Symbol('x') },
    { text: 'x'.repeat(1024 * 1024) },
  ];
  for (const metadata of unsendable) {
    expect(() => outbox.add({ severity: 'low', message: 'odd', metadata })).toThrow(TypeError);
  }
  expect(() => outbox.add({ severity: 'low', message: 'odd', timestamp: Number.NaN })).toThrow('timestamp');
  outbox.add({ severity: 'low', message: 'next' });
  expect(outbox.unsent()).toEqual([
    { severity: 'low', message: 'fine', timestamp: 1_000, metadata: { step: 1 } },
    { severity: 'low', message: 'next', timestamp: 1_000 },
  ]);
});

test('the router’s address may be written as pages write it', () => {
  const url = (address: string) => routerUrl(address, '/streams/register').href;
  expect(url('https://router.example')).toBe('wss://router.example/streams/register');
  expect(url('http://127.0.0.1:3000/')).toBe('ws://127.0.0.1:3000/streams/register');
  expect(url('wss://example.com/video/?tenant=7#top')).toBe('wss://example.com/video/streams/register?tenant=7');
  expect(() => url('file:///tmp')).toThrow(TypeError);
  expect(() => url('router')).toThrow(TypeError);
});

test('a token is shown in the first message, in the URL only if wished, and a ticket in the URL', async () => {
  const options = { url: 'wss://r' };
  const show = (more: object) => showCredentials('/streams/subscribe', { ...options, ...more });
  const bare = 'wss://r/streams/subscribe';
  expect(await show({})).toEqual({ url: bare, token: undefined });
  expect(await show({ token: 'a.b=' })).toEqual({ url: bare, token: 'a.b=' });
  expect(await show({ token: async () => 'c' })).toEqual({ url: bare, token: 'c' });
  expect(await show({ token: 'a+b=', tokenIn: 'url' })).toEqual({ url: `${bare}?token=a%2Bb%3D`, token: undefined });
  expect(await show({ ticket: () => 't', token: 'x' })).toEqual({ url: `${bare}?ticket=t`, token: undefined });
  for (const nothing of [null, undefined, '']) {
    await expect(show({ token: () => nothing })).rejects.toThrow(NotSignedIn);
  }
  expect([areRenewable({ ...options, token: 'x' }), areRenewable({ ...options, ticket: () => 't' })]).toEqual([
    false,
    true,
  ]);
});

test('every WebSocket there is may be given', () => {
  expectTypeOf<typeof globalThis.WebSocket>().toExtend<WebSocketClass>();
  expectTypeOf<typeof UndiciSocket>().toExtend<WebSocketClass>();
  expectTypeOf<typeof WsSocket>().toExtend<WebSocketClass>();
});

describe('pictures of a component', () => {
  /** Images that are decoded when the test says so. */
  function setUp() {
    const decoding: (() => void)[] = [];
    const alive = new Set<string>();
    let made = 0;
    vi.stubGlobal(
      'Image',
      class {
        decode = () => new Promise<void>((resolve) => decoding.push(resolve));
      },
    );
    vi.spyOn(URL, 'createObjectURL').mockImplementation(() => {
      made += 1;
      alive.add(`blob:${made}`);
      return `blob:${made}`;
    });
    vi.spyOn(URL, 'revokeObjectURL').mockImplementation((url) => void alive.delete(url));
    onTestFinished(() => {
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    });
    const pictures = new FramePictures();
    const show = (timestamp: number) => pictures.show(new Frame('gate', timestamp, 0, new Uint8Array(4)));
    const decodeLast = async () => {
      await settled();
      decoding.pop()?.();
      await settled();
    };
    return { pictures, show, alive, decodeLast };
  }

  test('come in the order of their frames, also when the later one is decoded sooner', async () => {
    const { show, alive, pictures, decodeLast } = setUp();
    const order: string[] = [];
    for (const timestamp of [1, 2]) {
      void show(timestamp).then((shown) => {
        if (shown.kind !== 'url') return;
        order.push(shown.url);
        pictures.rendered(shown.url);
      });
    }
    await decodeLast();
    await decodeLast();
    expect(order).toEqual(['blob:1', 'blob:2']);
    // What is on the page is there.
    expect([...alive]).toEqual(['blob:2']);
  });

  test('of two that come at once the next is asked for, though only the second is ever on the page', async () => {
    const { show, pictures, decodeLast } = setUp();
    const done: number[] = [];
    const urls: string[] = [];
    for (const timestamp of [1, 2]) {
      void show(timestamp).then(async (shown) => {
        if (shown.kind !== 'url') return;
        urls.push(shown.url);
        await shown.rendered;
        done.push(timestamp);
      });
    }
    await decodeLast();
    await decodeLast();
    // The page has rendered once for both, what it was told last.
    pictures.rendered(urls.at(-1) ?? '');
    await settled();
    expect(done.sort()).toEqual([1, 2]);
  });

  test('one that is not there any more takes no other away', async () => {
    const { show, alive, pictures, decodeLast } = setUp();
    const shown = show(1);
    await decodeLast();
    await shown;
    pictures.rendered('blob:of long ago');
    expect([...alive]).toEqual(['blob:1']);
  });
});
