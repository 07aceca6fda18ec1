import * as z from 'zod';
import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import { MAX_SUBSCRIPTIONS } from '../../../proto/limits.ts';
import { streamMetadata } from '../../../proto/messages.ts';
import type { StreamAccess } from '../../router/access.ts';
import { type KnownStream, knownStream, knownStreamsOf, watchableStreamsOf } from '../../router/known-streams.ts';
import { RESERVATION_LIMITS } from '../../router/reservations.ts';
import type { Router } from '../../router/router.ts';
import type { Doorkeeper, Session } from './doorkeeper.ts';
import type { Exchange } from './exchange.ts';
import { readQuery } from './query.ts';
import { forbidden, invalid, notFound } from './refusals.ts';
import type { Routes } from './routes.ts';

export interface StreamsApiParts {
  router: Router;
  doorkeeper: Doorkeeper;
  access: StreamAccess;
}

/** Room for the largest `metadata` with each of its characters escaped, as some write it. */
const MAX_RESERVATION_BYTES = 128 * 1024;

/** A name that people read, as it may come from a device: empty ones and `null` say nothing. */
function name(maxLength: number) {
  const text = z.string().trim().max(maxLength).nullish();
  return text.transform((value) => (value === '' || value == null ? undefined : value.toWellFormed()));
}

export const reservationSchema = z.object({
  deviceName: name(128),
  deviceType: name(64),
  metadata: streamMetadata.nullish().transform((metadata) => metadata ?? {}),
});

/** As many as one connection may watch. */
const MAX_OTHERS = MAX_SUBSCRIPTIONS;

const streamListQuery = z.object({ watchable: z.enum(['true', 'false'], 'must be true or false').optional() });

/** The session's streams, in the words of `/api/streams` and in the older ones of `/api/users`. */
export function serveStreams(routes: Routes, parts: StreamsApiParts): void {
  const { doorkeeper } = parts;
  routes.add('/api/streams/list', {
    GET: doorkeeper.withSession((exchange, session) => listStreams(exchange, session, parts)),
  });
  routes.add('/api/streams/register', {
    POST: doorkeeper.withSessionAndJson(MAX_RESERVATION_BYTES, (exchange, session, value) => {
      reserve(exchange, session, value, parts);
    }),
  });
  routes.add('/api/offer', { POST: doorkeeper.withSession((exchange) => refuseOffer(exchange)) });
  routes.add('/api/users/:user/streams', {
    GET: doorkeeper.withSession(ofTheUser(parts, listUserStreams)),
  });
  routes.add('/api/users/:user/streams/:stream', {
    GET: doorkeeper.withSession(ofTheUser(parts, showStream)),
    DELETE: doorkeeper.withSession(ofTheUser(parts, deleteStream)),
  });
  routes.add('/api/users/:user', {
    DELETE: doorkeeper.withSession(ofTheUser(parts, deleteStreams)),
  });
}

function listStreams(exchange: Exchange, { principal }: Session, { router, access }: StreamsApiParts): void {
  const result = readQuery(exchange.request.query, streamListQuery);
  if (result.kind === 'problem') {
    invalid(exchange, result.problem);
    return;
  }
  const own = knownStreamsOf(router, principal.userId).map((stream) => ({
    ...inNewerWords(stream),
    reserved: stream.isReserved,
    metadata: stream.metadata,
  }));
  if (result.query.watchable !== 'true') {
    exchange.json(200, { streams: own, source: 'memory' });
    return;
  }
  // What their owners say of them beside a name is not for everybody.
  const others = watchableStreamsOf(router, access, principal.userId)
    .slice(0, MAX_OTHERS)
    .map((stream) => ({ ...inNewerWords(stream), reserved: false, metadata: {}, own: false }));
  exchange.json(200, { streams: [...own.map((stream) => ({ ...stream, own: true })), ...others], source: 'memory' });
}

