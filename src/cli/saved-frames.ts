import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Frame } from 'watchout-router/client';
import { Failure } from './failure.ts';

/** Frames as files of a folder, the newest so many. Those that were there before are left alone. */
export class SavedFrames {
  readonly #folder: string;
  readonly #maxFiles: number;
  /** The oldest first. */
  readonly #paths: string[] = [];
  written = 0;

  private constructor(folder: string, maxFiles: number) {
    this.#folder = folder;
    this.#maxFiles = maxFiles;
  }

  /** Makes the folder where it is missing. @throws Failure */
  static async open(folder: string, maxFiles: number): Promise<SavedFrames> {
    try {
      await mkdir(folder, { recursive: true });
    } catch (error) {
      throw new Failure(`${folder}: there can be no such folder (${error instanceof Error ? error.message : error})`);
    }
    return new SavedFrames(folder, maxFiles);
  }

  /** Answers the file's path. Rejects when it cannot be written. */
  async write(frame: Frame): Promise<string> {
    this.written += 1;
    const path = join(this.#folder, nameOf(frame, this.written));
    this.#paths.push(path);
    await writeFile(path, frame.data);
    if (this.#paths.length > this.#maxFiles) await rm(this.#paths.shift() ?? '', { force: true });
    return path;
  }
}

/** In the order of names they are in the order of their arrival, over several runs, too. The colons of names and times are none that every file system takes. */
function nameOf({ streamId, receivedAtMs }: Frame, number: number): string {
  const time = new Date(receivedAtMs).toISOString().replaceAll(':', '-');
  return `${time}_${streamId.replaceAll(':', '_')}_${String(number).padStart(6, '0')}.jpg`;
}
