import { ErrorCode, ProtocolError } from '../../proto/errors.ts';
import type { Counters } from './counters.ts';
import type { Clock } from './ports.ts';

/** What is said of a camera before it streams. */
export interface Device {
  deviceName: string | undefined;
  deviceType: string | undefined;
  metadata: Readonly<Record<string, unknown>>;
}

export interface ReservationLimits {
  /** How long a reservation lasts whose stream is not live, ms. */
  unusedMs: number;
  /** What a user says of all of them, bytes. */
  textBytesPerUser: number;
  /** Of all users together. */
  bytes: number;
}

/** The number of each user's is bounded by the streams they may have; what may be said of one is some 32 KiB. */
export const RESERVATION_LIMITS: ReservationLimits = {
  unusedMs: 24 * 60 * 60 * 1000,
  textBytesPerUser: 1024 * 1024,
  bytes: 64 * 1024 * 1024,
};

/** What one takes beside its texts: its objects, and its places in the maps. */
const OWN_BYTES = 512;

/** A name that is kept for its owner, and what is known of the camera behind it. */
export class Reservation {
  readonly streamId: string;
  readonly ownerId: string;
  readonly deviceName: string | undefined;
  readonly deviceType: string | undefined;
  /** Ms since the epoch. */
  readonly createdAtMs: number;
  /** When its stream was last there; until it ever was, when it was reserved. Ms since the epoch. */
  lastSeenMs: number;
  /** When it ends, ms of the monotonic clock; never while its stream is live. */
  endsMs = Number.POSITIVE_INFINITY;
  /** As text: taken apart it would take up to forty times the space. */
  readonly #metadata: string;

  constructor(streamId: string, ownerId: string, device: Device, createdAtMs: number) {
    this.streamId = streamId;
    this.ownerId = ownerId;
    this.deviceName = device.deviceName;
    this.deviceType = device.deviceType;
    this.#metadata = JSON.stringify(device.metadata);
    this.createdAtMs = createdAtMs;
    this.lastSeenMs = createdAtMs;
  }

  get metadata(): Readonly<Record<string, unknown>> {
    return JSON.parse(this.#metadata) as Record<string, unknown>;
  }

  get textBytes(): number {
    const { deviceName = '', deviceType = '' } = this;
    return 2 * (this.#metadata.length + deviceName.length + deviceType.length);
  }
}

interface OfUser {
  reservations: Set<Reservation>;
  textBytes: number;
}

/** Names of streams that are kept for their owners: before the first connection, and for a day after the last. In memory. */
export class Reservations {
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #limits: ReservationLimits;
  readonly #all = new Map<string, Reservation>();
  readonly #ofUser = new Map<string, OfUser>();
  /** Those whose stream is not live, in the order in which they end. */
  readonly #unused = new Set<Reservation>();
  #bytes = 0;

  constructor(clock: Clock, counters: Counters, limits = RESERVATION_LIMITS) {
    this.#clock = clock;
    this.#counters = counters;
    this.#limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  get(streamId: string): Reservation | undefined {
    return this.#all.get(streamId);
  }

  /** In the order in which they were made. */
  of(ownerId: string): Iterable<Reservation> {
    return this.#ofUser.get(ownerId)?.reservations ?? [];
  }

  countOf(ownerId: string): number {
    return this.#ofUser.get(ownerId)?.reservations.size ?? 0;
  }

  /**
   * Keeps a name that is nobody's yet.
   * @throws ProtocolError `ROUTING_ERROR` when the user says more of their cameras than is remembered, `UNAVAILABLE` when all users together do.
   */
  add(streamId: string, ownerId: string, device: Device): Reservation {
    const reservation = new Reservation(streamId, ownerId, device, this.#clock.epochMs());
    const { textBytes } = reservation;
    const own = this.#ofUser.get(ownerId) ?? { reservations: new Set(), textBytes: 0 };
    if (own.textBytes + textBytes > this.#limits.textBytesPerUser) {
      this.#counters.streamsRefused += 1;
      const message = `metadata: that of all reserved streams of a user may take ${this.#limits.textBytesPerUser} bytes`;
      throw new ProtocolError(ErrorCode.routingError, message);
    }
    if (this.#bytes + OWN_BYTES + textBytes > this.#limits.bytes) {
      this.#counters.streamsRefused += 1;
      throw new ProtocolError(ErrorCode.unavailable, 'The router keeps as many names as it can, try again later');
    }
    own.reservations.add(reservation);
    own.textBytes += textBytes;
    this.#bytes += OWN_BYTES + textBytes;
    this.#ofUser.set(ownerId, own);
    this.#all.set(streamId, reservation);
    this.#lastsADay(reservation);
    return reservation;
  }

  /** Its stream is live: it lasts until that has ended, and longer. */
  wentLive(reservation: Reservation): void {
    reservation.endsMs = Number.POSITIVE_INFINITY;
    this.#unused.delete(reservation);
  }

  /** `lastSeenMs`: when its stream was last there, ms since the epoch. */
  wentOffline(reservation: Reservation, lastSeenMs: number): void {
    reservation.lastSeenMs = lastSeenMs;
    this.#lastsADay(reservation);
  }

  remove(reservation: Reservation): void {
    const { streamId, ownerId, textBytes } = reservation;
    if (!this.#all.delete(streamId)) return;
    this.#unused.delete(reservation);
    this.#bytes -= OWN_BYTES + textBytes;
    const own = this.#ofUser.get(ownerId);
    if (own === undefined) return;
    own.textBytes -= textBytes;
    own.reservations.delete(reservation);
    if (own.reservations.size === 0) this.#ofUser.delete(ownerId);
  }

  /** Lets time pass: those that nobody used for long are nobody's any more. */
  tick(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const reservation of this.#unused) {
      if (reservation.endsMs > nowMs) return;
      this.remove(reservation);
    }
  }

  #lastsADay(reservation: Reservation): void {
    reservation.endsMs = this.#clock.monotonicMs() + this.#limits.unusedMs;
    this.#unused.add(reservation);
  }
}
