import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Pace } from './pace.ts';
import { type PictureSource, SourceError, streamIdOf, type TakePicture } from './source.ts';

const PICTURE_NAME = /\.jpe?g$/i;
/** `9.jpg` comes before `10.jpg`. */
const byName = new Intl.Collator('en', { numeric: true });

/** The JPEGs of a folder in the order of their names; or a single one, over and over. */
export class FolderSource implements PictureSource {
  readonly kind = 'recording';
  readonly description: string;
  readonly streamId: string;
  readonly #list: () => Promise<string[]>;
  readonly #fps: number;

  private constructor(path: string, fps: number, list: () => Promise<string[]>) {
    this.description = path;
    this.streamId = streamIdOf(basename(path).replace(PICTURE_NAME, ''));
    this.#fps = fps;
    this.#list = list;
  }

  static ofFolder(path: string, fps: number): FolderSource {
    const folder = resolve(path);
    // Read anew each time it is played: pictures may have come and gone.
    return new FolderSource(folder, fps, async () => {
      const names = (await readdir(folder)).filter((name) => PICTURE_NAME.test(name));
      return names.sort(byName.compare).map((name) => join(folder, name));
    });
  }

  static ofFile(path: string, fps: number): FolderSource {
    return new FolderSource(join(resolve(dirname(path)), basename(path)), fps, async () => [resolve(path)]);
  }

  async prepare(): Promise<void> {
    for (const path of await this.#pictures()) {
      if ((await readPicture(path)) !== undefined) return;
    }
    throw this.#noPictures();
  }

  async play(take: TakePicture, signal: AbortSignal): Promise<void> {
    const pace = new Pace(() => this.#fps);
    let played = 0;
    for (const path of await this.#pictures()) {
      const picture = await readPicture(path);
      signal.throwIfAborted();
      if (picture === undefined) continue;
      take(picture);
      played += 1;
      await pace.turn(signal);
    }
    if (played === 0) throw this.#noPictures();
  }

  async #pictures(): Promise<string[]> {
    try {
      return await this.#list();
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      throw new SourceError(`${this.description} cannot be read (${why})`, { isFinal: true });
    }
  }

  #noPictures(): SourceError {
    return new SourceError(`${this.description} has no pictures in it: no file *.jpg or *.jpeg that is a JPEG`, {
      isFinal: true,
    });
  }
}

/** Undefined: it is gone, or no JPEG whatever its name says. */
async function readPicture(path: string): Promise<Buffer | undefined> {
  try {
    const bytes = await readFile(path);
    return isJpeg(bytes) ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** By its first bytes. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0xff && bytes[1] === 0xd8;
}