function inNewerWords(stream: KnownStream) {
  return {
    id: stream.id,
    deviceName: stream.deviceName ?? null,
    deviceType: stream.deviceType ?? null,
    status: stream.status,
    lastSeen: isoTime(stream.lastSeenMs),
    createdAt: isoTime(stream.createdAtMs),
  };
}

function reserve(exchange: Exchange, { principal }: Session, value: unknown, { router }: StreamsApiParts): void {
  const result = reservationSchema.safeParse(value ?? {});
  if (!result.success) {
    const issue = result.error.issues[0];
    invalid(exchange, `${String(issue?.path[0] ?? 'body')}: ${issue?.message ?? 'invalid'}`);
    return;
  }
  try {
    const { streamId } = router.streams.reserve(principal.userId, result.data);
    const message = 'The name is kept for you: register on a WebSocket with this streamId';
    exchange.json(201, { streamId, message, status: 'offline', unusedForMs: RESERVATION_LIMITS.unusedMs });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    // The code is the same as on a WebSocket.
    if (error.code === ErrorCode.unavailable) exchange.error(503, error.code, error.message, { 'retry-after': '60' });
    else exchange.error(429, error.code, error.message);
  }
}

/** WebRTC is not spoken here; a client that asks for it learns what is. */
function refuseOffer(exchange: Exchange): void {
  const message =
    'No WebRTC here: send JPEG frames over the WebSocket /streams/register, and watch them on /streams/subscribe';
  exchange.error(501, 'NOT_IMPLEMENTED', message);
}

/** Paths that name a user: it must be the session's. */
function ofTheUser(
  parts: StreamsApiParts,
  handler: (exchange: Exchange, userId: string, parts: StreamsApiParts) => void,
) {
  return (exchange: Exchange, { principal }: Session): void => {
    if (exchange.parameters[0] === principal.userId) handler(exchange, principal.userId, parts);
    else forbidden(exchange, parts.router, 'The path names another user than the session’s');
  };
}

function listUserStreams(exchange: Exchange, userId: string, { router }: StreamsApiParts): void {
  exchange.json(200, { user_id: userId, streams: knownStreamsOf(router, userId).map(inOlderWords) });
}

function showStream(exchange: Exchange, userId: string, { router }: StreamsApiParts): void {
  const [, streamId = ''] = exchange.parameters;
  const stream = knownStream(router, streamId);
  if (stream === undefined) notFound(exchange, NO_SUCH_STREAM);
  else if (stream.ownerId !== userId) forbidden(exchange, router, ANOTHERS);
  else exchange.json(200, { user_id: userId, ...inOlderWords(stream) });
}

function deleteStream(exchange: Exchange, userId: string, { router }: StreamsApiParts): void {
  const [, streamId = ''] = exchange.parameters;
  const ownerId = router.streams.ownerOf(streamId);
  if (ownerId === undefined) notFound(exchange, NO_SUCH_STREAM);
  else if (ownerId !== userId) forbidden(exchange, router, ANOTHERS);
  else {
    router.streams.delete(streamId, userId);
    exchange.json(200, { user_id: userId, stream_id: streamId, status: 'deleted' });
  }
}

function deleteStreams(exchange: Exchange, userId: string, { router }: StreamsApiParts): void {
  const own = knownStreamsOf(router, userId).map(({ id }) => id);
  for (const id of own) router.streams.delete(id, userId);
  exchange.json(200, { user_id: userId, deleted: own });
}

const NO_SUCH_STREAM = 'No such stream is live or reserved';
const ANOTHERS = 'The stream is another user’s';

function inOlderWords(stream: KnownStream) {
  return {
    stream_id: stream.id,
    status: stream.status,
    device_name: stream.deviceName ?? null,
    device_type: stream.deviceType ?? null,
    created_at: isoTime(stream.createdAtMs),
    last_seen: isoTime(stream.lastSeenMs),
    reserved: stream.isReserved,
    metadata: stream.metadata,
  };
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
