import { expect, test } from 'vitest';
import { Breaker } from '../../src/ml/breaker.ts';

const LIMITS = { failures: 3, pauseMs: 1_000, maxPauseMs: 3_000 };

function tried(breaker: Breaker, nowMs: number, outcome: 'succeeded' | 'failed'): void {
  expect(breaker.waitMs(nowMs)).toBe(0);
  breaker.begin();
  if (outcome === 'failed') breaker.failed(nowMs);
  else breaker.succeeded();
}

test('failures with successes between them open nothing', () => {
  const breaker = new Breaker(LIMITS);
  for (let round = 0; round < 10; round += 1) {
    tried(breaker, round, 'failed');
    tried(breaker, round, 'failed');
    tried(breaker, round, 'succeeded');
  }
  expect(breaker.state).toBe('closed');
});

test('failures in a row open it for a pause, then one probe may go, and a second one waits for it', () => {
  const breaker = new Breaker(LIMITS);
  for (let count = 0; count < 3; count += 1) tried(breaker, 0, 'failed');
  expect(breaker.state).toBe('open');
  expect(breaker.waitMs(400)).toBe(600);
  expect(breaker.waitMs(1_000)).toBe(0);
  breaker.begin();
  expect(breaker.state).toBe('half-open');
  expect(breaker.waitMs(1_000)).toBe(Number.POSITIVE_INFINITY);
  breaker.succeeded();
  expect(breaker.waitMs(1_000)).toBe(0);
});

test('each failed probe doubles the pause, up to its end; a success starts over', () => {
  const breaker = new Breaker(LIMITS);
  for (let count = 0; count < 3; count += 1) tried(breaker, 0, 'failed');
  let nowMs = 1_000;
  for (const pauseMs of [2_000, 3_000, 3_000]) {
    tried(breaker, nowMs, 'failed');
    expect(breaker.waitMs(nowMs)).toBe(pauseMs);
    nowMs += pauseMs;
  }
  tried(breaker, nowMs, 'succeeded');
  for (let count = 0; count < 3; count += 1) tried(breaker, nowMs, 'failed');
  expect(breaker.waitMs(nowMs)).toBe(1_000);
});

test('requests that were under way when it opened do not make the pause longer', () => {
  const breaker = new Breaker(LIMITS);
  for (let count = 0; count < 5; count += 1) breaker.begin();
  for (let count = 0; count < 5; count += 1) breaker.failed(0);
  expect(breaker.waitMs(0)).toBe(1_000);
});
