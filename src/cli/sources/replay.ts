import { setTimeout as sleep } from 'node:timers/promises';
import { type PictureSource, SourceError, type TakePicture } from './source.ts';

export interface ReplayOptions {
  take: TakePicture;
  /** Play it to its end, and no further. */
  isOnce: boolean;
  signal: AbortSignal;
  /** Says what happens, in words. */
  say: (words: string) => void;
}

const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

/**
 * Plays a source again and again, with growing pauses while it gives nothing. Resolves when `signal` is aborted, or at the end if it is to be played once.
 * @throws SourceError when trying again would not help.
 */
export async function replay(source: PictureSource, { take, isOnce, signal, say }: ReplayOptions): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  const noted: TakePicture = (picture, timestamp) => {
    pauseMs = FIRST_PAUSE_MS;
    take(picture, timestamp);
  };
  while (!signal.aborted) {
    let words = `${source.description} has ended`;
    try {
      await source.play(noted, signal);
      if (isOnce) return;
      if (source.kind === 'recording') continue;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof SourceError) || error.isFinal || isOnce) throw error;
      words = error.message;
    }
    // Some of it by chance: a wall of cameras must not come back in one moment.
    const waitMs = pauseMs * (0.75 + Math.random() / 4);
    pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2);
    say(`${words}; once more in ${(waitMs / 1000).toFixed(1)} s`);
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
