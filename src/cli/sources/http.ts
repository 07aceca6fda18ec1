import { Agent, type Dispatcher, interceptors, request } from 'undici';
import { contentKind } from '../../mjpeg/content-kind.ts';
import { hideSecrets } from '../hidden-url.ts';
import { reasonOf } from '../network-words.ts';
import { FfmpegSource } from './ffmpeg.ts';
import { MjpegPictures } from './mjpeg-pictures.ts';
import { FpsCap } from './pace.ts';
import { pollPicture } from './polled-picture.ts';
import { type PictureSource, SourceError, streamIdOf, type TakePicture } from './source.ts';

export interface HttpSourceOptions {
  /** Pictures a second: how often a single picture is asked for (10 if it is not said), and the most that are taken of a series. */
  fps: number | undefined;
  /** No picture is asked for more often than this, a second. */
  wantedFps: () => number;
  headers: Readonly<Record<string, string>>;
}

const ANSWER_DEADLINE_MS = 10_000;
/** A camera that says nothing for so long has hung up without a word. */
const SILENCE_LIMIT_MS = 30_000;
const MAX_REDIRECTS = 5;
const ACCEPT = 'multipart/x-mixed-replace, image/jpeg;q=0.9, */*;q=0.1';
/** Answers that may be others a little later. */
const PASSING = new Set([408, 425, 429]);

type Answer = Dispatcher.ResponseData;

/** An address of the web: MJPEG, a picture that is asked for again and again, or a video that ffmpeg plays. */
export class HttpSource implements PictureSource {
  readonly kind = 'live';
  readonly description: string;
  readonly streamId: string;
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #options: HttpSourceOptions;
  #hasPlayed = false;

  constructor(address: string, options: HttpSourceOptions) {
    const url = new URL(address);
    this.description = hideSecrets(address);
    this.streamId = streamIdOf(url.hostname);
    this.#headers = { accept: ACCEPT, ...basicAuthorization(url), ...options.headers };
    url.username = '';
    url.password = '';
    url.hash = '';
    this.#url = url.href;
    this.#options = options;
  }

  async prepare(): Promise<void> {}

  async play(take: TakePicture, signal: AbortSignal): Promise<void> {
    const agent = new Agent({
      headersTimeout: ANSWER_DEADLINE_MS,
      bodyTimeout: SILENCE_LIMIT_MS,
      connect: { timeout: ANSWER_DEADLINE_MS },
    });
    const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: MAX_REDIRECTS }));
    const ask = (headers: Record<string, string> = {}) =>
      request(this.#url, { dispatcher, signal, headers: { ...this.#headers, ...headers } });
    const noted: TakePicture = (picture, timestamp) => {
      this.#hasPlayed = true;
      take(picture, timestamp);
    };
    try {
      await this.#playAnswer(await ask(), ask, noted, signal);
    } catch (error) {
      if (signal.aborted || error instanceof SourceError) throw error;
      throw new SourceError(`${this.description}: ${reasonOf(error)}`, { isFinal: false });
    } finally {
      await agent.destroy();
    }
  }

  async #playAnswer(
    answer: Answer,
    ask: (headers?: Record<string, string>) => Promise<Answer>,
    take: TakePicture,
    signal: AbortSignal,
  ): Promise<void> {
    this.#checkStatus(answer);
    const type = String(answer.headers['content-type'] ?? '');
    const content = contentKind(type);
    const { fps, wantedFps } = this.#options;
    if (content?.kind === 'picture') {
      const poll = {
        ask,
        check: (next: Answer) => this.#checkStatus(next),
        fps: () => Math.min(fps ?? 10, wantedFps()),
      };
      await pollPicture(answer, poll, take, signal);
    } else if (content?.kind === 'parts') {
      await playParts(answer, content.boundary, capped(take, fps));
    } else if (/^(text\/|application\/(json|xml|pdf)|image\/)/i.test(type)) {
      throw new SourceError(`${this.description} is no picture and no video, but ${type.split(';')[0]}`, {
        isFinal: true,
      });
    } else {
      answer.body.destroy();
      // Who the camera asks for is in its address, where ffmpeg looks.
      const video = new FfmpegSource(this.#url, { fps, headers: this.#headers });
      await video.prepare();
      await video.play(take, signal);
    }
  }

  #checkStatus({ statusCode, headers }: Answer): void {
    if (statusCode >= 200 && statusCode <= 299) return;
    if (statusCode === 401 || statusCode === 403) {
      const asks = String(headers['www-authenticate'] ?? '');
      const how = /^digest/i.test(asks) ? ', and asks for Digest authentication, which is not known here' : '';
      throw new SourceError(
        `${this.description} wants to know who asks (${statusCode})${how}: name user and password in the address, http://user:password@…, or give --header`,
        { isFinal: true },
      );
    }
    // It was there, and may come back: the camera behind another router, say.
    const isFinal = statusCode < 500 && !PASSING.has(statusCode) && !(this.#hasPlayed && statusCode === 404);
    const what = statusCode === 404 ? 'has nothing there (404)' : `answered ${statusCode}`;
    throw new SourceError(`${this.description} ${what}`, { isFinal });
  }
}

async function playParts(answer: Answer, boundary: string | undefined, take: TakePicture): Promise<void> {
  const pictures = new MjpegPictures(boundary, take);
  for await (const chunk of answer.body) pictures.feed(chunk as Buffer);
  pictures.finish();
}

function capped(take: TakePicture, fps: number | undefined): TakePicture {
  if (fps === undefined) return take;
  const cap = new FpsCap(fps);
  return (picture, timestamp) => {
    if (cap.admits(performance.now())) take(picture, timestamp);
  };
}

/** The user of an address, as cameras want to be told. */
function basicAuthorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(user).toString('base64')}` };
}
