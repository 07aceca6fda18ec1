/** A picture of so many bytes that carries its number. To the router it is a JPEG like every other. */
export function numberedPicture(number: number, bytes: number): Buffer {
  const jpeg = Buffer.alloc(bytes);
  jpeg.set([0xff, 0xd8, 0xff, 0xe0]);
  jpeg.writeUInt32BE(number, 4);
  return jpeg;
}

export function pictureNumber(jpeg: Uint8Array): number {
  return Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength).readUInt32BE(4);
}
