import type { Frame } from '../../client/index.ts';
import { decodedSize, jpegSize, type PictureSize } from './jpeg-size.ts';

/** A picture that can be drawn, perhaps smaller than it was sent. */
export interface Decoded {
  image: ImageBitmap | VideoFrame;
  /** As it is. */
  width: number;
  height: number;
  /** As it was sent. */
  size: PictureSize;
}

/**
 * Off the main thread, for a place of this size, in pixels of the screen. Rejects when the bytes are no picture.
 * With an `ImageDecoder`, which browsers have on safe pages only, it takes half the CPU: there is no blob that goes through another process, and no pixel that nobody sees.
 */
export async function decode(frame: Frame, shown: PictureSize): Promise<Decoded> {
  const size = jpegSize(frame.data);
  if (size !== undefined && 'ImageDecoder' in globalThis) {
    try {
      return { ...(await decodeSmall(frame.data, decodedSize(size, shown))), size };
    } catch {
      // Not everything that is shown as an image is known to it.
    }
  }
  const image = await frame.bitmap();
  const { width, height } = image;
  return { image, width, height, size: { width, height } };
}

async function decodeSmall(
  data: Uint8Array<ArrayBuffer>,
  { width: desiredWidth, height: desiredHeight }: PictureSize,
): Promise<Omit<Decoded, 'size'>> {
  const decoder = new ImageDecoder({ type: 'image/jpeg', data, desiredWidth, desiredHeight });
  try {
    const { image } = await decoder.decode();
    return { image, width: image.displayWidth, height: image.displayHeight };
  } finally {
    decoder.close();
  }
}
