import { describe, expect, test } from 'vitest';
import { FeedWorld, pictureOf, seqOf, settled, streamIds } from './fakes.ts';

/** One stream of `fps` for `ms`, answered at once. Answers how many frames were sent. */
async function sentOf(world: FeedWorld, fps: number, ms: number, jitterMs = 0): Promise<number> {
  const count = Math.round((fps * ms) / 1000);
  for (let frame = 0; frame < count; frame += 1) {
    const dueMs = (frame * 1000) / fps + (frame % 2 === 0 ? jitterMs : 0);
    world.time.advance(Math.max(0, dueMs - world.time.monotonicMs()));
    world.frame('door');
    for (const request of world.service.open) await request.answer();
  }
  world.time.advance(25);
  for (const request of world.service.open) await request.answer();
  return world.service.sent('door').length;
}

describe('sampling', () => {
  test.each([10, 25, 30, 60])('a stream of %d fps is analysed at 5 fps', async (fps) => {
    const sent = await sentOf(new FeedWorld(), fps, 10_000);
    expect(sent).toBeGreaterThanOrEqual(40);
    expect(sent).toBeLessThanOrEqual(51);
  });

  test('a stream slower than that is analysed whole', async () => {
    expect(await sentOf(new FeedWorld(), 2, 10_000)).toBe(20);
  });

  test('a stream of 5 fps whose frames come a few ms early or late is analysed nearly whole', async () => {
    expect(await sentOf(new FeedWorld(), 5, 10_000, 10)).toBeGreaterThanOrEqual(45);
  });

  test('each stream has its own 5 fps', () => {
    const world = new FeedWorld();
    expect([world.frame('door'), world.frame('door'), world.frame('garage')]).toEqual([true, false, true]);
    expect(world.feed.stats.sampled).toBe(2);
  });

  test('frames are spread over the second: no heap after a pause', () => {
    const world = new FeedWorld();
    world.time.advance(60_000);
    expect([1, 2, 3].map(() => world.frame('door'))).toEqual([true, false, false]);
  });
});

describe('batches', () => {
  test('a lone frame goes out 25 ms after it came', async () => {
    const world = new FeedWorld();
    world.frame('door');
    world.time.advance(24);
    expect(world.service.requests).toHaveLength(0);
    world.time.advance(1);
    expect(world.service.requests).toHaveLength(1);
    expect(world.service.request(0).frames).toMatchObject([{ streamId: 'door', timestamp: 10, seq: 1 }]);
    expect(world.feed.stats).toMatchObject({ sampled: 1, sent: 0, requests: 1, inFlight: 1 });
    await world.service.request(0).answer();
    expect(world.feed.stats).toMatchObject({ sampled: 1, sent: 1, requests: 1, inFlight: 0 });
  });

  test('of huge frames are small, so that nobody waits while one is encoded', async () => {
    const world = new FeedWorld({ maxInFlight: 2 });
    for (const streamId of ['a', 'b', 'c', 'd']) world.frame(streamId, 3 * 1024 * 1024);
    world.frame('e', 9 * 1024 * 1024);
    world.time.advance(25);
    expect(world.service.batches).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    await world.service.request(0).answer();
    expect(world.service.batches[2]).toEqual(['e']);
  });

  test('frames of other streams within the 25 ms go along, and do not make the first one wait longer', () => {
    const world = new FeedWorld();
    for (const streamId of ['a', 'b', 'c']) {
      world.frame(streamId);
      world.time.advance(10);
    }
    expect(world.service.batches).toEqual([['a', 'b', 'c']]);
    expect(world.service.request(0).atMs).toBe(25);
  });

  test('newer frames of the first stream do not make it wait longer either', () => {
    const world = new FeedWorld({ fps: 100 });
    for (let ms = 0; ms < 100; ms += 10) {
      world.frame('door');
      world.time.advance(10);
    }
    expect(world.service.requests[0]?.atMs).toBe(25);
  });

  test('the 16th frame sends the batch at once', () => {
    const world = new FeedWorld();
    world.frames(streamIds(15));
    expect(world.service.requests).toHaveLength(0);
    world.frame('s15');
    expect(world.service.batches).toEqual([streamIds(16)]);
    world.time.advance(1_000);
    expect(world.service.requests).toHaveLength(1);
    expect(world.time.pendingTimers).toBe(0);
  });

  test('a service that takes frames one by one gets each at once', () => {
    const world = new FeedWorld({ batchSize: 1 });
    world.frames(['a', 'b', 'c']);
    expect(world.service.batches).toEqual([['a'], ['b'], ['c']]);
  });

  test('a service that turns out to take frames one by one gets them so from then on', async () => {
    const world = new FeedWorld();
    world.frames(['a', 'b']);
    world.time.advance(25);
    world.service.size = 1;
    await world.service.request(0).answer();
    world.time.advance(200);
    world.frames(['a', 'b']);
    expect(world.service.batches).toEqual([['a', 'b'], ['a'], ['b']]);
  });

  test('no wait at all, when so configured', () => {
    const world = new FeedWorld({ batchWaitMs: 0 });
    world.frame('door');
    expect(world.service.requests).toHaveLength(1);
  });
});

