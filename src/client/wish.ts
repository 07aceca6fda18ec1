import { MAX_WINDOW_FRAMES, VIEWER_FPS } from '../../proto/limits.ts';

export type MaxFps = (typeof VIEWER_FPS)[number];

/** What is wanted of one stream, or of all. */
export interface Wish {
  frames: boolean;
  alerts: boolean;
  /** Undefined: all there are. */
  maxFps: MaxFps | undefined;
  /** Frames in flight; undefined: the SDK chooses between 1 and 2. */
  window: number | undefined;
}

/** @throws TypeError for a number that a router would refuse. */
export function checkWish({ maxFps, window }: Wish): void {
  if (maxFps !== undefined && !VIEWER_FPS.includes(maxFps)) {
    throw new TypeError(`maxFps: must be one of ${VIEWER_FPS.join(', ')}`);
  }
  const isWindow = window === undefined || (Number.isInteger(window) && window >= 1 && window <= MAX_WINDOW_FRAMES);
  if (!isWindow) throw new TypeError(`window: must be a whole number from 1 to ${MAX_WINDOW_FRAMES}`);
}

/** One wish that has all of several in it. */
export function merge(wishes: readonly Wish[]): Wish {
  const ofFrames = wishes.filter(({ frames }) => frames);
  const rates = ofFrames.map(({ maxFps }) => maxFps ?? Number.POSITIVE_INFINITY);
  const windows = ofFrames.map(({ window }) => window ?? Number.POSITIVE_INFINITY);
  return {
    frames: ofFrames.length > 0,
    alerts: wishes.some(({ alerts }) => alerts),
    maxFps: finite(Math.max(0, ...rates)) as MaxFps | undefined,
    window: finite(Math.max(0, ...windows)),
  };
}

export function isSame(one: Wish, other: Wish): boolean {
  return (
    one.frames === other.frames &&
    one.alerts === other.alerts &&
    one.maxFps === other.maxFps &&
    one.window === other.window
  );
}

function finite(value: number): number | undefined {
  return value === 0 || value === Number.POSITIVE_INFINITY ? undefined : value;
}
