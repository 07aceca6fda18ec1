import sharp from 'sharp';

/** Frames are compared at this size: small enough to be quick, and compression noise averages out. */
const WIDTH = 96;
const HEIGHT = 72;
/** The watched zone, in parts of the picture: the crossing on the right of the demo's scene. */
const ZONE = { left: 0.6, top: 0.28, right: 1, bottom: 0.75 };
/** A pixel has changed when its brightness differs by more than this (of 255). */
const PIXEL_THRESHOLD = 25;
/** Share of the zone's pixels that must change. */
const ZONE_THRESHOLD = 0.015;

export interface Motion {
  /** Share of the zone that changed, 0 to 1. */
  changed: number;
  /** Around all that changed, in pixels of the original picture. */
  box: { x: number; y: number; w: number; h: number };
}

/** Compares each frame of a stream with the one before, inside the zone. */
export class MotionDetector {
  #previous: Uint8Array | undefined;

  /** `jpeg`: one frame. Undefined when nothing moved, or there is nothing yet to compare with. Rejects for what is no image. */
  async look(jpeg: Uint8Array): Promise<Motion | undefined> {
    const image = sharp(jpeg, { limitInputPixels: 64_000_000 });
    const { width, height } = await image.metadata();
    const pixels = await image.resize(WIDTH, HEIGHT, { fit: 'fill' }).greyscale().raw().toBuffer();
    const previous = this.#previous;
    this.#previous = pixels;
    return previous === undefined ? undefined : compare(previous, pixels, width / WIDTH, height / HEIGHT);
  }
}

function compare(before: Uint8Array, after: Uint8Array, scaleX: number, scaleY: number): Motion | undefined {
  const [left, right] = [Math.floor(ZONE.left * WIDTH), Math.ceil(ZONE.right * WIDTH)];
  const [top, bottom] = [Math.floor(ZONE.top * HEIGHT), Math.ceil(ZONE.bottom * HEIGHT)];
  let count = 0;
  let [minX, maxX, minY, maxY] = [right, left, bottom, top];
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      const at = y * WIDTH + x;
      if (Math.abs((before[at] as number) - (after[at] as number)) <= PIXEL_THRESHOLD) continue;
      count += 1;
      minX = Math.min(minX, x);
      maxX = Math.max(maxX, x);
      minY = Math.min(minY, y);
      maxY = Math.max(maxY, y);
    }
  }
  const changed = count / ((right - left) * (bottom - top));
  if (changed < ZONE_THRESHOLD) return undefined;
  const box = {
    x: Math.round(minX * scaleX),
    y: Math.round(minY * scaleY),
    w: Math.round((maxX - minX + 1) * scaleX),
    h: Math.round((maxY - minY + 1) * scaleY),
  };
  return { changed, box };
}
