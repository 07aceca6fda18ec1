import { mayWatch, type StreamAccess } from '../../router/access.ts';
import type { Clock } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { Stream } from '../../router/stream.ts';
import type { Doorkeeper, Session } from '../http/doorkeeper.ts';
import type { Exchange } from '../http/exchange.ts';
import { forbidden, notFound } from '../http/refusals.ts';
import type { Headers } from '../http/reply.ts';
import type { Routes } from '../http/routes.ts';

export interface SnapshotParts {
  router: Router;
  doorkeeper: Doorkeeper;
  access: StreamAccess;
  clock: Clock;
  /** Another one each time the router starts, of characters that may stand in an `ETag`. */
  startId: string;
}

/** `GET /streams/{id}/snapshot.jpg`: the newest picture, or 304 for who has it. */
export function serveSnapshots(routes: Routes, parts: SnapshotParts): void {
  const arrivals = new Arrivals(parts.clock);
  routes.add('/streams/:stream/snapshot.jpg', {
    GET: parts.doorkeeper.withSession((exchange, session) => sendSnapshot(exchange, session, parts, arrivals)),
  });
}

/** Undefined: it is not live, or not this user's to watch, which is answered. */
export function findWatchable(
  exchange: Exchange,
  { principal }: Session,
  { router, access }: Pick<SnapshotParts, 'router' | 'access'>,
): Stream | undefined {
  const [streamId = ''] = exchange.parameters;
  const stream = router.streams.get(streamId);
  if (stream === undefined) notFound(exchange, 'No such stream is live');
  else if (!mayWatch(access, principal.userId, stream.ownerId)) {
    forbidden(exchange, router, 'The stream is another user’s');
  } else return stream;
  return undefined;
}

function sendSnapshot(exchange: Exchange, session: Session, parts: SnapshotParts, arrivals: Arrivals): void {
  const stream = findWatchable(exchange, session, parts);
  if (stream === undefined) return;
  const { newest } = stream;
  if (newest.byteLength === 0) {
    notFound(exchange, NO_FRAME);
    return;
  }
  const cameInMs = arrivals.of(stream);
  // The stream's key differs from that of one of the same name before it, and the start's from that of another router.
  const tag = `"${parts.startId}-${stream.key}-${stream.seq}"`;
  const headers: Headers = {
    age: `${Math.floor((parts.clock.monotonicMs() - stream.lastFrameMs) / 1000)}`,
    // It may be kept, and must be asked for again: so 304 can save its bytes.
    'cache-control': 'private, no-cache',
    etag: tag,
    'last-modified': new Date(cameInMs).toUTCString(),
  };
  if (isKnown(exchange, tag, cameInMs)) {
    exchange.bytes(304, '', headers);
    return;
  }
  const jpeg = newest.jpeg();
  if (jpeg === undefined) notFound(exchange, NO_FRAME);
  else exchange.bytes(200, jpeg, { 'content-type': 'image/jpeg', ...headers });
}

const NO_FRAME = 'The stream has had no frame yet';

/**
 * When newest frames came in, in whole seconds as HTTP knows them; ms since the epoch. Worked out once for each: the time that has passed since is not known so well
 * that one between two seconds would never move to the other.
 */
class Arrivals {
  readonly #clock: Clock;
  readonly #known = new WeakMap<Stream, { seq: number; cameInMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(stream: Stream): number {
    const known = this.#known.get(stream);
    if (known?.seq === stream.seq) return known.cameInMs;
    const exactMs = this.#clock.epochMs() - (this.#clock.monotonicMs() - stream.lastFrameMs);
    const cameInMs = Math.floor(exactMs / 1000) * 1000;
    this.#known.set(stream, { seq: stream.seq, cameInMs });
    return cameInMs;
  }
}

/** Whether the client says that it has this very picture. */
function isKnown(exchange: Exchange, tag: string, cameInMs: number): boolean {
  const tags = exchange.header('if-none-match');
  if (tags !== '') return tags.trim() === '*' || tagsIn(tags).includes(tag);
  const sinceMs = Date.parse(exchange.header('if-modified-since'));
  return !Number.isNaN(sinceMs) && cameInMs <= sinceMs;
}

/** Weak ones as if they were strong: that is how `If-None-Match` compares. */
function tagsIn(list: string): readonly string[] {
  return list.match(/"[^"]*"/g) ?? [];
}
