import type { MaxFps } from '../../client/index.ts';

/** What the user has chosen for the tiles of the wall. */
export const RATE_CHOICES = ['automatic', 'full', '15', '5', '1'] as const;
export type RateChoice = (typeof RATE_CHOICES)[number];

/** So many tiles are at full rate with `automatic`; with more all of them are thumbnails. */
const FULL_RATE_TILES = 4;
const THUMBNAIL_FPS = 5;
/** Beside one that is open. */
const ASIDE_FPS = 2;

export interface RateFacts {
  choice: RateChoice;
  isOpen: boolean;
  isAnotherOpen: boolean;
  /** Tiles that are on the screen. */
  visibleTiles: number;
}

/** Most frames a second of a tile that is on the screen; undefined: all there are. */
export function maxFpsOf({ choice, isOpen, isAnotherOpen, visibleTiles }: RateFacts): MaxFps | undefined {
  if (isOpen) return undefined;
  if (isAnotherOpen) return choice === '1' ? 1 : ASIDE_FPS;
  switch (choice) {
    case 'automatic':
      return visibleTiles <= FULL_RATE_TILES ? undefined : THUMBNAIL_FPS;
    case 'full':
      return undefined;
    case '15':
      return 15;
    case '5':
      return 5;
    case '1':
      return 1;
  }
}
