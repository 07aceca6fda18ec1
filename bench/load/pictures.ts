import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the frames of a load come from: JPEG files of a folder, in the order of their names, or made to size. */
export type PictureSource = { kind: 'folder'; path: string } | { kind: 'size'; bytes: number };

/** A grey picture of 16 × 16, so that what is made to size is a JPEG that decodes. */
const GREY = Buffer.from(
  '/9j/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8' +
    'fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCAAQABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAUEAEA' +
    'AAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAAAgP/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCYA03/2Q==',
  'base64',
);

/** The smallest picture that can be made to size, stamp included, bytes. */
export const MIN_PICTURE_BYTES = 400;

/** Largest comment segment: its two bytes of length count themselves. */
const MAX_SEGMENT_BYTES = 0xffff + 2;

/**
 * Reads or makes the pictures.
 * @throws Error saying which folder has no JPEG, or which file is none.
 */
export function loadPictures(source: PictureSource): Buffer[] {
  if (source.kind === 'size') return [pictureOf(source.bytes)];
  const names = readdirSync(source.path)
    .filter((name) => /\.jpe?g$/i.test(name))
    .sort();
  if (names.length === 0) throw new Error(`no .jpg file in ${source.path}`);
  return names.map((name) => {
    const picture = readFileSync(join(source.path, name));
    if (picture.length < 4 || picture.readUInt16BE(0) !== 0xffd8) throw new Error(`${name} is not a JPEG`);
    return picture;
  });
}

/** A JPEG of exactly so many bytes: the grey picture, and comment segments of noise, which no compression makes smaller. */
function pictureOf(bytes: number): Buffer {
  const picture = Buffer.alloc(bytes);
  picture.set(GREY.subarray(0, 2));
  let at = 2;
  let filler = bytes - GREY.length;
  let noise = 0x2545f491;
  while (filler > 0) {
    // What is left must hold the four bytes of a segment's beginning, or nothing.
    const segment =
      filler - MAX_SEGMENT_BYTES >= 4 || filler <= MAX_SEGMENT_BYTES ? Math.min(filler, MAX_SEGMENT_BYTES) : filler - 4;
    picture.writeUInt16BE(0xfffe, at);
    picture.writeUInt16BE(segment - 2, at + 2);
    for (let i = at + 4; i < at + segment; i += 1) {
      noise ^= noise << 13;
      noise ^= noise >>> 17;
      noise ^= noise << 5;
      picture[i] = noise & 0xff;
    }
    at += segment;
    filler -= segment;
  }
  picture.set(GREY.subarray(2), at);
  return picture;
}
