import { encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { frameOf, jpegOf, openEncoder, openViewer, TestClient } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

const walk = readWalk();
const jpeg = walk[0] as Buffer;
const base64 = jpeg.toString('base64');
const MAX_BYTES = 16 * 1024 * 1024;
let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter({ env: { STREAM_MAX_FPS: '1000' } });
});
afterAll(() => router.stop());

/** A client that makes one mistake; the connection must stay, so a good message is answered afterwards. */
interface Mistake {
  name: string;
  send: string | Uint8Array;
  code: string;
  names?: string;
}

const json = (message: object) => JSON.stringify(message);
const frame = (fields: object) => json({ type: 'video-frame', streamId: 's', data: base64, timestamp: 1, ...fields });

const encoderMistakes: Mistake[] = [
  { name: 'text that is not JSON', send: 'hello', code: 'INVALID_MESSAGE', names: 'message' },
  { name: 'an empty text', send: '', code: 'INVALID_MESSAGE' },
  { name: 'an empty binary message', send: new Uint8Array(0), code: 'INVALID_MESSAGE' },
  { name: 'binary that is not MessagePack', send: new Uint8Array([0xc1, 1, 2]), code: 'INVALID_MESSAGE' },
  { name: 'a JSON list', send: '[1,2]', code: 'INVALID_MESSAGE', names: 'message' },
  { name: 'JSON null', send: 'null', code: 'INVALID_MESSAGE' },
  { name: 'a MessagePack number', send: encode(7), code: 'INVALID_MESSAGE' },
  { name: 'a message without a type', send: '{}', code: 'INVALID_MESSAGE', names: 'type' },
  { name: 'a type that is no text', send: '{"type":5}', code: 'INVALID_MESSAGE', names: 'type' },
  { name: 'an unknown type', send: '{"type":"teleport"}', code: 'UNKNOWN_MESSAGE_TYPE', names: 'type' },
  { name: 'a type every object has', send: '{"type":"constructor"}', code: 'UNKNOWN_MESSAGE_TYPE' },
  { name: 'a register without clientType', send: '{"type":"register"}', code: 'INVALID_MESSAGE', names: 'clientType' },
  {
    name: 'a stream id with a slash',
    send: json({ type: 'register', clientType: 'mobile', streamId: 'a/b' }),
    code: 'INVALID_MESSAGE',
    names: 'streamId',
  },
  {
    name: 'a subscribe on the encoder path',
    send: json({ type: 'subscribe', clientType: 'dashboard', streamId: 's' }),
    code: 'INVALID_MESSAGE',
    names: 'type: subscribe belongs on /streams/subscribe',
  },
  { name: 'a frame without data', send: frame({ data: undefined }), code: 'INVALID_MESSAGE', names: 'data' },
  { name: 'a frame with empty data', send: frame({ data: '' }), code: 'INVALID_MESSAGE', names: 'data' },
  { name: 'a frame that is a PNG', send: frame({ data: 'iVBORw0KGgo=' }), code: 'INVALID_MESSAGE', names: 'data' },
  {
    name: 'base64 of an odd length',
    send: frame({ data: base64.slice(0, 41) }),
    code: 'INVALID_MESSAGE',
    names: 'data',
  },
  {
    name: 'base64 with line breaks, as Android writes by default',
    send: frame({ data: base64.replace(/(.{76})/g, '$1\n') }),
    code: 'INVALID_MESSAGE',
    names: 'data',
  },
  ...['\n', '\r', '\t', '\0'].map((character) => ({
    name: `base64 with a raw ${JSON.stringify(character)}, which is no JSON,`,
    send: frame({}).replace(base64.slice(100, 104), character.repeat(4)),
    code: 'INVALID_MESSAGE',
    names: 'message',
  })),
  {
    name: 'a frame without a timestamp',
    send: frame({ timestamp: undefined }),
    code: 'INVALID_MESSAGE',
    names: 'timestamp',
  },
  { name: 'a timestamp in text', send: frame({ timestamp: '1' }), code: 'INVALID_MESSAGE', names: 'timestamp' },
  {
    name: 'a frame without a stream',
    send: frame({ streamId: undefined }),
    code: 'INVALID_MESSAGE',
    names: 'streamId',
  },
  {
    name: 'MessagePack that holds base64 text',
    send: encode({ type: 'video-frame', streamId: 's', data: base64, timestamp: 1 }),
    code: 'INVALID_MESSAGE',
    names: 'data',
  },
  { name: 'a frame before register', send: frame({}), code: 'ROUTING_ERROR', names: 'streamId' },
  {
    name: 'an alert before register',
    send: json({ type: 'alert', streamId: 's', severity: 'low', message: 'x' }),
    code: 'ROUTING_ERROR',
  },
];

