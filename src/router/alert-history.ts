import type { Encoded, Encoding } from '../../proto/codec.ts';
import type { DeliveredAlert } from '../../proto/messages.ts';
import type { Encodable } from './outgoing.ts';

export interface HistoryLimits {
  alertsPerUser: number;
  bytesPerUser: number;
  /** Of all users together. */
  bytes: number;
}

/** An alert may carry almost 1 MiB of metadata, so a number of alerts alone would not bound the memory. */
const HISTORY_LIMITS: HistoryLimits = {
  alertsPerUser: 1_000,
  bytesPerUser: 8 * 1024 * 1024,
  bytes: 256 * 1024 * 1024,
};

/** What is kept beside its text, for who asks for some of them only. */
export interface Remembered {
  id: string;
  streamId: string;
  severity: DeliveredAlert['severity'];
  /** When it came, ms since the epoch. */
  createdAtMs: number;
  outgoing: Encodable;
  bytes: number;
}

/** Both encodings, and not the values they were made from: decoded metadata takes up to forty times its bytes. */
class Encodings implements Encodable {
  readonly #json: Encoded;
  readonly #msgpack: Encoded;

  constructor(outgoing: Encodable) {
    this.#json = outgoing.in('json');
    this.#msgpack = outgoing.in('msgpack');
  }

  get bytes(): number {
    return this.#json.length + this.#msgpack.length;
  }

  in(encoding: Encoding): Encoded {
    return encoding === 'json' ? this.#json : this.#msgpack;
  }
}

interface UserAlerts {
  /** Oldest first, so sorted by id. */
  alerts: Remembered[];
  bytes: number;
  /** Id of the newest alert that was forgotten. */
  forgotten: string;
}

/** Whose alerts are asked for: of one stream, or of all that a user owns. */
export interface Place {
  ownerId: string;
  streamId: string | undefined;
}

/** What is remembered of the time after an alert. */
export interface Recollection {
  /** In order. */
  alerts: readonly Remembered[];
  /** False: some may have been forgotten. */
  isComplete: boolean;
}

/** The last alerts of every user, for viewers that missed some. In memory: nothing of it survives a restart, and it says so. */
export class AlertHistory {
  readonly #limits: HistoryLimits;
  /** In the order of their last alert. */
  readonly #users = new Map<string, UserAlerts>();
  /** By stream: whose the last alert of it is that is remembered. */
  readonly #owners = new Map<string, string>();
  #bytes = 0;
  /** Users who are not there may have lost alerts up to this id. */
  #forgotten: string;

  /** `startId`: sorts before all alerts to come, and after all that another run of the router may have given out. */
  constructor(startId: string, limits = HISTORY_LIMITS) {
    this.#limits = limits;
    this.#forgotten = startId;
  }

  /** Ids must come in order. */
  add(
    ownerId: string,
    { id, streamId, severity }: Pick<DeliveredAlert, 'id' | 'streamId' | 'severity'>,
    createdAtMs: number,
    message: Encodable,
  ): void {
    const outgoing = new Encodings(message);
    const { bytes } = outgoing;
    const user = this.#users.get(ownerId) ?? { alerts: [], bytes: 0, forgotten: this.#forgotten };
    this.#users.delete(ownerId);
    this.#users.set(ownerId, user);
    user.alerts.push({ id, streamId, severity, createdAtMs, outgoing, bytes });
    user.bytes += bytes;
    this.#bytes += bytes;
    this.#owners.set(streamId, ownerId);
    while (user.alerts.length > this.#limits.alertsPerUser || user.bytes > this.#limits.bytesPerUser) {
      this.#forgetOldest(ownerId, user);
    }
    for (const [otherId, other] of this.#users) {
      if (this.#bytes <= this.#limits.bytes) break;
      this.#forgetUser(otherId, other);
    }
  }

  /** Who owned a stream when its last alert came, while that is remembered. */
  ownerOf(streamId: string): string | undefined {
    return this.#owners.get(streamId);
  }

  /** All that is remembered of a user's, the oldest first. */
  of(ownerId: string): readonly Remembered[] {
    return this.#users.get(ownerId)?.alerts ?? [];
  }

  /** Alerts with an id after `since`, of any of these places. */
  after(since: string, places: readonly Place[]): Recollection {
    const streamsOf = new Map<string, Set<string> | undefined>();
    for (const { ownerId, streamId } of places) {
      if (streamId === undefined) streamsOf.set(ownerId, undefined);
      else if (!streamsOf.has(ownerId)) streamsOf.set(ownerId, new Set([streamId]));
      else streamsOf.get(ownerId)?.add(streamId);
    }
    const alerts: Remembered[] = [];
    let isComplete = true;
    for (const [ownerId, streamIds] of streamsOf) {
      const user = this.#users.get(ownerId);
      isComplete &&= since >= (user?.forgotten ?? this.#forgotten);
      for (const alert of user?.alerts ?? []) {
        if (alert.id > since && (streamIds?.has(alert.streamId) ?? true)) alerts.push(alert);
      }
    }
    return { alerts: alerts.sort((one, other) => (one.id < other.id ? -1 : 1)), isComplete };
  }

  #forgetOldest(ownerId: string, user: UserAlerts): void {
    const oldest = user.alerts.shift();
    if (oldest === undefined) return;
    user.bytes -= oldest.bytes;
    this.#bytes -= oldest.bytes;
    user.forgotten = oldest.id;
    if (!user.alerts.some(({ streamId }) => streamId === oldest.streamId)) this.#disown(ownerId, oldest.streamId);
  }

  #forgetUser(ownerId: string, user: UserAlerts): void {
    this.#users.delete(ownerId);
    this.#bytes -= user.bytes;
    for (const { streamId } of user.alerts) this.#disown(ownerId, streamId);
    const last = user.alerts.at(-1)?.id ?? user.forgotten;
    if (last > this.#forgotten) this.#forgotten = last;
  }

  #disown(ownerId: string, streamId: string): void {
    if (this.#owners.get(streamId) === ownerId) this.#owners.delete(streamId);
  }
}
