import { type Signal, signal } from '@preact/signals';
import type { Alert } from '../../client/index.ts';

/** `missing`: this browser has none, or not on a page without https. */
export type NoticePermission = NotificationPermission | 'missing';

export const noticePermission: Signal<NoticePermission> = signal(
  'Notification' in window && isSecureContext ? Notification.permission : 'missing',
);

/** To be called by a click, which browsers ask for. */
export async function askForNotices(): Promise<void> {
  noticePermission.value = await Notification.requestPermission();
}

/** Calls who does not look at the page. `onClick`: when they come to it. */
export function notifyDesktop({ id, severity, message }: Alert, streamName: string, onClick: () => void): void {
  if (noticePermission.value !== 'granted') return;
  try {
    const notice = new Notification(`${severity.toUpperCase()}: ${message}`, { body: streamName, tag: id });
    notice.onclick = () => {
      window.focus();
      notice.close();
      onClick();
    };
  } catch {
    // Phones want a service worker for this.
    noticePermission.value = 'missing';
  }
}
