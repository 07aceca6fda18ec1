import { isPicturePart } from '../../mjpeg/content-kind.ts';
import { MultipartError, MultipartReader, type PartSink } from '../../mjpeg/multipart-reader.ts';
import { capturedAtMs } from './captured-at.ts';
import { isJpeg } from './folder.ts';
import { SourceError, type TakePicture } from './source.ts';

/** As much as a router takes. */
const MAX_PICTURE_BYTES = 16 * 1024 * 1024;
/** So many parts in a row that are no pictures: this is something else. */
const MAX_OTHER_PARTS = 20;
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);
/** Some cameras write a little behind a picture's end. */
const MAX_TRAILER_BYTES = 64;

/** Finds the pictures in a multipart body (MJPEG), as its bytes come. At most one is held. */
export class MjpegPictures implements PartSink {
  readonly #take: TakePicture;
  readonly #reader: MultipartReader;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isPicture = false;
  #timestamp: number | undefined;
  #otherParts = 0;
  #isOver = false;

  /** `boundary`: as the content type names it; undefined: the body shows it. */
  constructor(boundary: string | undefined, take: TakePicture) {
    this.#take = take;
    this.#reader = new MultipartReader(boundary, this);
  }

  /** @throws SourceError for what is no MJPEG. */
  feed(chunk: Buffer): void {
    this.#guard(() => this.#reader.feed(chunk));
  }

  /** The body is over; a picture that was cut off is none. @throws SourceError */
  finish(): void {
    this.#isOver = true;
    this.#guard(() => this.#reader.finish());
  }

  begin(headers: ReadonlyMap<string, string>): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.#isPicture = isPicturePart(headers);
    this.#timestamp = capturedAtMs(headers.get('x-timestamp'), Date.now());
  }

  add(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_PICTURE_BYTES) this.#isPicture = false;
    if (this.#isPicture) this.#chunks.push(bytes);
    else this.#chunks = [];
  }

  end(isWhole: boolean): void {
    const picture = Buffer.concat(this.#chunks);
    this.#chunks = [];
    if (!isWhole || (this.#isOver && !hasEnd(picture))) return;
    if (this.#isPicture && isJpeg(picture)) {
      this.#otherParts = 0;
      this.#take(picture, this.#timestamp);
      return;
    }
    this.#otherParts += 1;
    if (this.#otherParts >= MAX_OTHER_PARTS) {
      throw new SourceError('what it sends are no JPEGs, or larger ones than 16 MiB', { isFinal: true });
    }
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof MultipartError)) throw error;
      throw new SourceError(`what it sends is no MJPEG (${error.message})`, { isFinal: false });
    }
  }
}

/** A part that does not say its length ends with the connection, be it in the middle of a picture. */
function hasEnd(picture: Buffer): boolean {
  return picture.subarray(-MAX_TRAILER_BYTES).includes(END_OF_IMAGE);
}
