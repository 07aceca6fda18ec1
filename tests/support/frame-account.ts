import type { TestMessage } from './client.ts';

export interface FrameAccount {
  /** What `/stats` said so far. */
  readonly samples: TestMessage[];
  /** Their `frames`, where some had gone missing, or were counted twice: where offered ≠ delivered + dropped + inFlight, or that cannot be. */
  readonly wrong: TestMessage[];
  stop(): Promise<void>;
}

/**
 * Samples `/stats` about ten times a second, and holds the frames' account to its promise. `mostInFlight`: all windows together, and one frame that is
 * held back for each viewer.
 */
export function auditFrames(stats: () => Promise<TestMessage>, mostInFlight: number): FrameAccount {
  const account: FrameAccount = { samples: [], wrong: [], stop };
  let isOver = false;
  const ended = sample();
  return account;

  async function sample(): Promise<void> {
    while (!isOver) {
      const sampled = await stats();
      const { frames } = sampled;
      const { offered, delivered, dropped, inFlight } = frames;
      account.samples.push(sampled);
      const parts = [delivered, dropped.slow, dropped.fps, dropped.closed, inFlight];
      const isRight = offered === parts.reduce((sum, part) => sum + part) && Math.min(...parts) >= 0;
      if (!isRight || inFlight > mostInFlight) account.wrong.push(frames);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  function stop(): Promise<void> {
    isOver = true;
    return ended;
  }
}
