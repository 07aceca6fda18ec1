import { afterAll, beforeAll, describe, expect } from 'vitest';
import { jpegOf, type TestClient } from '../support/client.ts';
import { numberedPicture } from '../support/pictures.ts';
import { play } from './play.ts';
import { MODES, openClient, openDashboard, openPhone, openWorld, raise, type World } from './worlds.ts';

const REGISTER = { type: 'register', clientType: 'mobile', produces: ['video-frame'], consumes: ['alert'] };
const SUBSCRIBE = { type: 'subscribe', clientType: 'dashboard', consumes: ['video-frame', 'alert'] };
const AT = 1_800_000_000_000;

const pictures = [1, 2, 3].map((number) => numberedPicture(number, 20_000));

function frameOfText(streamId: string, jpeg: Buffer): object {
  return { type: 'video-frame', streamId, data: jpeg.toString('base64'), timestamp: Date.now() };
}

function plain({ $raw, $binary, ...message }: Record<string, unknown>): Record<string, unknown> {
  return message;
}

function typesHeard(client: TestClient): string[] {
  return client.messages.map(({ type }) => type);
}

describe.each(MODES)('%s', (mode) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(mode);
  });
  afterAll(() => world.router.stop());

  play('phone by message', async () => {
    const phone = await openClient(world, `/streams/register?token=${world.token}`);
    phone.send({ ...REGISTER, streamId: 'hall' });
    const success = await phone.next(() => true);
    expect(success).toMatchObject({ type: 'success', timestamp: expect.any(Number) });
    expect(success['message']).toBe('Registration successful. Stream ID: hall');
    const dashboard = await openDashboard(world, 'hall');
    const frame = { type: 'video-frame', streamId: 'hall', data: pictures[0]?.toString('base64'), timestamp: AT };
    phone.send(frame);
    expect(plain(await dashboard.next('video-frame'))).toEqual(frame);
  });

  play('dashboard by message', async () => {
    const { phone, streamId, send } = await openPhone(world, undefined, { produces: ['video-frame', 'alert'] });
    const dashboard = await openClient(world, `/streams/subscribe?token=${world.token}`);
    dashboard.send({ ...SUBSCRIBE, streamId });
    const success = await dashboard.next('success');
    expect(success).toMatchObject({ message: 'Subscription successful', timestamp: expect.any(Number) });
    const [jpeg = Buffer.alloc(0)] = pictures;
    send(jpeg, { timestamp: AT });
    const alert = {
      type: 'alert',
      streamId,
      severity: 'high',
      message: 'Somebody is at the gate',
      metadata: { confidence: 0.5, location: { x: 3, y: 4 } },
      timestamp: AT + 1,
    };
    phone.send(alert);
    const frame = { type: 'video-frame', streamId, data: jpeg.toString('base64'), timestamp: AT };
    expect(plain(await dashboard.next('video-frame'))).toEqual(frame);
    expect(plain(await dashboard.next('alert'))).toEqual({ ...alert, id: expect.any(String) });
    expect(typesHeard(dashboard)).toEqual(['success', 'status', 'status', 'video-frame', 'alert']);
  });

  play('shapes of messages', async () => {
    const phone = await openClient(world, `/streams/register?token=${world.token}`);
    // It may consume frames by its type, though nobody sends it any.
    phone.send({ ...REGISTER, produces: ['video-frame', 'alert'], consumes: ['video-frame', 'alert'] });
    const { streamId } = await phone.next('success');
    const dashboard = await openDashboard(world, streamId);
    phone.send(frameOfText(streamId, pictures[0] as Buffer));
    const status = await dashboard.next('status');
    expect(plain(status)).toEqual({ type: 'status', streamId, status: 'streaming', timestamp: expect.any(Number) });
    for (const severity of ['low', 'medium', 'high', 'critical']) {
      const metadata = { confidence: 1, location: { x: 1, y: 2 }, objectType: 'person', whatever: [severity] };
      phone.send({ type: 'alert', streamId, severity, message: 'Seen', metadata, timestamp: AT });
      expect(await dashboard.next('alert')).toMatchObject({ streamId, severity, message: 'Seen', metadata });
    }
    const wrong: [string, () => void][] = [
      ['UNKNOWN_MESSAGE_TYPE', () => phone.send({ type: 'no-such-type' })],
      ['ROUTING_ERROR', () => phone.send(frameOfText('not-mine', pictures[0] as Buffer))],
      ['INVALID_MESSAGE', () => phone.sendRaw('{')],
      [
        'INVALID_MESSAGE',
        () => phone.send({ type: 'video-frame', streamId, data: 'text that is no picture', timestamp: AT }),
      ],
    ];
    for (const [code, say] of wrong) {
      say();
      const error = await phone.next('error');
      expect(error).toMatchObject({ code, message: expect.any(String), timestamp: expect.any(Number) });
    }
    await phone.close();
    expect((await dashboard.next('status'))['status']).toBe('offline');
    await phoneOfAnotherUser();
  });

  /** The two error codes for who may not. A router that asks nobody knows only the one for taking what is another's. */
  async function phoneOfAnotherUser(): Promise<void> {
    const { streamId } = await openPhone(world);
    const query = mode === 'with a session' ? `?token=${(await world.router.signUp()).token}` : '';
    const thief = await openClient(world, `/ws${query}`);
    thief.send({ ...REGISTER, streamId, userId: 'somebody-else' });
    const shape = { message: expect.any(String), timestamp: expect.any(Number) };
    expect(await thief.next('error')).toMatchObject({ code: 'UNAUTHORIZED', ...shape });
    if (mode !== 'with a session') return;
    const stranger = await openClient(world, '/streams/register?token=no-good');
    expect(await stranger.next('error')).toMatchObject({ code: 'AUTH_REQUIRED', ...shape });
    expect(await stranger.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
  }

  play('phone outside of browsers', async () => {
    const phone = await openClient(world, `/streams/register?token=${world.token}`);
    phone.send(REGISTER);
    const { message } = await phone.next('success');
    const streamId = /Stream ID: (stream_\w+)/.exec(message)?.[1] ?? '';
    const dashboard = await openDashboard(world, streamId);
    for (const jpeg of pictures) {
      phone.send(frameOfText(streamId, jpeg));
      expect(jpegOf(await dashboard.next('video-frame')).equals(jpeg)).toBe(true);
    }
    await raise(world, { streamId, severity: 'critical', message: 'Fall' });
    expect(await phone.next('alert')).toMatchObject({ severity: 'critical', message: 'Fall' });
    // Nothing else is in its way: it takes every success for the answer to its register.
    expect(typesHeard(phone)).toEqual(['success', 'alert']);
  });

  play('phone at one door', async () => {
    const streamId = 'my-stream';
    const dashboard = await openDashboard(world, streamId);
    const phone = await openClient(world, '/ws');
    phone.send({ ...REGISTER, streamId, userId: 'user-1', token: world.token });
    for (const jpeg of pictures) phone.send(frameOfText(streamId, jpeg));
    for (const jpeg of pictures) expect(jpegOf(await dashboard.next('video-frame')).equals(jpeg)).toBe(true);
    await raise(world, { streamId, severity: 'high', message: 'Person' });
    expect((await phone.next('alert'))['message']).toBe('Person');
    expect(typesHeard(phone)).toEqual(['success', 'alert']);
  });

  play('phone that registers over HTTP', async () => {
    const response = await fetch(`${world.router.httpUrl}/api/streams/register`, {
      method: 'POST',
      headers: { ...world.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ deviceName: 'Old phone', deviceType: 'mobile', metadata: { fps: 30 } }),
    });
    expect(response.ok).toBe(true);
    const { streamId, message } = (await response.json()) as { streamId: string; message: string };
    expect([streamId, message]).toEqual([expect.stringMatching(/^stream_\w+$/), expect.any(String)]);
    const dashboard = await openDashboard(world, streamId);
    const query = mode === 'with a session' ? `?token=${world.token}` : '';
    const phone = await openClient(world, `/api/streams/ws${query}`);
    phone.send({ ...REGISTER, streamId });
    expect((await phone.next('success'))['message']).toBe(`Registration successful. Stream ID: ${streamId}`);
    phone.send(frameOfText(streamId, pictures[0] as Buffer));
    expect(jpegOf(await dashboard.next('video-frame')).equals(pictures[0] as Buffer)).toBe(true);
    await raise(world, { streamId, severity: 'low', message: 'Cat' });
    expect(await phone.next('alert')).toMatchObject({ severity: 'low', message: 'Cat' });
  });
});
