import type { Alert, Severity } from '../../client/index.ts';
import { isWorse } from './severity.ts';

interface Toast {
  alert: Alert;
  /** Ms since the epoch. */
  endsAtMs: number;
}

/** The toasts on the screen, the newest first. */
export interface ToastQueue {
  toasts: readonly Toast[];
  /** How many more there were since the first of these. */
  more: number;
}

export const NO_TOASTS: ToastQueue = { toasts: [], more: 0 };

const DURATIONS_MS: Readonly<Record<Severity, number>> = { low: 6_000, medium: 8_000, high: 15_000, critical: 30_000 };

/** `room`: for so many. Where there is none the least severe goes, of several the oldest. */
export function withToast({ toasts, more }: ToastQueue, alert: Alert, nowMs: number, room: number): ToastQueue {
  const all = [{ alert, endsAtMs: nowMs + DURATIONS_MS[alert.severity] }, ...toasts];
  if (all.length <= room) return { toasts: all, more };
  const severities = all.map(({ alert: { severity } }) => severity);
  const leaving = severities.findLastIndex((severity) => !severities.some((other) => isWorse(severity, other)));
  return { toasts: all.toSpliced(leaving, 1), more: more + 1 };
}

export function withoutToast(queue: ToastQueue, alertId: string): ToastQueue {
  return kept(queue, ({ alert }) => alert.id !== alertId);
}

export function withoutExpired(queue: ToastQueue, nowMs: number): ToastQueue {
  return kept(queue, ({ endsAtMs }) => endsAtMs > nowMs);
}

/** The count goes with the last of them. */
function kept(queue: ToastQueue, stays: (toast: Toast) => boolean): ToastQueue {
  const left = queue.toasts.filter(stays);
  if (left.length === queue.toasts.length) return queue;
  return left.length === 0 ? NO_TOASTS : { toasts: left, more: queue.more };
}
