import { type Signal, signal } from '@preact/signals';
import { STREAM_ID_PATTERN } from '../../../proto/limits.ts';

const PARAMETER = 'stream';

/** The stream that is open, as the address names it: so a link shows the same to whoever may see it. */
export const openStream: Signal<string | undefined> = signal(fromAddress());

addEventListener('popstate', () => {
  openStream.value = fromAddress();
});

/** From the wall it is a step that `back` undoes; from one stream to the next it is none. */
export function open(streamId: string): void {
  const isFromWall = openStream.value === undefined;
  openStream.value = streamId;
  const address = addressOf(streamId);
  if (isFromWall) history.pushState(null, '', address);
  else history.replaceState(null, '', address);
}

export function close(): void {
  if (openStream.value === undefined) return;
  openStream.value = undefined;
  history.pushState(null, '', addressOf(undefined));
}

function addressOf(streamId: string | undefined): URL {
  const address = new URL(location.href);
  address.searchParams.delete(PARAMETER);
  if (streamId !== undefined) address.searchParams.set(PARAMETER, streamId);
  return address;
}

function fromAddress(): string | undefined {
  const named = new URL(location.href).searchParams.get(PARAMETER);
  return named !== null && STREAM_ID_PATTERN.test(named) ? named : undefined;
}
