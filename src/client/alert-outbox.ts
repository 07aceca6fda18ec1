import { MAX_ALERT_TEXT_LENGTH } from '../../proto/limits.ts';
import type { Severity } from './types.ts';
import { copyOfMetadata } from './wire.ts';

/** An alert on its way to the router. `timestamp`: ms since the epoch; default: when it was raised here. */
export interface OutgoingAlert {
  severity: Severity;
  message: string;
  metadata?: Readonly<Record<string, unknown>>;
  timestamp?: number;
}

const SEVERITIES: readonly Severity[] = ['low', 'medium', 'high', 'critical'];

/** An encoder without a connection that raises more than this is not believed. */
const MAX_WAITING = 100;

/** Alerts that the router may not have yet, in order. */
export class AlertOutbox {
  readonly #epochMs: () => number;
  #waiting: { alert: OutgoingAlert; isSent: boolean }[] = [];

  constructor(epochMs: () => number) {
    this.#epochMs = epochMs;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** False: there is no room. @throws TypeError for what is no alert. */
  add({ severity, message, metadata, timestamp = this.#epochMs() }: OutgoingAlert): boolean {
    if (!SEVERITIES.includes(severity)) throw new TypeError(`severity: must be one of ${SEVERITIES.join(', ')}`);
    if (typeof message !== 'string' || message === '' || message.length > MAX_ALERT_TEXT_LENGTH) {
      throw new TypeError(`message: must have 1 to ${MAX_ALERT_TEXT_LENGTH} characters`);
    }
    if (!Number.isFinite(timestamp)) throw new TypeError('timestamp: must be ms since the epoch');
    // Now, and not when it is sent: then it would stand in the way of all that come after it.
    const more = metadata === undefined ? {} : { metadata: copyOfMetadata(metadata) };
    if (this.#waiting.length >= MAX_WAITING) return false;
    this.#waiting.push({ alert: { severity, message, timestamp, ...more }, isSent: false });
    return true;
  }

  /** Those to be sent now; they count as sent. */
  unsent(): readonly OutgoingAlert[] {
    const unsent = this.#waiting.filter(({ isSent }) => !isSent);
    for (const one of unsent) one.isSent = true;
    return unsent.map(({ alert }) => alert);
  }

  /** The router has them. */
  delivered(alerts: readonly OutgoingAlert[]): void {
    this.#waiting = this.#waiting.filter(({ alert }) => !alerts.includes(alert));
  }

  /** The connection is gone, and nobody knows what became of those that were sent. */
  lost(): void {
    for (const one of this.#waiting) one.isSent = false;
  }

  clear(): void {
    this.#waiting = [];
  }
}
