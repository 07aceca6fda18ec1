import { expect, test } from 'vitest';
import { UploadLag } from '../../src/client/upload-lag.ts';

/** A camera before a line that takes `transferMs` for a frame and `rttMs` for an empty message there and back. */
function film({
  fps,
  transferMs,
  rttMs,
  seconds,
}: {
  fps: number;
  transferMs: number;
  rttMs: number;
  seconds: number;
}) {
  const lag = new UploadLag();
  const answers: { atMs: number; askedMs: number }[] = [];
  let freeMs = 0;
  let asked = 0;
  const ages: number[] = [];
  const ask = (nowMs: number) => {
    asked += 1;
    lag.asked(nowMs);
    answers.push({ atMs: Math.max(nowMs, freeMs) + rttMs, askedMs: nowMs });
  };
  // As an encoder does when it is let in.
  ask(0);
  for (let nowMs = 0; nowMs < seconds * 1_000; nowMs += 1) {
    while (answers[0] !== undefined && answers[0].atMs <= nowMs) {
      const { atMs, askedMs } = answers.shift() as { atMs: number; askedMs: number };
      if (lag.answered(nowMs, atMs - askedMs)) ask(nowMs);
    }
    const isFrame = Math.floor((nowMs * fps) / 1_000) !== Math.floor(((nowMs - 1) * fps) / 1_000);
    if (!isFrame || !lag.maySend(nowMs)) continue;
    freeMs = Math.max(freeMs, nowMs) + transferMs;
    ages.push(freeMs + rttMs / 2 - nowMs);
    if (lag.sent(nowMs, 20_000)) ask(nowMs);
  }
  return { ages, asked };
}

test('a good line carries every frame, and is asked four times a second', () => {
  for (const rttMs of [1, 50, 300]) {
    const { ages, asked } = film({ fps: 30, transferMs: 2, rttMs, seconds: 10 });
    expect(ages).toHaveLength(300);
    expect(asked).toBeLessThanOrEqual(45);
  }
});

test.each([
  { transferMs: 100, rttMs: 20 },
  { transferMs: 100, rttMs: 250 },
  { transferMs: 2_000, rttMs: 50 },
])('a line that takes $transferMs ms for a frame carries all it can, and none waits long behind others', (line) => {
  const seconds = 60;
  const { ages } = film({ fps: 30, seconds, ...line });
  expect(ages.length).toBeGreaterThan((0.85 * seconds * 1_000) / line.transferMs);
  // Those of the first moment come before anything is known of the line.
  expect(Math.max(...ages.slice(25))).toBeLessThan(3 * line.transferMs + line.rttMs);
});

test('when answers stop coming, sending stops; when they come again it goes on at once', () => {
  const lag = new UploadLag();
  lag.asked(0);
  lag.answered(20, 20);
  expect(lag.rttMs).toBe(20);
  expect(lag.sent(1_000, 20_000)).toBe(true);
  lag.asked(1_000);
  expect(lag.maySend(1_100)).toBe(true);
  expect(lag.maySend(1_200)).toBe(false);
  expect(lag.maySend(60_000)).toBe(false);
  lag.answered(60_000, 59_000);
  expect(lag.maySend(60_000)).toBe(true);
});
