import type { FrameTap, StreamTap } from './ports.ts';

const wantsNothing: StreamTap = { wants: () => false, take: () => undefined, close: () => undefined };

/** For a router without an ML service. */
export const noTap: FrameTap = { fps: 0, open: () => wantsNothing };
