import type { StreamStatus } from '../../proto/messages.ts';
import { mayWatch, type StreamAccess } from './access.ts';
import type { Reservation } from './reservations.ts';
import type { Router } from './router.ts';
import type { Stream } from './stream.ts';

/** A stream that is live, or reserved, or both. Times are ms since the epoch. */
export interface KnownStream {
  id: string;
  ownerId: string;
  status: StreamStatus;
  /** As it was reserved, or else as its encoder says in `metadata`. */
  deviceName: string | undefined;
  deviceType: string | undefined;
  metadata: Readonly<Record<string, unknown>>;
  isReserved: boolean;
  /** When it was reserved, or else when it went live. */
  createdAtMs: number;
  /** Its last frame, or the last time its encoder came or went. */
  lastSeenMs: number;
}

/** All streams of a user, the oldest first. */
export function knownStreamsOf({ streams, reservations }: Router, ownerId: string): KnownStream[] {
  const found: KnownStream[] = [];
  for (const stream of streams.all) {
    if (stream.ownerId === ownerId) found.push(live(stream, streams.lastSeenMs(stream), reservations.get(stream.id)));
  }
  for (const reservation of reservations.of(ownerId)) {
    if (streams.get(reservation.streamId) === undefined) found.push(offline(reservation));
  }
  return found.sort((one, other) => one.createdAtMs - other.createdAtMs);
}

/** Live streams of others that this user may watch, the oldest first. */
export function watchableStreamsOf(
  { streams, reservations }: Router,
  access: StreamAccess,
  userId: string,
): KnownStream[] {
  const found: KnownStream[] = [];
  for (const stream of streams.all) {
    if (stream.ownerId === userId || !mayWatch(access, userId, stream.ownerId)) continue;
    found.push(live(stream, streams.lastSeenMs(stream), reservations.get(stream.id)));
  }
  return found.sort((one, other) => one.createdAtMs - other.createdAtMs);
}

/** Anybody’s. Undefined: neither live nor reserved. */
export function knownStream({ streams, reservations }: Router, streamId: string): KnownStream | undefined {
  const stream = streams.get(streamId);
  const reservation = reservations.get(streamId);
  if (stream !== undefined) return live(stream, streams.lastSeenMs(stream), reservation);
  return reservation && offline(reservation);
}

function live(stream: Stream, lastSeenMs: number, reservation: Reservation | undefined): KnownStream {
  const { id, ownerId, status, metadata } = stream;
  return {
    id,
    ownerId,
    status,
    deviceName: reservation?.deviceName ?? textIn(metadata, 'deviceName'),
    deviceType: reservation?.deviceType ?? textIn(metadata, 'deviceType'),
    metadata,
    isReserved: reservation !== undefined,
    createdAtMs: reservation?.createdAtMs ?? stream.createdAtMs,
    lastSeenMs,
  };
}

function offline(reservation: Reservation): KnownStream {
  const { streamId: id, ownerId, deviceName, deviceType, metadata, createdAtMs, lastSeenMs } = reservation;
  const device = {
    deviceName: deviceName ?? textIn(metadata, 'deviceName'),
    deviceType: deviceType ?? textIn(metadata, 'deviceType'),
  };
  return { id, ownerId, status: 'offline', ...device, metadata, isReserved: true, createdAtMs, lastSeenMs };
}

function textIn(metadata: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = metadata[field];
  return typeof value === 'string' ? value : undefined;
}
