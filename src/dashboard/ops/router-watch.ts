import { signal } from '@preact/signals';
import { ApiError, ask, askJson } from '../common/api.ts';
import type { Ready, Stats } from './answers.ts';
import { readExposition } from './exposition.ts';
import { repeat } from './repeat.ts';
import { type Look, type Sample, withLook } from './samples.ts';

const EVERY_MS = 1_000;
/** A router that takes longer does not answer. */
const DEADLINE_MS = 3_000;

/** What the router said in the last minutes. */
export const looks = signal<readonly Look[]>([]);

/** Asks the router once a second. Returns what ends it. */
export function watchRouter(): () => void {
  return repeat(EVERY_MS, async (ended) => {
    const sample = await takeSample();
    if (ended.aborted) return;
    looks.value = withLook(looks.value, { atMs: Date.now(), sample });
  });
}

/** Undefined: it does not answer. */
async function takeSample(): Promise<Sample | undefined> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  try {
    const [ready, stats, metrics] = await Promise.all([
      readiness(signal),
      askJson<Stats>('stats', { signal }),
      ask('metrics', { signal }).then((response) => response.text()),
    ]);
    return { atMs: Date.now(), ready, stats, metrics: readExposition(metrics) };
  } catch {
    return undefined;
  }
}

/** A router that shuts down says so with 503. */
async function readiness(signal: AbortSignal): Promise<Ready> {
  try {
    return await askJson<Ready>('health/ready', { signal });
  } catch (error) {
    if (error instanceof ApiError && error.status === 503) return { status: 'draining', degraded: [] };
    throw error;
  }
}
