/** How a camera films. */
export interface Pace {
  /** Frames a second. */
  fps: number;
  /** Of the JPEG, 0 to 1. */
  quality: number;
}

/** What became of the frames since the last look. */
export interface Progress {
  captured: number;
  /** Never sent, since the network was slow. */
  replaced: number;
  /** The router dropped some, though they were not too many: they are too large. */
  isTooLarge: boolean;
}

/** Below it a picture of worse quality is better than fewer of them. */
const LEAST_FPS = 5;
const LEAST_QUALITY = 0.35;
/** More than this part of the frames replaced: the network is too slow for them. */
const MANY = 0.1;
/** Looks without trouble before it asks for a little more: it goes down fast and up slowly, or it would swing. */
const CALM_LOOKS = 5;

/** Follows the network: down with the frames a second first, then with the quality; up again slowly, the other way round. */
export class CameraPace {
  readonly #best: Pace;
  #fps: number;
  #quality: number;
  #calmLooks = 0;

  /** `best`: what is filmed with when nothing is in the way. */
  constructor(best: Pace) {
    this.#best = best;
    this.#fps = best.fps;
    this.#quality = best.quality;
  }

  get fps(): number {
    return this.#fps;
  }

  get quality(): number {
    return this.#quality;
  }

  /** To be called about once a second. */
  look({ captured, replaced, isTooLarge }: Progress): void {
    const isSlow = replaced > captured * MANY;
    if (isTooLarge || isSlow) {
      this.#calmLooks = 0;
      const leastFps = Math.min(LEAST_FPS, this.#best.fps);
      if (isTooLarge || this.#fps <= leastFps) this.#quality = Math.max(LEAST_QUALITY, this.#quality - 0.1);
      else this.#fps = Math.max(leastFps, this.#fps * 0.75);
      return;
    }
    this.#calmLooks += 1;
    if (this.#calmLooks < CALM_LOOKS) return;
    this.#calmLooks = 0;
    if (this.#quality < this.#best.quality) this.#quality = Math.min(this.#best.quality, this.#quality + 0.05);
    else this.#fps = Math.min(this.#best.fps, this.#fps * 1.15);
  }
}
