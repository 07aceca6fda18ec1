import type { Contender } from './contenders.ts';
import { measure, PLAIN_WORK, type Work } from './measure.ts';

/** How old frames are at a viewer on a slow link, p95. */
export interface SlowLink {
  window: number;
  windowedMs: number;
  plainMs: number;
  publishMs: number;
  /** Twice the time that one frame takes over the link, and 200 ms. */
  limitMs: number;
}

const FRAME_BYTES = 100_000;
const LINK_BYTES_PER_SECOND = 125_000;

/** 10 fps × 100 KB to one viewer that reads 1 Mbit/s: eight times as much as it can take. */
const SLOW_LINK: Work = {
  ...PLAIN_WORK,
  viewersPerStream: 1,
  pictures: { kind: 'size', bytes: FRAME_BYTES },
  pace: { kind: 'fps', fps: 10 },
  slowBytesPerSecond: LINK_BYTES_PER_SECOND,
  warmUpSeconds: 1,
};

/** What does a window do for a viewer on a slow link, against one without, and against a server that just publishes? */
export async function measureSlowLink(router: Contender, publish: Contender, seconds: number): Promise<SlowLink> {
  const ageOf = async (contender: Contender, kind: 'slow' | 'slow-windowed') => {
    const work: Work = { ...SLOW_LINK, seconds, shares: { ...SLOW_LINK.shares, [kind]: 1 } };
    return (await measure(contender, work)).report.viewers[kind].latency.p95;
  };
  // All three wait most of the time, so they need not take turns.
  const [windowedMs, plainMs, publishMs] = await Promise.all([
    ageOf(router, 'slow-windowed'),
    ageOf(router, 'slow'),
    ageOf(publish, 'slow'),
  ]);
  const transferMs = (FRAME_BYTES / LINK_BYTES_PER_SECOND) * 1000;
  return { window: SLOW_LINK.window, windowedMs, plainMs, publishMs, limitMs: 2 * transferMs + 200 };
}
