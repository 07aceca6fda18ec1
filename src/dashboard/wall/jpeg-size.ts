export interface PictureSize {
  width: number;
  height: number;
}

/** Frames begin with one of these: baseline, progressive and so on, but not the tables among them. */
function isFrameMarker(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** How large a JPEG is, in pixels, as it says at its beginning; undefined where it does not. */
export function jpegSize(jpeg: Uint8Array): PictureSize | undefined {
  const view = new DataView(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  for (let at = 2; at + 9 <= jpeg.length; ) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      // Bytes that only fill.
      at += 1;
    } else if (isFrameMarker(marker)) {
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    } else {
      at += 2 + view.getUint16(at + 2);
    }
  }
  return undefined;
}

/**
 * The half, the quarter, or all of a picture: as few pixels as show it well where it is shown. To leave out what nobody can see is cheap in a JPEG, and half the
 * work of a wall.
 */
export function decodedSize({ width, height }: PictureSize, shown: PictureSize): PictureSize {
  // It is shown whole, so one of the two sides decides.
  const needed = Math.min(shown.width / width, shown.height / height);
  const part = needed <= 0.25 ? 4 : needed <= 0.5 ? 2 : 1;
  return { width: Math.ceil(width / part), height: Math.ceil(height / part) };
}
