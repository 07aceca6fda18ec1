import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Frame, type StreamStatus, type SubscribeOptions, Viewer } from '../../src/client/index.ts';
import { FakeSocket, FakeWorld, settled } from './fakes.ts';

beforeEach(() => {
  FakeSocket.all = [];
});

/** A viewer, and a router that answers what it is asked and says what the test says. */
async function setUp() {
  const world = new FakeWorld();
  const viewer = new Viewer({ url: 'wss://router.example', WebSocket: FakeSocket, world });
  onTestFinished(() => viewer.close());
  await settled();
  const say: FakeSocket['say'] = (message) => FakeSocket.last.say(message);
  let answered = 0;
  /** Everything that was asked is answered. */
  const answer = async () => {
    await settled();
    const { sent } = FakeSocket.last;
    for (; answered < sent.length; answered += 1) {
      const { streamId } = sent[answered] as { streamId?: string };
      say({ type: 'success', message: 'Done', streamId });
    }
    await settled();
  };
  const connect = async () => {
    answered = 0;
    FakeSocket.last.open();
    await answer();
  };
  await connect();
  return {
    world,
    viewer,
    answer,
    connect,
    status: (streamId: string, status: StreamStatus) => say({ type: 'status', streamId, status }),
    frame: (streamId: string, timestamp: number) =>
      say({ type: 'video-frame', streamId, timestamp, data: new Uint8Array(4) }),
  };
}

/** A subscription that notes the time of each picture. */
function noting(): { times: number[]; options: SubscribeOptions } {
  const times: number[] = [];
  return { times, options: { onFrame: ({ timestamp }: Frame) => void times.push(timestamp) } };
}

test('a picture that nobody took frames after is not handed out later as if it were new', async () => {
  const { viewer, answer, status, frame } = await setUp();
  const statuses: string[] = [];
  viewer.subscribe('*', { onStatus: ({ status: said }) => statuses.push(said) });
  await answer();
  const before = noting();
  const end = viewer.subscribe('gate', before.options);
  await answer();
  status('gate', 'streaming');
  frame('gate', 1);
  end();
  await answer();
  // The phone was locked for hours.
  status('gate', 'online');
  const after = noting();
  viewer.subscribe('gate', { ...after.options, onStatus: ({ status: said }) => statuses.push(`again ${said}`) });
  await answer();
  expect([before.times, after.times, statuses]).toEqual([[1], [], ['streaming', 'online', 'again online']]);
  frame('gate', 1);
  expect(after.times).toEqual([1]);
});

test('who ends a subscription and begins it again in one turn has the picture, and does not get it twice', async () => {
  const { viewer, answer, status, frame } = await setUp();
  const first = noting();
  const end = viewer.subscribe('gate', first.options);
  await answer();
  status('gate', 'streaming');
  frame('gate', 1);
  end();
  const second = noting();
  viewer.subscribe('gate', second.options);
  await answer();
  expect(second.times).toEqual([1]);
});

test('of two hundred streams that came, were watched by name beside all others, and went, nothing is remembered', async () => {
  const { viewer, answer, status, frame } = await setUp();
  viewer.subscribe('*', { onStatus: () => undefined });
  await answer();
  status('stays', 'online');
  for (let number = 1; number <= 200; number += 1) {
    const streamId = `phone-${number}`;
    status(streamId, 'streaming');
    const end = viewer.subscribe(streamId, noting().options);
    await answer();
    frame(streamId, number);
    status(streamId, 'offline');
    end();
    await answer();
  }
  // Who comes later is told everything that is remembered.
  const told: string[] = [];
  viewer.subscribe('*', {
    onStatus: ({ streamId }) => told.push(streamId),
    onFrame: ({ streamId }) => told.push(`picture of ${streamId}`),
  });
  await settled();
  expect(told).toEqual(['stays']);
});

test('a stream that went while its subscription ended in a cut is forgotten when all are there again', async () => {
  const { world, viewer, answer, connect, status } = await setUp();
  const told: string[] = [];
  viewer.subscribe('*', { onStatus: ({ streamId, status: said }) => told.push(`${streamId} ${said}`) });
  const end = viewer.subscribe('gate', noting().options);
  await answer();
  status('gate', 'streaming');
  status('gate', 'offline');
  FakeSocket.last.end(1006);
  end();
  await world.pass(1_000);
  await connect();
  const later: string[] = [];
  viewer.subscribe('*', { onStatus: ({ streamId }) => later.push(streamId) });
  await answer();
  expect([told, later]).toEqual([['gate streaming', 'gate offline'], []]);
  // And is news when it comes back.
  status('gate', 'online');
  expect(told.at(-1)).toBe('gate online');
});

test('a picture that a busy page was never shown is shown after a new subscription, though the camera stands still', async () => {
  const { viewer, answer, status, frame } = await setUp();
  const times: number[] = [];
  let take: () => void = () => undefined;
  const onFrame = ({ timestamp }: Frame) => {
    times.push(timestamp);
    return new Promise<void>((resolve) => {
      take = resolve;
    });
  };
  viewer.subscribe('gate', { onFrame });
  await answer();
  status('gate', 'streaming');
  frame('gate', 1);
  // It waits for the page, and then there is another subscription.
  frame('gate', 2);
  viewer.subscribe('gate', { onAlert: () => undefined });
  await answer();
  take();
  await settled();
  expect(times).toEqual([1]);
  frame('gate', 2);
  expect(times).toEqual([1, 2]);
});