describe('a service that does not keep up', () => {
  test('has at most 4 requests at a time', async () => {
    const world = new FeedWorld();
    world.frames(streamIds(100));
    world.time.advance(100);
    expect(world.service.open).toHaveLength(4);
    expect(world.feed.stats.inFlight).toBe(4);
    await world.service.request(2).answer();
    expect(world.service.open).toHaveLength(4);
    expect(world.service.requests).toHaveLength(5);
  });

  test('gets the newest frame of a stream when it is free again, not the ones before', async () => {
    const world = new FeedWorld();
    world.frame('door');
    world.time.advance(200);
    for (let count = 0; count < 4; count += 1) {
      world.frame('door');
      world.time.advance(200);
    }
    expect(world.service.sent('door')).toEqual([1]);
    await world.service.request(0).answer();
    expect(world.service.sent('door')).toEqual([1, 5]);
    expect(world.feed.stats.dropped).toEqual({ replaced: 3, stale: 0, failed: 0 });
  });

  test('gets the newest frames, not those from when its connection began to stall', async () => {
    const world = new FeedWorld({ batchSize: 1 });
    world.frame('a');
    world.service.isBusy = true;
    world.frame('b');
    world.time.advance(400);
    world.frame('b');
    expect(world.service.batches).toEqual([['a']]);
    world.service.isBusy = false;
    await world.service.request(0).answer();
    expect(world.service.sent('b')).toEqual([2]);
    expect(world.feed.stats.dropped).toMatchObject({ replaced: 1, stale: 0 });
  });

  test('never gets a frame that is older than 1 s', async () => {
    const world = new FeedWorld({ batchSize: 1, maxInFlight: 1 });
    world.frames(['a', 'b']);
    world.time.advance(500);
    world.frame('c');
    world.time.advance(501);
    await world.service.request(0).answer();
    expect(world.service.batches).toEqual([['a'], ['c']]);
    expect(world.feed.stats.dropped).toEqual({ replaced: 0, stale: 1, failed: 0 });
    await world.service.request(1).answer();
    world.frame('b');
    expect(world.service.sent('b')).toEqual([2]);
    expect(world.feed.stats.dropped).toEqual({ replaced: 0, stale: 1, failed: 0 });
  });

  test('still gets a frame that is just 1 s old', async () => {
    const world = new FeedWorld({ batchSize: 1, maxInFlight: 1 });
    world.frames(['a', 'b']);
    world.time.advance(1_000);
    await world.service.request(0).answer();
    expect(world.service.batches).toEqual([['a'], ['b']]);
  });

  test('gets the stream first that was served longest ago, in whatever order frames come', async () => {
    const world = new FeedWorld({ batchSize: 2, maxInFlight: 1, batchWaitMs: 0 });
    world.frames(['a', 'b', 'c', 'd', 'e']);
    for (const index of [0, 1, 2]) await world.service.request(index).answer();
    world.time.advance(200);
    world.frames(['e', 'd', 'c', 'b', 'a']);
    for (const index of [3, 4, 5]) await world.service.request(index).answer();
    expect(world.service.batches.slice(0, 3).flat()).toEqual(['a', 'b', 'c', 'd', 'e']);
    // `e` found the service idle.
    expect(world.service.batches.slice(3)).toEqual([['e'], ['a', 'b'], ['c', 'd']]);
  });

  test('serves all streams alike', async () => {
    const world = new FeedWorld({ batchSize: 2, maxInFlight: 2 });
    const ids = streamIds(10);
    for (let round = 0; round < 100; round += 1) {
      world.frames(ids);
      world.time.advance(200);
      await world.service.open[0]?.answer();
    }
    const counts = ids.map((streamId) => world.service.sent(streamId).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(19);
  });
});

describe('answers', () => {
  test('are handed on, in order, as the service wrote them', async () => {
    const world = new FeedWorld();
    world.frame('door');
    world.time.advance(25);
    await world.service.request(0).answer([{ message: '1' }, { message: '2' }]);
    expect(world.alerts).toEqual([{ message: '1' }, { message: '2' }]);
    expect(world.feed.stats.alerts).toEqual({ accepted: 2, refused: 0 });
  });

  test('of one stream come in the order of its frames, since the next waits for the one before', async () => {
    const world = new FeedWorld();
    for (const streamId of ['door', 'garage', 'door', 'garage', 'door']) {
      world.frame(streamId);
      world.time.advance(200);
    }
    expect(world.service.batches).toEqual([['door'], ['garage']]);
    await world.service.request(1).answer();
    expect(world.service.batches.slice(2)).toEqual([['garage']]);
    await world.service.request(0).answer();
    expect(world.service.batches.slice(3)).toEqual([['door']]);
  });

  test('with one alert that is refused still bring the others', async () => {
    const alerts: unknown[] = [];
    const world = new FeedWorld({
      onAlert: (alert) => {
        if (alert === 'bad') throw new Error('severity: unknown');
        alerts.push(alert);
      },
    });
    world.frame('door');
    world.time.advance(25);
    await world.service.request(0).answer(['a', 'bad', 'bad', 'b']);
    expect(alerts).toEqual(['a', 'b']);
    expect(world.feed.stats).toMatchObject({ failedRequests: 0, alerts: { accepted: 2, refused: 2 } });
    expect(world.logLines).toMatchObject([{ facts: { reason: 'severity: unknown' } }]);
  });
});

describe('a request that fails', () => {
  test('costs its own frames only', async () => {
    const world = new FeedWorld({ batchSize: 2 });
    world.frames(['a', 'b', 'c', 'd']);
    world.time.advance(25);
    await world.service.request(0).fail();
    await world.service.request(1).answer(['fall']);
    expect(world.alerts).toEqual(['fall']);
    world.time.advance(200);
    world.frames(['a', 'b', 'c', 'd']);
    expect(world.service.batches.slice(2)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    expect(world.feed.stats).toMatchObject({ failedRequests: 1, dropped: { replaced: 0, stale: 0, failed: 2 } });
  });

  test('does not hold back a newer frame of its streams', async () => {
    const world = new FeedWorld();
    world.frame('door');
    world.time.advance(200);
    world.frame('door');
    await world.service.request(0).fail();
    world.time.advance(25);
    expect(world.service.sent('door')).toEqual([1, 2]);
  });

  test('is logged at most once a second, with how many there were', async () => {
    const world = new FeedWorld({ batchSize: 1 });
    for (let count = 0; count < 20; count += 1) {
      world.frame('door');
      // Now and then one gets through, so that the service is not left alone.
      if (count % 4 === 3) await world.service.open[0]?.answer();
      else await world.service.open[0]?.fail('ECONNREFUSED');
      world.time.advance(200);
    }
    expect(world.logLines.map(({ facts }) => facts['times'])).toEqual([1, 4, 4, 4]);
    expect(world.logLines[0]?.facts['reason']).toBe('ECONNREFUSED');
  });

  test('by a transport that throws at once is a failed request like any other', async () => {
    const world = new FeedWorld({ batchSize: 1 });
    world.service.analyze = () => {
      throw new Error('closed');
    };
    world.frames(['a', 'b']);
    await settled();
    expect(world.feed.stats).toMatchObject({ failedRequests: 2, inFlight: 0 });
  });
});

describe('the memory of a frame', () => {
  test('at the service stays as it is while newer frames of any size come in', async () => {
    const world = new FeedWorld();
    world.frame('door', 100);
    world.time.advance(200);
    for (const bytes of [100, 50, 5_000, 100]) {
      world.frame('door', bytes);
      world.time.advance(200);
    }
    const first = world.service.request(0);
    expect(first.frames.map(pictureOf)).toEqual(first.pictures);
    expect(first.pictures).toEqual([Buffer.alloc(100, 1).toString('hex')]);
    await first.answer();
    const second = world.service.request(1);
    expect(second.frames.map(seqOf)).toEqual([5]);
    expect(second.pictures).toEqual([Buffer.alloc(100, 5).toString('hex')]);
  });

  test('is used again: a steady stream allocates two buffers', async () => {
    const world = new FeedWorld({ batchSize: 1 });
    const memories = new Set<ArrayBufferLike>();
    for (let count = 0; count < 20; count += 1) {
      world.frame('door', 1_000 + (count % 5) * 20);
      for (const { frames } of world.service.open) for (const { data } of frames) memories.add(data.buffer);
      await world.service.open[0]?.answer();
      world.time.advance(200);
    }
    expect(memories.size).toBe(2);
  });
});

describe('a stream that ended', () => {
  test('is not analysed any more', () => {
    const world = new FeedWorld();
    world.frames(['door', 'garage']);
    world.end('door');
    world.time.advance(25);
    expect(world.service.batches).toEqual([['garage']]);
  });

  test('leaves no request of nothing behind', () => {
    const world = new FeedWorld();
    world.frame('door');
    world.end('door');
    world.time.advance(1_000);
    expect(world.service.requests).toHaveLength(0);
  });

  test('while its last frame is at the service and another waits is not analysed any more', async () => {
    const world = new FeedWorld();
    world.frame('door');
    world.time.advance(200);
    world.frame('door');
    world.end('door');
    await world.service.request(0).answer();
    world.time.advance(1_000);
    expect(world.service.requests).toHaveLength(1);
  });

  test('and begins anew while its last frame is at the service is analysed like a new one', async () => {
    const world = new FeedWorld();
    world.frame('door');
    world.time.advance(200);
    world.frame('door');
    world.end('door');
    expect(world.frame('door')).toBe(true);
    await world.service.request(0).answer();
    world.time.advance(25);
    expect(world.service.sent('door')).toEqual([1, 3]);
    expect(world.service.request(1).pictures).toEqual([Buffer.alloc(8, 3).toString('hex')]);
  });
});

describe('closing', () => {
  test('waits for the requests under way, hands their alerts on, and only then closes the transport', async () => {
    const world = new FeedWorld({ batchSize: 1 });
    world.frames(['a', 'b']);
    let isDone = false;
    const closing = world.feed.close().then(() => {
      isDone = true;
    });
    await world.service.request(0).answer(['fall']);
    expect([isDone, world.service.isClosed]).toEqual([false, false]);
    await world.service.request(1).fail();
    expect([isDone, world.service.isClosed]).toEqual([true, true]);
    expect(world.alerts).toEqual(['fall']);
    await closing;
  });

  test('takes and sends nothing any more, and leaves no timer', async () => {
    const world = new FeedWorld();
    world.frame('a');
    world.time.advance(200);
    world.frames(['a', 'b']);
    const closing = world.feed.close();
    expect(world.time.pendingTimers).toBe(0);
    expect(world.frame('c')).toBe(false);
    await world.service.request(0).answer();
    await closing;
    world.time.advance(10_000);
    expect(world.service.requests).toHaveLength(1);
    expect(world.time.pendingTimers).toBe(0);
  });

  test('with nothing under way is done at once', async () => {
    const world = new FeedWorld();
    await world.feed.close();
    expect(world.service.isClosed).toBe(true);
  });
});

describe('the picture of an alert', () => {
  interface Hint {
    streamId: string;
    seq?: number;
    timestamp?: number;
  }

  /** The numbers of the frames that alerts of answers were given; `refused` where the alert was. */
  function worldOfPictures(keepsRecent: boolean) {
    const seen: (number | undefined | 'refused')[] = [];
    const world = new FeedWorld({
      keepsRecent,
      batchWaitMs: 0,
      onAlert: (alert, frameOf) => {
        try {
          const frame = frameOf(alert as Hint);
          expect(frame === undefined || pictureOf({ ...frame, streamId: '', data: frame.jpeg })).not.toBe('');
          seen.push(frame?.seq);
          if (frame !== undefined) expect([...frame.jpeg].every((byte) => byte === frame.seq)).toBe(true);
        } catch (error) {
          seen.push('refused');
          throw error;
        }
      },
    });
    /** The next frame of the door, answered with one alert. */
    const ask = async (hint: Omit<Hint, 'streamId'> & { streamId?: string }, meanwhile = () => {}) => {
      world.frame('door');
      meanwhile();
      await world.service.open[0]?.answer([{ streamId: 'door', ...hint }]);
      world.time.advance(200);
      return seen.at(-1);
    };
    return { world, ask };
  }

  test('that came with the answer is the frame that was asked about, whatever time the service writes', async () => {
    const { ask } = worldOfPictures(false);
    expect(await ask({})).toBe(1);
    expect(await ask({ seq: 2 })).toBe(2);
    expect(await ask({ timestamp: 30 })).toBe(3);
    // When it was written, as the original services have it.
    expect(await ask({ timestamp: 1_700_000_000 })).toBe(4);
  });

  test('is the one it names, also an earlier one; and none rather than another', async () => {
    const { world, ask } = worldOfPictures(true);
    await ask({});
    await ask({});
    expect(await ask({ seq: 1 })).toBe(1);
    expect(await ask({ timestamp: 20 })).toBe(2);
    expect(await ask({ seq: 77 })).toBeUndefined();
    world.frame('gate');
    await world.service.open[0]?.answer();
    expect(await ask({ streamId: 'gate', seq: 1 })).toBe(1);
    const forgetful = worldOfPictures(false);
    await forgetful.ask({});
    expect(await forgetful.ask({ seq: 1 })).toBeUndefined();
  });

  test('of a stream that has ended meanwhile is shown to nobody: its name may be somebody else’s', async () => {
    const { world, ask } = worldOfPictures(false);
    const begunAnew = () => {
      world.end('door');
      world.frame('door');
    };
    expect(await ask({}, begunAnew)).toBe('refused');
    expect(world.feed.stats.alerts).toEqual({ accepted: 0, refused: 1 });
  });
});

describe('a service that keeps failing', () => {
  /** Fails whatever is asked, for `ms`, at 5 frames a second. Answers when it was asked. */
  async function failFor(world: FeedWorld, ms: number): Promise<number[]> {
    const first = world.service.requests.length;
    const endMs = world.time.monotonicMs() + ms;
    while (world.time.monotonicMs() < endMs) {
      world.frame('door');
      for (const request of world.service.open) await request.fail();
      world.time.advance(50);
      for (const request of world.service.open) await request.fail();
    }
    return world.service.requests.slice(first).map(({ atMs }) => atMs);
  }

  test('is left alone for ever longer, up to half a minute, and asked with one fresh frame each time', async () => {
    const world = new FeedWorld({ batchSize: 1 });
    const asked = await failFor(world, 200_000);
    const pauses = asked.slice(1).map((atMs, index) => atMs - (asked[index] ?? 0));
    expect(pauses.slice(0, 4).every((pause) => pause < 1_000)).toBe(true);
    for (const [index, pauseMs] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
      expect(pauses[4 + index]).toBeGreaterThanOrEqual(pauseMs);
      expect(pauses[4 + index]).toBeLessThan(pauseMs + 500);
    }
    expect(world.feed.stats.breaker).toBe('open');
  });

  test('is served as ever once a probe got through, with the newest frame and none that waited', async () => {
    const world = new FeedWorld({ batchSize: 1 });
    await failFor(world, 10_000);
    const before = world.service.requests.length;
    for (let tick = 0; tick < 200 && world.service.requests.length === before; tick += 1) {
      world.frame('door');
      world.time.advance(50);
    }
    const probe = world.service.requests.at(-1);
    expect(probe?.frames).toHaveLength(1);
    expect(world.service.requests).toHaveLength(before + 1);
    await probe?.answer();
    expect(world.feed.stats.breaker).toBe('closed');
    const sent = world.service.requests.length;
    for (let tick = 0; tick < 20; tick += 1) {
      world.frame('door');
      world.time.advance(200);
      for (const request of world.service.open) await request.answer();
    }
    expect(world.service.requests.length - sent).toBeGreaterThanOrEqual(18);
  });
});

test('a frame that no request comes for is dropped when it is too old, though nothing else happens any more', () => {
  const world = new FeedWorld({ batchSize: 1, maxInFlight: 1, maxAgeMs: 1_000 });
  world.frame('a');
  world.frame('b');
  expect(world.feed.stats.dropped.stale).toBe(0);
  world.time.advance(2_000);
  expect(world.feed.stats.dropped.stale).toBe(1);
  expect(world.time.pendingTimers).toBe(0);
});

test('over a transport that pauses by itself frames go on a second after it is back, not half a minute', async () => {
  const world = new FeedWorld({ batchSize: 1, reconnects: true });
  const endMs = 60_000;
  while (world.time.monotonicMs() < endMs) {
    world.frame('door');
    for (const request of world.service.open) await request.fail('not connected');
    world.time.advance(50);
  }
  const { length } = world.service.requests;
  for (let waited = 0; waited < 1_500; waited += 50) {
    world.frame('door');
    for (const request of world.service.open) await request.answer();
    world.time.advance(50);
  }
  expect(world.service.requests.length).toBeGreaterThan(length);
  expect(world.feed.stats.breaker).toBe('closed');
});

test('a service that is back while no camera is live is well again without a frame that proves it', async () => {
  const world = new FeedWorld({ batchSize: 1, reconnects: true });
  for (let failures = 0; failures < 5; failures += 1) {
    world.frame('door');
    await world.service.open[0]?.fail('not connected');
    world.time.advance(200);
  }
  world.service.isConnected = false;
  world.end('door');
  world.time.advance(10_000);
  expect([world.feed.stats.breaker, world.feed.isDegraded]).toEqual(['open', true]);
  world.service.isConnected = true;
  expect([world.feed.stats.breaker, world.feed.isDegraded]).toEqual(['closed', false]);
});

test.each(['answered', 'failed'])(
  'a frame that grew too old before it went out counts as stale, once, though it is asked about twice; the others are %s',
  async (end) => {
    const world = new FeedWorld({ batchWaitMs: 0, batchSize: 2, maxInFlight: 1 });
    world.frame('first');
    world.frame('a');
    world.time.advance(400);
    world.frame('b');
    await world.service.request(0).answer();
    const request = world.service.request(1);
    world.time.advance(700);
    const asked = () => request.frames.map((frame) => [frame.streamId, request.mayGo(frame)]);
    expect(asked()).toEqual([
      ['a', false],
      ['b', true],
    ]);
    expect(asked()).toHaveLength(2);
    await (end === 'answered' ? request.answer() : request.fail());
    const failed = end === 'answered' ? 0 : 1;
    expect(world.feed.stats).toMatchObject({ sampled: 3, sent: 2, dropped: { replaced: 0, stale: 1, failed } });
  },
);
