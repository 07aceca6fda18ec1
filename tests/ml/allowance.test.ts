import { expect, test } from 'vitest';
import { Allowance } from '../../src/ml/allowance.ts';

const TIMEOUT_MS = 5_000;
const MOST = 64;

/** One whose requests ran into their deadline one after the other, so many times. */
function halved(times: number): Allowance {
  const allowance = new Allowance(TIMEOUT_MS);
  for (let time = 0; time < times; time += 1)
    allowance.failed(time * TIMEOUT_MS, (time + 1) * TIMEOUT_MS, Math.min(allowance.frames, MOST));
  return allowance;
}

test('all that the limits allow may be under way, until a request runs into its deadline', () => {
  const allowance = new Allowance(TIMEOUT_MS);
  expect(allowance.frames).toBe(Number.POSITIVE_INFINITY);
  allowance.failed(0, 100, MOST);
  allowance.answered(0, TIMEOUT_MS - 100, 16, MOST);
  expect(allowance.frames).toBe(Number.POSITIVE_INFINITY);
});

test('each deadline halves it, down to one frame', () => {
  expect([1, 2, 3, 4, 5, 6, 7].map((times) => halved(times).frames)).toEqual([32, 16, 8, 4, 2, 1, 1]);
});

test('requests that ran into their deadlines together halve it once', () => {
  const allowance = new Allowance(TIMEOUT_MS);
  for (const underWay of [64, 48, 32, 16]) allowance.failed(0, TIMEOUT_MS, underWay);
  expect(allowance.frames).toBe(32);
});

test('quick answers let more go, up to all', () => {
  const allowance = halved(4);
  expect(allowance.frames).toBe(4);
  const seen = [4, 8, 16, 16, 16].map((request) => {
    allowance.answered(20_000, 20_500, request, MOST);
    return allowance.frames;
  });
  expect(seen).toEqual([8, 16, 32, 48, Number.POSITIVE_INFINITY]);
});

test('a service that takes its time whatever is under way has all again some time after a hiccup', () => {
  const allowance = halved(6);
  let nowMs = 6 * TIMEOUT_MS;
  const answer = () => {
    allowance.answered(nowMs, nowMs + 1_500, Math.min(16, allowance.frames), MOST);
    nowMs += 1_500;
  };
  for (let answers = 0; answers < 30; answers += 1) answer();
  expect(allowance.frames).toBe(1);
  for (let answers = 0; answers < 100; answers += 1) answer();
  expect(allowance.frames).toBe(Number.POSITIVE_INFINITY);
});
