import { effect, type Signal, signal } from '@preact/signals';
import type { Alert } from '../../client/index.ts';
import { ApiError, askJson } from '../common/api.ts';
import type { Credentials } from '../common/session.ts';
import { open } from './address.ts';
import { type AlertLog, EMPTY_LOG, type LoggedAlert, withAlerts } from './alert-log.ts';
import type { SeenBox } from './box-overlay.tsx';
import { boxesOf } from './boxes.ts';
import { clock } from './clock.ts';
import { dropNotices, notifyDesktop } from './desktop-notice.ts';
import { isPageShown, isWide } from './on-screen.ts';
import { preference } from './preference.ts';
import { beep } from './sound.ts';
import { NO_TOASTS, type ToastQueue, withoutExpired, withoutToast, withToast } from './toast-queue.ts';

/** How long boxes stay over a live picture. */
const BOXES_FOR_MS = 2_000;
const PAGE_SIZE = 50;

type HistoryRow = Alert & { frameUrl?: string };
interface HistoryPage {
  alerts: HistoryRow[];
  nextCursor: string | null;
}

/** Where the list of older alerts stands. */
export type History =
  | { kind: 'not-asked' | 'loading' | 'complete' }
  | { kind: 'more'; cursor: string }
  | { kind: 'failed'; reason: string; cursor: string | undefined };

/** Whether alerts may show toasts, make sounds, and call through the desktop. They come into the list in any case. */
export const isMuted = preference('muted', ['no', 'yes'], 'no');

/** What came of alerts: the list, the toasts, the boxes over the pictures, and how many nobody has looked at. */
export class Alerts {
  readonly log: Signal<AlertLog> = signal(EMPTY_LOG);
  readonly history: Signal<History> = signal({ kind: 'not-asked' });
  /** During a cut there may have been others. */
  readonly hasGap: Signal<boolean> = signal(false);
  readonly toasts: Signal<ToastQueue> = signal(NO_TOASTS);
  /** Somebody points at one, or is there with the keyboard: none goes meanwhile. */
  readonly areToastsHeld: Signal<boolean> = signal(false);
  readonly unread: Signal<number> = signal(0);
  /** The user can see the list. */
  readonly isListShown: Signal<boolean> = signal(false);
  readonly #credentials: Credentials;
  readonly #nameOf: (streamId: string) => string;
  readonly #boxes = new Map<string, Signal<readonly SeenBox[]>>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #abort = new AbortController();
  readonly #endings: (() => void)[];

  /** `nameOf`: what a stream is called. */
  constructor(credentials: Credentials, nameOf: (streamId: string) => string) {
    this.#credentials = credentials;
    this.#nameOf = nameOf;
    this.#endings = [
      effect(() => {
        if (isPageShown.value && this.isListShown.value) this.unread.value = 0;
      }),
      effect(() => {
        const nowMs = clock.value;
        if (isMuted.value === 'yes') this.toasts.value = NO_TOASTS;
        else if (!this.areToastsHeld.value) this.toasts.value = withoutExpired(this.toasts.peek(), nowMs);
      }),
    ];
  }

  /** A live one. */
  take(alert: Alert): void {
    const logged = { ...alert, hasPicture: alert.frame !== undefined };
    this.log.value = withAlerts(this.log.value, [logged]);
    if (!isPageShown.value || !this.isListShown.value) this.unread.value += 1;
    this.#showBoxes(alert);
    if (isMuted.value === 'yes') return;
    this.toasts.value = withToast(this.toasts.value, alert, Date.now(), isWide.value ? 4 : 2);
    beep(alert.severity);
    if (!isPageShown.value) notifyDesktop(alert, { nameOf: this.#nameOf, onClick: open });
  }

  noteGap(): void {
    this.hasGap.value = true;
  }

  dismiss(alertId: string): void {
    this.toasts.value = withoutToast(this.toasts.value, alertId);
  }

  /** The boxes to draw over a stream's picture now. */
  boxesOf(streamId: string): Signal<readonly SeenBox[]> {
    const known = this.#boxes.get(streamId);
    if (known !== undefined) return known;
    const boxes = signal<readonly SeenBox[]>([]);
    this.#boxes.set(streamId, boxes);
    return boxes;
  }

  /** What the router remembers, of before this page was there. Nothing when it is there already. */
  async loadNewest(): Promise<void> {
    if (this.history.value.kind === 'not-asked') await this.#load(undefined);
  }

  async loadOlder(): Promise<void> {
    const { value } = this.history;
    if (value.kind === 'more' || value.kind === 'failed') await this.#load(value.cursor);
  }

  close(): void {
    this.#abort.abort();
    dropNotices();
    for (const end of this.#endings) end();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  async #load(cursor: string | undefined): Promise<void> {
    this.history.value = { kind: 'loading' };
    const query = new URLSearchParams({ limit: String(PAGE_SIZE), ...(cursor === undefined ? {} : { cursor }) });
    try {
      const options = { credentials: this.#credentials, signal: this.#abort.signal };
      const { alerts, nextCursor } = await askJson<HistoryPage>(`api/alerts?${query}`, options);
      const rows = alerts.map(
        ({ frameUrl, ...alert }): LoggedAlert => ({ ...alert, hasPicture: frameUrl !== undefined }),
      );
      this.log.value = withAlerts(this.log.value, rows);
      const isOver = nextCursor === null || this.log.value.isCut;
      this.history.value = isOver ? { kind: 'complete' } : { kind: 'more', cursor: nextCursor };
    } catch (error) {
      const reason = error instanceof ApiError ? error.message : 'the router does not answer';
      this.history.value = { kind: 'failed', reason, cursor };
    }
  }

  #showBoxes({ streamId, severity, ...alert }: Alert): void {
    const seen = boxesOf(alert).map((box) => ({ ...box, severity }));
    if (seen.length === 0) return;
    const boxes = this.boxesOf(streamId);
    boxes.value = seen;
    clearTimeout(this.#timers.get(streamId));
    const end = () => {
      this.#timers.delete(streamId);
      boxes.value = [];
    };
    this.#timers.set(streamId, setTimeout(end, BOXES_FOR_MS));
  }
}
