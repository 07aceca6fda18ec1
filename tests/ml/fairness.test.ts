import { expect, test } from 'vitest';
import { type FakeRequest, FeedWorld, seqOf, streamIds } from './fakes.ts';

const STREAMS = 50;
const CAMERA_FPS = 10;
const SERVICE_FPS = 20;
const SECONDS = 600;
const STEP_MS = 10;
const MAX_AGE_MS = 1_000;
const TIMEOUT_MS = 5_000;
/** What it was sent too much of at first it works through, though nobody waits for that any more. */
const WARM_UP_SECONDS = 60;

/** A service that analyses frame after frame, each in its time, and answers a batch when it is done with it: also where nobody waits for that any more. */
class SlowService {
  readonly #world: FeedWorld;
  readonly #fps: number;
  #freeAtMs = 0;
  #taken = 0;
  /** Frames that were of use. */
  answered = 0;
  readonly #due: { atMs: number; request: FakeRequest }[] = [];

  constructor(world: FeedWorld, fps = SERVICE_FPS) {
    this.#world = world;
    this.#fps = fps;
  }

  async step(): Promise<void> {
    const nowMs = this.#world.time.monotonicMs();
    for (; this.#taken < this.#world.service.requests.length; this.#taken += 1) {
      const request = this.#world.service.request(this.#taken);
      this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (request.frames.length * 1_000) / this.#fps;
      this.#due.push({ atMs: this.#freeAtMs, request });
    }
    for (const request of this.#world.service.open)
      if (nowMs - request.atMs >= TIMEOUT_MS) await request.fail('deadline');
    for (let [due] = this.#due; due !== undefined && due.atMs <= nowMs; [due] = this.#due) {
      this.#due.shift();
      if (!due.request.isOpen) continue;
      this.answered += due.request.frames.length;
      await due.request.answer();
    }
  }
}

test('a camera of weight 3 is analysed three times as often as one of weight 1, and none is forgotten', async () => {
  const world = new FeedWorld({ batchSize: 4, maxAgeMs: MAX_AGE_MS, priorityField: 'priority' });
  const service = new SlowService(world);
  const ids = streamIds(STREAMS);
  const weightOf = (index: number) => (index % 5 === 0 ? 3 : index % 5 === 1 ? 0.5 : 1);
  for (const [index, id] of ids.entries()) world.metadata.set(id, { priority: weightOf(index) });
  for (let nowMs = 0; nowMs < SECONDS * 1_000; nowMs += STEP_MS) {
    for (const [index, id] of ids.entries()) if ((nowMs + index * 20) % (1_000 / CAMERA_FPS) === 0) world.frame(id);
    await service.step();
    world.time.advance(STEP_MS);
  }
  const counts = new Map(ids.map((id) => [id, 0]));
  for (const { frames } of world.service.requests) {
    for (const { streamId } of frames) counts.set(streamId, (counts.get(streamId) ?? 0) + 1);
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const weights = ids.reduce((sum, _id, index) => sum + weightOf(index), 0);
  expect(total).toBeGreaterThan(0.95 * SERVICE_FPS * SECONDS);
  for (const [index, id] of ids.entries()) {
    const fair = (total * weightOf(index)) / weights;
    expect((counts.get(id) ?? 0) / fair).toBeGreaterThan(0.9);
    expect((counts.get(id) ?? 0) / fair).toBeLessThan(1.1);
  }
});

test('a camera of one picture in three seconds is analysed beside two hundred busy ones', async () => {
  const world = new FeedWorld({ maxAgeMs: MAX_AGE_MS });
  const service = new SlowService(world);
  const ids = streamIds(200);
  const seconds = 120;
  for (let nowMs = 0; nowMs < seconds * 1_000; nowMs += STEP_MS) {
    for (const [index, id] of ids.entries()) if ((nowMs + index * 20) % (1_000 / CAMERA_FPS) === 0) world.frame(id);
    if (nowMs % 3_000 === 0) world.frame('seldom');
    await service.step();
    world.time.advance(STEP_MS);
  }
  // Once in a cycle of all, which takes ten seconds; in the order of the frames it was never.
  expect(world.service.sent('seldom').length).toBeGreaterThanOrEqual(0.8 * (seconds / 10));
});

test.each([8, 2])(
  'a service that does %d frames a second is of use all the time, though it would need longer than a deadline for all that may be under way',
  async (fps) => {
    const world = new FeedWorld({ maxAgeMs: MAX_AGE_MS, timeoutMs: TIMEOUT_MS });
    const service = new SlowService(world, fps);
    const ids = streamIds(STREAMS);
    const seconds = 300;
    let answeredBefore = 0;
    for (let nowMs = 0; nowMs < seconds * 1_000; nowMs += STEP_MS) {
      if (nowMs === WARM_UP_SECONDS * 1_000) answeredBefore = service.answered;
      for (const [index, id] of ids.entries()) if ((nowMs + index * 20) % (1_000 / CAMERA_FPS) === 0) world.frame(id);
      await service.step();
      world.time.advance(STEP_MS);
    }
    expect(service.answered - answeredBefore).toBeGreaterThan(0.8 * fps * (seconds - WARM_UP_SECONDS));
  },
);

test.each(['high', null, -4, Number.NaN, 1e9])(
  'a priority of %s neither stops a camera nor gives it all',
  async (priority) => {
    const world = new FeedWorld({ batchSize: 1, maxInFlight: 1, priorityField: 'priority' });
    world.metadata.set('odd', { priority });
    const served = new Map<string, number>();
    for (let round = 0; round < 400; round += 1) {
      for (const id of ['odd', 'plain']) world.frame(id);
      const request = world.service.requests.at(-1);
      const id = request?.frames[0]?.streamId ?? '';
      served.set(id, (served.get(id) ?? 0) + 1);
      world.time.advance(50);
      await request?.answer();
    }
    expect(served.get('odd')).toBeGreaterThan(20);
    expect(served.get('plain')).toBeGreaterThan(20);
  },
);

test.each([1, 4, 16])(
  '50 cameras of 10 fps at a service that does 20: each gets its share, and no frame that is sent is old, in batches of %d',
  async (batchSize) => {
    const world = new FeedWorld({ batchSize, maxAgeMs: MAX_AGE_MS });
    const service = new SlowService(world);
    const ids = streamIds(STREAMS);
    const offeredAtMs = new Map<string, number>();
    const seqs = new Map<string, number>();
    for (let nowMs = 0; nowMs < SECONDS * 1_000; nowMs += STEP_MS) {
      for (const [index, id] of ids.entries()) {
        // Each in a phase of its own.
        if ((nowMs + index * 20) % (1_000 / CAMERA_FPS) !== 0) continue;
        const seq = (seqs.get(id) ?? 0) + 1;
        seqs.set(id, seq);
        offeredAtMs.set(`${id} ${seq}`, nowMs);
        world.frame(id);
      }
      await service.step();
      world.time.advance(STEP_MS);
    }
    const counts = new Map(ids.map((id) => [id, 0]));
    for (const { atMs, frames } of world.service.requests) {
      for (const frame of frames) {
        const offeredMs = offeredAtMs.get(`${frame.streamId} ${seqOf(frame)}`) ?? Number.NEGATIVE_INFINITY;
        expect(atMs - offeredMs).toBeLessThanOrEqual(MAX_AGE_MS);
        counts.set(frame.streamId, (counts.get(frame.streamId) ?? 0) + 1);
      }
    }
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const share = total / STREAMS;
    // The service is kept busy, and nobody is served at another's expense.
    expect(total).toBeGreaterThan(0.95 * SERVICE_FPS * SECONDS);
    for (const count of counts.values()) {
      expect(count).toBeGreaterThanOrEqual(0.9 * share);
      expect(count).toBeLessThanOrEqual(1.1 * share);
    }
  },
);
