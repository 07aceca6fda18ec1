import type { Dispatcher } from 'undici';
import { isJpeg } from './folder.ts';
import { Pace } from './pace.ts';
import { SourceError, type TakePicture } from './source.ts';

type Answer = Dispatcher.ResponseData;

export interface Poll {
  ask: (headers: Record<string, string>) => Promise<Answer>;
  /** @throws SourceError for an answer that is a refusal. */
  check: (answer: Answer) => void;
  fps: () => number;
}

const MAX_PICTURE_BYTES = 16 * 1024 * 1024;
const NOT_MODIFIED = 304;

/** Asks for a single picture again and again, beginning with the answer that is there. The same picture is taken once, where the server says that it is the same. */
export async function pollPicture(first: Answer, poll: Poll, take: TakePicture, signal: AbortSignal): Promise<never> {
  const pace = new Pace(poll.fps);
  for (let answer = first; ; answer = await poll.ask(conditions(answer))) {
    if (answer.statusCode === NOT_MODIFIED) await answer.body.dump();
    else {
      poll.check(answer);
      take(await readPicture(answer));
    }
    await pace.turn(signal);
  }
}

/** What makes the server say that there is nothing new. */
function conditions({ headers }: Answer): Record<string, string> {
  const { etag } = headers;
  return typeof etag === 'string' ? { 'if-none-match': etag } : {};
}

async function readPicture({ body }: Answer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk as Buffer);
    bytes += chunk.length;
    if (bytes > MAX_PICTURE_BYTES) throw new SourceError('the picture is larger than 16 MiB', { isFinal: true });
  }
  const picture = Buffer.concat(chunks);
  if (!isJpeg(picture)) throw new SourceError('what it calls a picture is no JPEG', { isFinal: true });
  return picture;
}
