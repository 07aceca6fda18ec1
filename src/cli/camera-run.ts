import { setTimeout as sleep } from 'node:timers/promises';
import { Encoder, type EncoderStats } from 'watchout-router/client';
import type { CameraOptions } from './camera.ts';
import { ConnectionWords, refusal } from './connection-words.ts';
import { hideSecrets } from './hidden-url.ts';
import { tokenFor } from './router-options.ts';
import { routerSocket } from './router-socket.ts';
import { endOnSignal, endSoon } from './signals.ts';
import { findSource } from './sources/find-source.ts';
import { replay } from './sources/replay.ts';
import { Sparingly } from './sparingly.ts';
import { clockTime, endWithReader, note, say } from './terminal.ts';

/** While the camera is connected and nobody watches, it is still looked at so often: a viewer's first picture should not be old. */
const MIN_WANTED_FPS = 1;
/** How long the last picture may wait for its turn: nobody watches, and the router asked for one a second. */
const FLUSH_DEADLINE_MS = 2_500;
const FLUSH_LOOK_MS = 10;

/**
 * Sends the pictures of `source` until a signal, or the source's end if that is wanted.
 * @throws Failure when the router refuses it, SourceError when the source is none.
 */
export async function runCamera(sourceText: string, options: CameraOptions): Promise<void> {
  endWithReader();
  const ended = endOnSignal();
  let encoder: Encoder | undefined;
  const source = await findSource(sourceText, {
    fps: options.fps,
    wantedFps: () => Math.max(MIN_WANTED_FPS, encoder?.maxFps ?? MIN_WANTED_FPS),
    headers: options.header ?? {},
  });
  await source.prepare();
  const token = tokenFor(options);
  const streamId = options.stream ?? source.streamId;
  const tell = (words: string) => note(`${clockTime()}  ${streamId}  ${words}`);

  encoder = new Encoder({
    url: options.router,
    WebSocket: routerSocket(token),
    streamId,
    metadata: options.name === undefined ? undefined : { deviceName: options.name },
  });
  const lost = new AbortController();
  let refused: string | undefined;
  let isClosing = false;
  const registered = new Promise<void>((resolve) => encoder.on('registered', () => resolve()));
  const over = AbortSignal.any([ended, lost.signal]);
  const words = new ConnectionWords(hideSecrets(options.router));
  encoder.on('state', (state) => {
    const line = words.of(state);
    if (line !== undefined) tell(line);
    if (state.name !== 'closed' || isClosing) return;
    refused = state.reason;
    lost.abort();
  });
  encoder.on('alert', ({ severity, message }) => say(`${clockTime()}  ${streamId}  alert (${severity}): ${message}`));
  const errors = new Sparingly(tell);
  // What ends the connection is said at the end.
  encoder.on('error', ({ message }) => encoder.state.name === 'open' && errors.tell(`the router says: ${message}`));

  const stopLines = options.quiet ? () => undefined : sayEachSecond(encoder, streamId);
  try {
    await Promise.race([registered, whenAborted(over)]);
    let given = 0;
    const take = (picture: Uint8Array, timestamp?: number) => {
      try {
        encoder.send(picture, timestamp === undefined ? {} : { timestamp });
        given += 1;
        if (given === 1) tell(`sends what comes from ${source.description}`);
      } catch (error) {
        errors.tell(`a picture was left out: ${error instanceof Error ? error.message : String(error)}`);
      }
    };
    await replay(source, { take, isOnce: options.once ?? false, signal: over, say: tell });
    if (!over.aborted) await flushed(encoder, () => given, over);
  } finally {
    stopLines();
    isClosing = true;
    encoder.close();
  }
  if (refused !== undefined) throw refusal(refused, token !== undefined);
  const { sent, replaced, throttled } = encoder.stats;
  tell(`ended: ${sent} sent, ${replaced} replaced, ${throttled} throttled in all`);
  endSoon();
}

function sayEachSecond(encoder: Encoder, streamId: string): () => void {
  let before: EncoderStats = encoder.stats;
  const timer = setInterval(() => {
    const now = encoder.stats;
    const counts = `${now.sent - before.sent} sent, ${now.replaced - before.replaced} replaced, ${now.throttled - before.throttled} throttled`;
    before = now;
    const asked = Number.isFinite(encoder.maxFps) ? `; ${encoder.maxFps} fps are wanted` : '';
    say(
      `${clockTime()}  ${streamId}  ${encoder.state.name === 'open' ? `${counts}${asked}` : `not connected; ${counts}`}`,
    );
  }, 1000);
  return () => clearInterval(timer);
}

/** Every picture that was given has gone out, or given way to another one. */
async function flushed(encoder: Encoder, given: () => number, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + FLUSH_DEADLINE_MS;
  const isDone = () => {
    const { sent, replaced, throttled } = encoder.stats;
    return sent + replaced + throttled >= given() && encoder.bufferedBytes === 0;
  };
  while (!isDone() && !signal.aborted && performance.now() < deadlineMs) await sleep(FLUSH_LOOK_MS);
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
