import { onTestFinished } from 'vitest';
import {
  type ConnectionState,
  Encoder,
  type EncoderOptions,
  Viewer,
  type ViewerOptions,
} from '../../src/client/index.ts';
import { WATCH_EVERY_MS } from '../../src/client/watchdog.ts';
import { REAL_WORLD, type World } from '../../src/client/world.ts';
import { FlakyLink } from '../support/flaky-link.ts';
import { numberedPicture } from '../support/pictures.ts';
import type { TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { Watcher } from '../support/watcher.ts';

/** Short pauses, so that a test of a hundred cuts does not take minutes. */
const QUICK = { baseMs: 20, maxMs: 100 };

/** Ends with the test. */
export function newEncoder(options: EncoderOptions): Encoder {
  const encoder = new Encoder({ backoff: QUICK, ...options });
  onTestFinished(() => encoder.close());
  return encoder;
}

/** Ends with the test. */
export function newViewer(options: ViewerOptions): Viewer {
  const viewer = new Viewer({ backoff: QUICK, ...options });
  onTestFinished(() => viewer.close());
  return viewer;
}

export function untilOpen(client: Encoder | Viewer): Promise<void> {
  return until('the connection is open', () => client.state.name === 'open');
}

/** The real world, with a count of what is pending in it. */
export class CountingWorld implements World {
  timers = 0;
  listeners = 0;
  readonly nowMs = REAL_WORLD.nowMs;
  readonly epochMs = REAL_WORLD.epochMs;
  readonly random = REAL_WORLD.random;

  after(delayMs: number, action: () => void): () => void {
    this.timers += 1;
    let isPending = true;
    const done = () => {
      if (isPending) this.timers -= 1;
      isPending = false;
    };
    const cancel = REAL_WORLD.after(delayMs, () => {
      done();
      action();
    });
    return () => {
      done();
      cancel();
    };
  }

  whenBack(listener: () => void): () => void {
    this.listeners += 1;
    const end = REAL_WORLD.whenBack(listener);
    return () => {
      this.listeners -= 1;
      end();
    };
  }
}

/** A bad network in front of a router; ends with the test. */
export async function openLink(port: number): Promise<FlakyLink> {
  const link = await FlakyLink.open(port);
  onTestFinished(() => link.close());
  return link;
}

/** Every state from now on. */
export function statesOf(client: Encoder | Viewer): ConnectionState[] {
  const states: ConnectionState[] = [];
  const note = (state: ConnectionState) => states.push(state);
  if (client instanceof Encoder) client.on('state', note);
  else client.on('state', note);
  return states;
}

/** The smallest value that is not below so much of them. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

/** The real world, in which everything that takes seconds takes a fiftieth of it. */
export class HurriedWorld implements World {
  /** How often the watchdog has looked. */
  looks = 0;
  readonly nowMs = REAL_WORLD.nowMs;
  readonly epochMs = REAL_WORLD.epochMs;
  readonly random = REAL_WORLD.random;
  readonly whenBack = REAL_WORLD.whenBack;

  after(delayMs: number, action: () => void): () => void {
    if (delayMs < 5_000) return REAL_WORLD.after(delayMs, action);
    return REAL_WORLD.after(delayMs / 50, () => {
      if (delayMs === WATCH_EVERY_MS) this.looks += 1;
      action();
    });
  }
}

/** A viewer with a good line. */
export async function watch(router: TestRouter, token: string, streamId: string): Promise<Watcher> {
  const watcher = new Watcher(`${router.wsUrl}/streams/subscribe?token=${token}`, { streamId, window: 1 });
  await until('it watches', () => watcher.success !== undefined);
  return watcher;
}

/** Pictures with numbers from 1 on. */
export function filmSteadily(
  encoder: Encoder,
  fps: number,
  bytes: number,
): { readonly sent: number; stop: () => void } {
  let sent = 0;
  const stop = steadily(fps, () => {
    sent += 1;
    encoder.send(numberedPicture(sent, bytes));
  });
  onTestFinished(stop);
  return {
    get sent() {
      return sent;
    },
    stop,
  };
}
