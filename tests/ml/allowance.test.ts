import { expect, test } from 'vitest';
import { Allowance } from '../../src/ml/allowance.ts';

const TIMEOUT_MS = 5_000;
const MOST = 64;

test('all that the limits allow may be under way, until a request runs into its deadline', () => {
  const allowance = new Allowance(TIMEOUT_MS);
  expect(allowance.frames).toBe(Number.POSITIVE_INFINITY);
  allowance.failed(100, MOST);
  allowance.answered(TIMEOUT_MS - 100, 16, MOST);
  expect(allowance.frames).toBe(Number.POSITIVE_INFINITY);
});

test('each deadline halves it, down to one frame', () => {
  const allowance = new Allowance(TIMEOUT_MS);
  const seen = [64, 48, 32, 8, 4, 2, 1].map((underWay) => {
    allowance.failed(TIMEOUT_MS, underWay);
    return allowance.frames;
  });
  // What waited behind one that was slow says the same again; what is under way is less each time.
  expect(seen).toEqual([32, 16, 8, 4, 2, 1, 1]);
});

test('quick answers let more go, up to all; slow ones leave it', () => {
  const allowance = new Allowance(TIMEOUT_MS);
  for (const underWay of [64, 32, 16, 8]) allowance.failed(TIMEOUT_MS, underWay);
  expect(allowance.frames).toBe(4);
  allowance.answered(TIMEOUT_MS / 2, 4, MOST);
  expect(allowance.frames).toBe(4);
  const seen = [4, 8, 16, 16, 16].map((request) => {
    allowance.answered(TIMEOUT_MS / 10, request, MOST);
    return allowance.frames;
  });
  expect(seen).toEqual([8, 16, 32, 48, Number.POSITIVE_INFINITY]);
});
