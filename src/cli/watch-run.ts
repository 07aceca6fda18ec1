import { type SubscribeOptions, Viewer } from 'watchout-router/client';
import { ALL_STREAMS } from '../../proto/limits.ts';
import { ConnectionWords, refusal } from './connection-words.ts';
import { Failure } from './failure.ts';
import { hideSecrets } from './hidden-url.ts';
import { tokenFor } from './router-options.ts';
import { routerSocket } from './router-socket.ts';
import { SavedFrames } from './saved-frames.ts';
import { endOnSignal, endSoon } from './signals.ts';
import { clockTime, endWithReader, note, say } from './terminal.ts';
import type { WatchOptions } from './watch.ts';
import { jsonReport, type WatchReport, wordsReport } from './watch-report.ts';

/**
 * Watches until a signal, or for so long as is wanted.
 * @throws Failure when it is refused, or what comes cannot be saved.
 */
export async function runWatch(streamId: string, options: WatchOptions): Promise<void> {
  endWithReader();
  const ended = endOnSignal();
  const token = tokenFor(options);
  const saved = options.save === undefined ? undefined : await SavedFrames.open(options.save, options.maxFiles);
  const over = new AbortController();
  const end = (failure?: Failure) => over.abort(failure);
  ended.addEventListener('abort', () => end(), { once: true });

  const viewer = new Viewer({ url: options.router, WebSocket: routerSocket(token) });
  const report: WatchReport = options.json ? jsonReport() : wordsReport(streamId, { hasFrames: !options.alerts });
  const words = new ConnectionWords(hideSecrets(options.router));
  let wasOpen = false;
  viewer.on('state', (state) => {
    wasOpen ||= state.name === 'open';
    const line = words.of(state);
    if (line !== undefined && !options.json) note(`${clockTime()}  ${streamId}  ${line}`);
    report.state(state);
    if (state.name === 'closed') end(refusal(state.reason, token !== undefined));
  });
  viewer.on('error', (error) => report.error(error));

  const onFrame: SubscribeOptions['onFrame'] = (frame) => {
    if (saved === undefined) return report.frame(frame, undefined);
    // The next one is sent when this one is written.
    return saved.write(frame).then(
      (path) => report.frame(frame, path),
      (error: Error) => end(new Failure(`${options.save}: a frame cannot be saved (${error.message})`)),
    );
  };
  viewer.subscribe(streamId, {
    onFrame: options.alerts ? undefined : onFrame,
    onAlert: (alert) => report.alert(alert),
    onGap: (gap) => report.gap(gap),
    onStatus: (status) => report.status(status),
    onEnd: ({ message }) => end(new Failure(message)),
    maxFps: options.maxFps,
  });

  let deadline: NodeJS.Timeout | undefined;
  if (options.seconds !== undefined && options.seconds > 0) {
    const atEnd = () =>
      end(
        wasOpen
          ? undefined
          : new Failure(`No connection to ${hideSecrets(options.router)} within ${options.seconds} s`),
      );
    deadline = setTimeout(atEnd, options.seconds * 1000);
  }
  await new Promise<void>((resolve) => over.signal.addEventListener('abort', () => resolve(), { once: true }));
  clearTimeout(deadline);
  report.stop();
  viewer.close();
  const { reason } = over.signal;
  if (reason instanceof Failure) throw reason;
  if (saved !== undefined && !options.json) {
    say(
      `${clockTime()}  ${streamId === ALL_STREAMS ? 'all' : streamId}  ${saved.written} frames were saved in ${options.save}`,
    );
  }
  endSoon();
}
