import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { hideSecrets } from '../hidden-url.ts';
import { MjpegPictures } from './mjpeg-pictures.ts';
import { type PictureSource, SourceError, streamIdOf, type TakePicture } from './source.ts';

export interface FfmpegOptions {
  /** Most pictures a second; undefined: as many as there are. */
  fps: number | undefined;
  /** For an address of the web. */
  headers?: Readonly<Record<string, string>>;
}

type Ffmpeg = ChildProcessByStdio<null, Readable, Readable>;

/** From the start to the first picture, and between pictures of a live source. */
const SILENCE_LIMIT_MS = 30_000;
const KILL_AFTER_MS = 2_000;
const MAX_WORDS = 4_096;
/** From 2, the best, to 31. */
const QUALITY = '4';

/** Whatever ffmpeg can read: RTSP, video files, `/dev/video0`. It runs as a program beside this one, which must be installed. */
export class FfmpegSource implements PictureSource {
  readonly kind: 'recording' | 'live';
  readonly description: string;
  readonly streamId: string;
  readonly #input: string;
  readonly #options: FfmpegOptions;

  /** `input`: an address with a scheme, or the path of a file or device. */
  constructor(input: string, options: FfmpegOptions) {
    const isAddress = hasScheme(input);
    this.#input = input;
    this.#options = options;
    this.kind = isAddress || input.startsWith('/dev/') ? 'live' : 'recording';
    this.description = isAddress ? hideSecrets(input) : input;
    this.streamId = streamIdOf(
      isAddress && URL.canParse(input) ? new URL(input).hostname : basename(input, extname(input)),
    );
  }

  async prepare(): Promise<void> {
    if (!hasScheme(this.#input)) {
      const found = await stat(this.#input).catch(() => undefined);
      if (found === undefined) throw this.#final(`${this.description}: there is no such file`);
    }
    try {
      await promisify(execFile)('ffmpeg', ['-version']);
    } catch {
      throw this.#final(
        `${this.description} needs ffmpeg, which is not installed here (folders of JPEGs, and http addresses of MJPEG or JPEG, do not)`,
      );
    }
  }

  async play(take: TakePicture, signal: AbortSignal): Promise<void> {
    let pictures = 0;
    const child = spawn('ffmpeg', this.#args(), { stdio: ['ignore', 'pipe', 'pipe'] });
    const closed = once(child, 'close');
    // It is waited for below.
    closed.catch(() => undefined);
    const words = lastWordsOf(child);
    const silence = new Silence(() => end(child));
    const reader = new MjpegPictures('ffmpeg', (picture) => {
      pictures += 1;
      silence.broken();
      take(picture);
    });
    const abort = () => end(child);
    signal.addEventListener('abort', abort, { once: true });
    try {
      for await (const chunk of child.stdout) reader.feed(chunk as Buffer);
      const [code] = await closed;
      signal.throwIfAborted();
      if (silence.wasTooLong) throw new SourceError(`${this.description}: no picture for 30 s`, { isFinal: false });
      if (code !== 0 || pictures === 0) throw this.#failed(words(), pictures);
    } finally {
      silence.stop();
      end(child);
      signal.removeEventListener('abort', abort);
    }
  }

  #args(): string[] {
    const input = this.#input;
    const headers = Object.entries(this.#options.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    return [
      ...['-hide_banner', '-nostdin', '-loglevel', 'error'],
      ...(this.kind === 'recording' ? ['-re'] : ['-fflags', 'nobuffer']),
      ...(/^rtsps?:/i.test(input) ? ['-rtsp_transport', 'tcp'] : []),
      ...(input.startsWith('/dev/video') ? ['-f', 'v4l2'] : []),
      ...(headers.length > 0 ? ['-headers', headers.join('')] : []),
      // With a scheme, so that a file may be called what it likes.
      ...['-i', hasScheme(input) || input.startsWith('/dev/') ? input : `file:${input}`],
      ...['-an', '-sn', '-dn', '-c:v', 'mjpeg', '-q:v', QUALITY],
      ...(this.#options.fps === undefined ? [] : ['-r', String(this.#options.fps)]),
      ...['-f', 'mpjpeg', '-boundary_tag', 'ffmpeg', '-flush_packets', '1', 'pipe:1'],
    ];
  }

  #failed(words: string, pictures: number): SourceError {
    // ffmpeg repeats addresses as they were given.
    const said = words.replaceAll(this.#input, this.description);
    const isFinal = (this.kind === 'recording' && pictures === 0) || /\b40[13]\b/.test(said);
    return new SourceError(`${this.description}: ffmpeg ${said === '' ? 'found no picture in it' : `says: ${said}`}`, {
      isFinal,
    });
  }

  #final(message: string): SourceError {
    return new SourceError(message, { isFinal: true });
  }
}

/** `rtsp://…`, `srt://…`; but not `C:\…`. */
export function hasScheme(input: string): boolean {
  return /^[a-z][a-z0-9+.-]+:/i.test(input);
}

/** What it wrote on stderr last, in one line. */
function lastWordsOf(child: Ffmpeg): () => string {
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-MAX_WORDS);
  });
  return () => text.trim().split('\n').at(-1)?.trim() ?? '';
}

function end(child: Ffmpeg): void {
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  child.once('close', () => clearTimeout(kill));
}

/** Calls `tooLong` when there was no picture for a while. */
class Silence {
  readonly #tooLong: () => void;
  #timer: NodeJS.Timeout;
  wasTooLong = false;

  constructor(tooLong: () => void) {
    this.#tooLong = tooLong;
    this.#timer = this.#begin();
  }

  broken(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #begin(): NodeJS.Timeout {
    return setTimeout(() => {
      this.wasTooLong = true;
      this.#tooLong();
    }, SILENCE_LIMIT_MS);
  }
}
