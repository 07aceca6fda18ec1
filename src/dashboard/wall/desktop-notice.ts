import { type Signal, signal } from '@preact/signals';
import type { Alert } from '../../client/index.ts';
import { NoticePace, noticeWords } from './notice-pace.ts';
import { isPageShown } from './on-screen.ts';

/** `missing`: this browser has none, or not on a page without https. `failed`: it says that it has, but phones want a service worker for it. */
export type NoticePermission = NotificationPermission | 'missing' | 'failed';

export const noticePermission: Signal<NoticePermission> = signal(
  'Notification' in window && isSecureContext ? Notification.permission : 'missing',
);

export interface NoticeParts {
  /** What a stream is called. */
  nameOf: (streamId: string) => string;
  /** When somebody comes to it. */
  onClick: (streamId: string) => void;
}

const pace = new NoticePace();
let timer: ReturnType<typeof setTimeout> | undefined;

/** To be called by a click, which browsers ask for. The first notice comes at once: whether there will be any is better known now than at the first alert. */
export async function askForNotices(): Promise<void> {
  noticePermission.value = await Notification.requestPermission();
  raise('Notifications are on', { body: 'Alerts call you while this page is hidden.', tag: 'watchout' });
}

/** Calls who does not look at the page, for several alerts once. */
export function notifyDesktop(alert: Alert, parts: NoticeParts): void {
  if (noticePermission.value !== 'granted') return;
  const nowMs = performance.now();
  const dueMs = pace.add(alert, nowMs);
  clearTimeout(timer);
  timer = setTimeout(() => call(parts), dueMs - nowMs);
}

/** Nobody need be called for what has come so far. */
export function dropNotices(): void {
  clearTimeout(timer);
  pace.clear();
}

isPageShown.subscribe((isShown) => {
  if (isShown) dropNotices();
});

function call({ nameOf, onClick }: NoticeParts): void {
  const gathered = pace.take(performance.now());
  if (gathered === undefined) return;
  const { streamId } = gathered.alert;
  const { title, body } = noticeWords(gathered, nameOf(streamId));
  // Of each stream the last one stands there; it calls though it takes the place of another.
  const options: NotificationOptions & { renotify: boolean } = { body, tag: streamId, renotify: true };
  const notice = raise(title, options);
  if (notice === undefined) return;
  notice.onclick = () => {
    window.focus();
    notice.close();
    onClick(streamId);
  };
}

function raise(title: string, options: NotificationOptions): Notification | undefined {
  if (noticePermission.value !== 'granted') return undefined;
  try {
    return new Notification(title, options);
  } catch {
    noticePermission.value = 'failed';
    return undefined;
  }
}