test.each(encoderMistakes)('an encoder that sends $name is told $code and stays connected', async (mistake) => {
  const { token } = await router.signUp();
  const encoder = await TestClient.open(`${router.wsUrl}/streams/register?token=${token}`, {
    encoding: typeof mistake.send === 'string' ? 'json' : 'msgpack',
  });
  encoder.sendRaw(mistake.send);
  const error = await encoder.next('error');
  expect(error).toMatchObject({ code: mistake.code, $binary: typeof mistake.send !== 'string' });
  expect(error['message']).toMatch(new RegExp(`^${mistake.names ?? ''}`));
  expect(error['message']).not.toMatch(/\.ts:|at .*\(/);
  encoder.send({ type: 'register', clientType: 'mobile' });
  await encoder.next('success');
  await encoder.close();
});

const viewerMistakes: Mistake[] = [
  {
    name: 'a register on the viewer path',
    send: json({ type: 'register', clientType: 'mobile' }),
    code: 'INVALID_MESSAGE',
    names: 'type: register belongs on /streams/register',
  },
  { name: 'a frame', send: frame({}), code: 'ROUTING_ERROR' },
  {
    name: 'an alert',
    send: json({ type: 'alert', streamId: 's', severity: 'low', message: 'x' }),
    code: 'UNAUTHORIZED',
  },
  {
    name: 'a subscribe without a stream',
    send: '{"type":"subscribe","clientType":"dashboard"}',
    code: 'INVALID_MESSAGE',
    names: 'streamId',
  },
  { name: 'an unsubscribe from nothing', send: '{"type":"unsubscribe","streamId":"s"}', code: 'ROUTING_ERROR' },
  { name: 'not JSON', send: '{', code: 'INVALID_MESSAGE' },
];

test.each(viewerMistakes)('a dashboard that sends $name is told $code and stays connected', async (mistake) => {
  const { token } = await router.signUp();
  const viewer = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${token}`);
  viewer.sendRaw(mistake.send);
  const error = await viewer.next('error');
  expect(error['code']).toBe(mistake.code);
  expect(error['message']).toMatch(new RegExp(`^${mistake.names ?? ''}`));
  viewer.send({ type: 'subscribe', clientType: 'dashboard', streamId: 'anything' });
  await viewer.next('success');
  await viewer.close();
});

test('a frame for somebody else’s stream is refused by name, and one’s own goes on', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, token, streamId);
  encoder.send(frameOf(encoder, 'other', jpeg));
  expect(await encoder.next('error')).toMatchObject({ code: 'ROUTING_ERROR' });
  encoder.send(frameOf(encoder, streamId, jpeg));
  expect(jpegOf(await viewer.next('video-frame')).equals(jpeg)).toBe(true);
  await Promise.all([encoder.close(), viewer.close()]);
});

test('20 invalid messages in 10 seconds close the connection with 4429; 19 do not', async () => {
  const { token } = await router.signUp();
  const client = await TestClient.open(`${router.wsUrl}/streams/register?token=${token}`);
  for (let sent = 0; sent < 19; sent += 1) client.sendRaw('nonsense');
  client.send({ type: 'register', clientType: 'mobile' });
  await client.next('success');
  expect(client.messages.filter((message) => message['code'] === 'INVALID_MESSAGE')).toHaveLength(19);
  client.sendRaw('nonsense');
  expect(await client.closed).toEqual({ code: 4429, reason: 'Too many invalid messages' });
});

/** A frame whose whole message has exactly so many bytes. */
function frameOfSize(streamId: string, messageBytes: number): Uint8Array {
  const picture = Buffer.alloc(messageBytes);
  picture.set([0xff, 0xd8, 0xff, 0xe0]);
  const overhead = encode({ type: 'video-frame', streamId, timestamp: 1, data: picture }).length - messageBytes;
  return encode({ type: 'video-frame', streamId, timestamp: 1, data: picture.subarray(0, messageBytes - overhead) });
}

test('a message of exactly 16 MiB arrives; one byte more is answered PAYLOAD_TOO_LARGE and closed with 1009', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
  const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
  const largest = frameOfSize(streamId, MAX_BYTES);
  expect(largest.length).toBe(MAX_BYTES);
  encoder.sendRaw(largest);
  expect((await viewer.next('video-frame'))['$raw'].length).toBe(MAX_BYTES);
  encoder.sendRaw(frameOfSize(streamId, MAX_BYTES + 1));
  expect(await encoder.next('error')).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  expect((await encoder.closed).code).toBe(1009);
  await viewer.close();
});

test('a control message that decodes into gigabytes is refused, and the router lives', async () => {
  const { token } = await router.signUp();
  const client = await TestClient.open(`${router.wsUrl}/streams/register?token=${token}`, { encoding: 'msgpack' });
  // A map of one field whose value claims four billion elements, and one that holds two million lists.
  client.sendRaw(new Uint8Array([0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 0xdd, 0xff, 0xff, 0xff, 0xff]));
  expect(await client.next('error')).toMatchObject({ code: 'INVALID_MESSAGE' });
  const lists = Buffer.alloc(2_000_000, 0x90);
  client.sendRaw(Buffer.concat([Buffer.from([0x81, 0xa1, 0x78, 0xdd, 0, 0x1e, 0x84, 0x80]), lists]));
  expect(await client.next('error')).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  await client.close();
});

test('an encoder over 60 frames a second is told once a second, and its stream goes on', async () => {
  const limited = await startTestRouter();
  const { token } = await limited.signUp();
  const { encoder, streamId } = await openEncoder(limited.wsUrl, token, { encoding: 'msgpack' });
  for (let sent = 0; sent < 300; sent += 1) encoder.send(frameOf(encoder, streamId, jpeg));
  expect(await encoder.next('error')).toMatchObject({ code: 'RATE_LIMITED' });
  encoder.send({ type: 'unknown' });
  await encoder.next((message) => message['code'] === 'UNKNOWN_MESSAGE_TYPE');
  const notices = encoder.messages.filter((message) => message['code'] === 'RATE_LIMITED');
  expect(notices.length).toBeLessThanOrEqual(2);
  const { frames } = await limited.stats();
  expect(frames.received).toBe(300);
  expect(frames.rejected.rate).toBeGreaterThanOrEqual(200);
  await encoder.close();
  await limited.stop();
});
