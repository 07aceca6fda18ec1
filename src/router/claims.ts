import { ErrorCode, ProtocolError } from '../../proto/errors.ts';
import type { Counters } from './counters.ts';
import type { StreamOwners } from './ports.ts';
import type { Device, Reservation, Reservations } from './reservations.ts';

export interface ClaimsParts {
  reservations: Reservations;
  /** Who owns streams that are not live, where somebody knows. */
  owners: StreamOwners | undefined;
  /** Live ones and reserved ones. */
  maxStreamsPerUser: number;
  counters: Counters;
}

/** Who may have a name that is not live, and how many each user has. */
export class Claims {
  readonly #parts: ClaimsParts;
  /** Live streams that are not reserved; reserved ones count, live or not. */
  readonly #countOfUser = new Map<string, number>();

  constructor(parts: ClaimsParts) {
    this.#parts = parts;
  }

  /**
   * Keeps a new name.
   * @throws ProtocolError `ROUTING_ERROR` when the user has as many streams as are allowed, or says too much of them, `UNAVAILABLE` when no more
   * names can be kept.
   */
  reserve(streamId: string, userId: string, device: Device): Reservation {
    this.#checkRoom(userId);
    return this.#parts.reservations.add(streamId, userId, device);
  }

  /**
   * A stream goes live. `isNamed`: the client chose the name.
   * @throws ProtocolError `UNAUTHORIZED` when the name is another's, `UNAVAILABLE` when that is not known, `ROUTING_ERROR` when the user has as many
   * streams as are allowed.
   */
  take(streamId: string, userId: string, isNamed: boolean): void {
    if (isNamed) this.#checkOwner(streamId, userId);
    const reservation = this.#parts.reservations.get(streamId);
    if (reservation !== undefined) {
      this.#parts.reservations.wentLive(reservation);
      return;
    }
    this.#checkRoom(userId);
    this.#countOfUser.set(userId, (this.#countOfUser.get(userId) ?? 0) + 1);
  }

  /** It ended. Its reservation lasts longer than it did, so what was counted as reserved is so still. `lastSeenMs`: ms since the epoch. */
  giveBack(streamId: string, userId: string, lastSeenMs: number): void {
    const reservation = this.#parts.reservations.get(streamId);
    if (reservation !== undefined) {
      this.#parts.reservations.wentOffline(reservation, lastSeenMs);
      return;
    }
    const left = (this.#countOfUser.get(userId) ?? 1) - 1;
    if (left > 0) this.#countOfUser.set(userId, left);
    else this.#countOfUser.delete(userId);
  }

  #checkRoom(userId: string): void {
    const { reservations, maxStreamsPerUser, counters } = this.#parts;
    const count = (this.#countOfUser.get(userId) ?? 0) + reservations.countOf(userId);
    if (count < maxStreamsPerUser) return;
    counters.streamsRefused += 1;
    const message = `register: this user has ${count} streams, reserved ones among them, as many as are allowed`;
    throw new ProtocolError(ErrorCode.routingError, message);
  }

  /** A name that is not live may be another's all the same: it is reserved, or, where owners are known, it must be known whose it is. */
  #checkOwner(streamId: string, userId: string): void {
    const { owners, reservations } = this.#parts;
    const reservation = reservations.get(streamId);
    if (reservation !== undefined) {
      if (reservation.ownerId !== userId) throw notTheirs(streamId);
      return;
    }
    if (owners === undefined) return;
    const owner = owners.known(streamId);
    if (owner === undefined) {
      throw new ProtocolError(ErrorCode.unavailable, 'streamId: its owner cannot be looked up now, try again');
    }
    if (owner.userId !== undefined && owner.userId !== userId) throw notTheirs(streamId);
  }
}

export function notTheirs(streamId: string): ProtocolError {
  return new ProtocolError(ErrorCode.unauthorized, `streamId: ${streamId} belongs to another user`);
}
