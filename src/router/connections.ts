import type { ConnectionRow, FedStream, WatchedStream } from './connection-row.ts';
import { highest } from './highest.ts';
import type { OpenConnection } from './open-connection.ts';
import type { Clock } from './ports.ts';
import type { Router } from './router.ts';
import { slownessOf, slownessOfViewing } from './slowness.ts';
import type { EncoderLink } from './stream.ts';
import type { Viewer } from './viewer.ts';
import type { Viewing } from './viewing.ts';

/** Who looks: whoever runs the router, and sees all; or a user, who sees their own connections and what watches their streams. */
export type Onlooker = { kind: 'operator' } | { kind: 'user'; userId: string };

export interface ConnectionPage {
  /** The slowest first. */
  connections: ConnectionRow[];
  /** How many there are to see. */
  total: number;
  /** There are more than these. */
  more: boolean;
  /** When it was looked at, ms since the epoch. */
  at: number;
}

/** Subscriptions that one answer shows of a connection, and of all of them together: 1,000 walls of 300 streams would be 70 MB. */
const MAX_SUBSCRIPTIONS_SHOWN = 20;
const MAX_SUBSCRIPTIONS_IN_ALL = 4_000;

export interface ConnectionPageParts {
  connections: Iterable<OpenConnection>;
  onlooker: Onlooker;
  /** Most rows. */
  limit: number;
  router: Pick<Router, 'streams'>;
  clock: Clock;
}

/**
 * What is connected just now, as far as the onlooker may see it. Everything is collected in this call, and only for the rows that are shown: nothing is kept up
 * to date on the way of a frame for it.
 */
export function connectionPage({ connections, onlooker, limit, router, clock }: ConnectionPageParts): ConnectionPage {
  const nowMs = clock.monotonicMs();
  const seen = onlooker.kind === 'operator' ? [...connections] : seenBy(onlooker.userId, connections, router);
  const shown = highest(seen, (connection) => slownessOf(connection, nowMs), limit);
  const table = new Table(onlooker, router, clock, Math.floor(MAX_SUBSCRIPTIONS_IN_ALL / Math.max(1, shown.length)));
  return {
    connections: shown.map((connection) => table.row(connection)),
    total: seen.length,
    more: seen.length > shown.length,
    at: clock.epochMs(),
  };
}

/** A user's own connections, and those of others that watch a stream of theirs. */
function seenBy(userId: string, connections: Iterable<OpenConnection>, router: Pick<Router, 'streams'>) {
  const watchers = new Set<Viewer>();
  for (const { ownerId, audience } of router.streams.all) {
    if (ownerId === userId) for (const { viewer } of audience.viewings) watchers.add(viewer);
  }
  const seen: OpenConnection[] = [];
  for (const connection of connections) {
    const { side } = connection;
    if (isOwn(connection, userId) || (side.role === 'viewer' && watchers.has(side.viewer))) seen.push(connection);
  }
  return seen;
}

function isOwn({ peer, side }: OpenConnection, userId: string): boolean {
  return peer.principal.userId === userId && !(side.role === 'viewer' && side.viewer.isService);
}

/** Writes rows, all of them for one onlooker and one moment. */
class Table {
  readonly #onlooker: Onlooker;
  readonly #router: Pick<Router, 'streams'>;
  readonly #nowMs: number;
  readonly #epochMs: number;
  readonly #maxSubscriptions: number;

  constructor(onlooker: Onlooker, router: Pick<Router, 'streams'>, clock: Clock, maxSubscriptions: number) {
    this.#onlooker = onlooker;
    this.#router = router;
    this.#nowMs = clock.monotonicMs();
    this.#epochMs = clock.epochMs();
    this.#maxSubscriptions = Math.min(MAX_SUBSCRIPTIONS_SHOWN, maxSubscriptions);
  }

  row(connection: OpenConnection): ConnectionRow {
    const { id, side, peer, transport, path, address, sinceMs, rttMs } = connection;
    const isService = side.role === 'viewer' && side.viewer.isService;
    return {
      id: `${id}`,
      role: isService ? 'ml' : ROLES[side.role],
      // Who watches one's camera one may know; anything else of theirs one may not.
      userId: isService ? null : peer.principal.userId,
      transport,
      path,
      encoding: transport === 'websocket' ? peer.encoding : null,
      connectedAtMs: Math.round(this.#epochMs - (this.#nowMs - sinceMs)),
      ...(this.#onlooker.kind === 'operator' ? { address } : {}),
      waitingBytes: peer.waitingBytes,
      rttMs: rttMs ?? null,
      ...(side.role === 'encoder' ? { stream: this.#fed(side.link) } : {}),
      ...(side.role === 'viewer' ? this.#watched(connection, side.viewer) : {}),
    };
  }

  #fed({ stream, rejected, seqBefore, askedFps }: EncoderLink): FedStream | null {
    if (stream === undefined) return null;
    const { notYours, rate, invalid } = rejected;
    const isFirst = stream.seq === 0;
    const timestamp = stream.newest.timestamp();
    const frameAgeMs = this.#nowMs - stream.lastFrameMs;
    return {
      streamId: stream.id,
      status: stream.status,
      receivedFrames: stream.seq - seqBefore + notYours + rate + invalid,
      rejected: { notYours, rate, invalid },
      limitFps: stream.limit.maxFps,
      askedFps: askedFps ?? null,
      viewers: stream.audience.viewings.size,
      lastFrameAgeMs: isFirst ? null : Math.round(frameAgeMs),
      arrivedAfterMs: timestamp === undefined ? null : Math.round(this.#epochMs - frameAgeMs - timestamp),
    };
  }

  #watched(connection: OpenConnection, viewer: Viewer): Pick<ConnectionRow, 'subscriptions' | 'subscriptionCount'> {
    const onlooker = this.#onlooker;
    const seesAll = onlooker.kind === 'operator' || isOwn(connection, onlooker.userId);
    const all = [...viewer.viewings.values()];
    const seen = seesAll ? all : all.filter(({ streamId }) => this.#ownerOf(streamId) === onlooker.userId);
    const slowest = highest(seen, (viewing) => slownessOfViewing(viewing, this.#nowMs), this.#maxSubscriptions);
    return { subscriptions: slowest.map((viewing) => this.#subscription(viewing)), subscriptionCount: seen.length };
  }

  #ownerOf(streamId: string): string | undefined {
    return this.#router.streams.get(streamId)?.ownerId;
  }

  #subscription(viewing: Viewing): WatchedStream {
    const { streamId, audience, wish, tally, window } = viewing;
    audience?.count(viewing);
    const { offered, delivered, dropped, inFlight } = tally;
    const { lastDeliveredMs } = viewing;
    return {
      streamId,
      isLive: audience !== undefined,
      maxFps: wish.maxFps ?? null,
      window: wish.window ?? null,
      offered,
      delivered,
      dropped: { ...dropped },
      inFlight,
      unackedForMs: window?.unackedForMs(this.#nowMs) ?? null,
      lastDeliveredAgeMs: lastDeliveredMs === undefined ? null : Math.max(0, Math.floor(this.#nowMs) - lastDeliveredMs),
    };
  }
}

const ROLES = { encoder: 'encoder', viewer: 'viewer', listener: 'alerts', open: 'unnamed' } as const;
