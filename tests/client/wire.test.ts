import { readFileSync } from 'node:fs';
import { expect, expectTypeOf, test } from 'vitest';
import { decodeControl, encodeServerMessage } from '../../proto/codec.ts';
import { FrameView } from '../../proto/frame.ts';
import type { DeliveredAlert, ServerMessage } from '../../proto/messages.ts';
import type { Alert, StreamStatus } from '../../src/client/types.ts';
import { decodeMessage, encodeMessage, type Incoming } from '../../src/client/wire.ts';

test('what the SDK takes a router’s messages for is what they are', () => {
  expectTypeOf<ServerMessage>().toExtend<Incoming>();
  expectTypeOf<Omit<DeliveredAlert, 'type'>>().toEqualTypeOf<Alert>();
  expectTypeOf<Extract<ServerMessage, { type: 'status' }>['status']>().toEqualTypeOf<StreamStatus>();
});

test('what a router writes is read, in both encodings', () => {
  const messages: ServerMessage[] = [
    {
      type: 'success',
      message: 'Subscription successful',
      streamId: 'gate',
      alerts: 'gap',
      lastAlert: 'x',
      timestamp: 1,
    },
    { type: 'error', code: 'AUTH_REQUIRED', message: 'Grüße', timestamp: 1_700_000_000_000 },
    { type: 'throttle', streamId: 'gate', maxFps: 5, reason: 'demand', timestamp: 1 },
    {
      type: 'alert',
      id: 'a',
      streamId: 'gate',
      severity: 'low',
      message: 'm',
      metadata: { n: [1, null] },
      timestamp: 1.5,
    },
  ];
  for (const message of messages) {
    expect(decodeMessage(encodeServerMessage(message, 'json'))).toEqual(message);
    const bytes = encodeServerMessage(message, 'msgpack') as Uint8Array;
    expect(decodeMessage(bytes.slice().buffer)).toEqual(message);
  }
});

test('what the SDK writes is read by the router, and what is undefined is not there', () => {
  const subscribe = { type: 'subscribe', clientType: 'dashboard', streamId: '*', window: undefined, since: undefined };
  expect(decodeControl(encodeMessage(subscribe), 'msgpack')).toEqual({
    type: 'subscribe',
    clientType: 'dashboard',
    streamId: '*',
  });
  const data = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 7]);
  const view = new FrameView();
  const frame = encodeMessage({ type: 'video-frame', streamId: 'gate', timestamp: 1_700_000_000_123.5, data });
  expect(view.read(Buffer.from(frame), 'msgpack')).toBe(true);
  expect([view.streamId, view.timestamp]).toEqual(['gate', 1_700_000_000_123.5]);
});

test('the golden vectors of frames are read as they are meant', () => {
  const text = readFileSync(new URL('../../proto/vectors/valid.json', import.meta.url), 'utf8');
  const vectors = JSON.parse(text) as {
    name: string;
    message: { type: string; data?: { $base64: string } };
    msgpack?: string[];
  }[];
  const frames = vectors.filter(({ message }) => message.type === 'video-frame');
  expect(frames.length).toBeGreaterThan(3);
  for (const { name, message, msgpack } of frames) {
    for (const hex of msgpack ?? []) {
      const decoded = decodeMessage(new Uint8Array(Buffer.from(hex, 'hex')).buffer) as {
        data: Uint8Array;
        streamId: string;
      };
      expect(Buffer.from(decoded.data).toString('base64'), name).toBe(message.data?.$base64);
    }
  }
});

test('rubbish is no message, and throws nothing', () => {
  for (const rubbish of [
    '',
    '{',
    '7',
    'null',
    '[]',
    '{"type":7}',
    new ArrayBuffer(0),
    new Uint8Array([0xc1]).buffer,
    undefined,
  ]) {
    expect(decodeMessage(rubbish)).toBeUndefined();
  }
});
