import { stat } from 'node:fs/promises';
import { FfmpegSource, hasScheme } from './ffmpeg.ts';
import { FolderSource } from './folder.ts';
import { HttpSource } from './http.ts';
import { type PictureSource, SourceError } from './source.ts';

export interface SourceOptions {
  /** As the command line says; undefined: it says nothing. */
  fps: number | undefined;
  /** How many pictures a second anybody wants at present. */
  wantedFps: () => number;
  /** For addresses of the web. */
  headers: Readonly<Record<string, string>>;
}

const DEFAULT_FPS = 10;

/**
 * What `text` names: a folder, an address, a file, a device.
 * @throws SourceError when it is none of them.
 */
export async function findSource(text: string, options: SourceOptions): Promise<PictureSource> {
  const { fps = DEFAULT_FPS } = options;
  const found = await stat(text).catch(() => undefined);
  if (found?.isDirectory()) return FolderSource.ofFolder(text, fps);
  if (found?.isFile() && /\.jpe?g$/i.test(text)) return FolderSource.ofFile(text, fps);
  if (found === undefined && /^https?:/i.test(text)) {
    if (URL.canParse(text)) return new HttpSource(text, options);
    throw new SourceError(`${text.split('?')[0]} is no address that can be read`, { isFinal: true });
  }
  if (found === undefined && !hasScheme(text)) {
    throw new SourceError(
      `${text}: there is no such folder, file or device, and it is no address (http://…, rtsp://…)`,
      {
        isFinal: true,
      },
    );
  }
  return new FfmpegSource(text, { fps: options.fps });
}
