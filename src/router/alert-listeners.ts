import type { DeliveredAlert } from '../../proto/messages.ts';
import type { AlertHistory } from './alert-history.ts';
import { AnomalyMessage } from './anomaly-message.ts';
import type { Counters } from './counters.ts';
import type { Encodable } from './outgoing.ts';
import type { Peer } from './peer.ts';
import type { EvidenceRoom } from './ports.ts';

/** Who is sent every alert of its user's streams, those included that begin later, and nothing of the streams beside. */
export interface AlertListener {
  readonly peer: Peer;
  /** In which words. */
  readonly shape: 'alert' | 'anomaly';
}

export interface AlertListenersParts {
  history: AlertHistory;
  evidence: EvidenceRoom;
  counters: Counters;
}

/**
 * What is sent again carries pictures, the newest ones, up to so many bytes: those of a thousand alerts would not fit into the listener's outbox, and it would be
 * closed for being behind.
 */
const MAX_REPLAYED_PICTURE_BYTES = 1024 * 1024;

/** Listeners to alerts, by their user. */
export class AlertListeners {
  readonly #parts: AlertListenersParts;
  readonly #byUser = new Map<string, Set<AlertListener>>();

  constructor(parts: AlertListenersParts) {
    this.#parts = parts;
  }

  /** `since`: id of the last alert that it has heard; what is remembered of those after it is sent first. */
  add(listener: AlertListener, since?: string): void {
    const { userId } = listener.peer.principal;
    const listeners = this.#byUser.get(userId) ?? new Set();
    listeners.add(listener);
    this.#byUser.set(userId, listeners);
    if (since !== undefined) this.#replay(listener, since);
  }

  remove(listener: AlertListener): void {
    const { userId } = listener.peer.principal;
    const listeners = this.#byUser.get(userId);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#byUser.delete(userId);
  }

  of(userId: string): ReadonlySet<AlertListener> {
    return this.#byUser.get(userId) ?? NOBODY;
  }

  #replay({ peer, shape }: AlertListener, since: string): void {
    const { history, counters } = this.#parts;
    const { userId } = peer.principal;
    const { alerts } = history.after(since, [{ ownerId: userId, streamId: undefined }]);
    const pictures = shape === 'anomaly' ? this.#newestPictures(alerts) : undefined;
    for (const { id, outgoing } of alerts) {
      const message = shape === 'anomaly' ? new AnomalyMessage(alertIn(outgoing), userId, pictures?.get(id)) : outgoing;
      // What is lost now it asks for again when it comes back: nothing more need be written for it.
      if (!peer.answer(message)) return;
      counters.alertsReplayed += 1;
    }
  }

  #newestPictures(alerts: readonly { id: string }[]): Map<string, Uint8Array> {
    const pictures = new Map<string, Uint8Array>();
    let room = MAX_REPLAYED_PICTURE_BYTES;
    for (const { id } of alerts.toReversed()) {
      const jpeg = this.#parts.evidence.find(id)?.jpeg;
      if (jpeg === undefined) continue;
      room -= jpeg.length;
      if (room < 0) break;
      pictures.set(id, jpeg);
    }
    return pictures;
  }
}

const NOBODY: ReadonlySet<AlertListener> = new Set();

/** The history keeps alerts as they were written. */
function alertIn(outgoing: Encodable): DeliveredAlert {
  return JSON.parse(Buffer.from(outgoing.in('json')).toString('utf8'));
}
