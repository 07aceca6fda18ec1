import type { Clock } from './ports.ts';
import type { Stream } from './stream.ts';

/** How old frames are when they come, by their encoders' clocks, in whole ms. 0 and 0: nothing streams. */
export interface FrameAges {
  median: number;
  worst: number;
}

/** Of each stream that streams the newest frame. One from a clock that is ahead counts as new. */
export function frameAges(streams: Iterable<Stream>, clock: Clock): FrameAges {
  const bootMs = clock.epochMs() - clock.monotonicMs();
  const ages: number[] = [];
  for (const { status, newest, lastFrameMs } of streams) {
    const timestamp = status === 'streaming' ? newest.timestamp() : undefined;
    if (timestamp !== undefined) ages.push(Math.max(0, Math.round(bootMs + lastFrameMs - timestamp)));
  }
  ages.sort((one, other) => one - other);
  return { median: ages[Math.floor(ages.length / 2)] ?? 0, worst: ages.at(-1) ?? 0 };
}
