import { ErrorCode, ProtocolError } from '../../proto/errors.ts';
import { MAX_SUBSCRIPTIONS } from '../../proto/limits.ts';
import { mayWatch, type StreamAccess } from './access.ts';
import type { Counters } from './counters.ts';
import type { StreamOwners } from './ports.ts';
import type { Reservations } from './reservations.ts';
import type { Stream } from './stream.ts';
import type { Viewer } from './viewer.ts';

export interface WatchRuleParts {
  access: StreamAccess;
  /** Who owns streams that are not live, where somebody knows. */
  owners: StreamOwners | undefined;
  reservations: Reservations;
  maxViewersPerStream: number;
  counters: Counters;
}

/** Who may watch what, and how many. */
export class WatchRules {
  readonly #parts: WatchRuleParts;

  constructor(parts: WatchRuleParts) {
    this.#parts = parts;
  }

  /** Why the viewer may not watch it now. `stream`: undefined while it is not there; whose it will be, a reservation or the web app may say. */
  objection(viewer: Viewer, streamId: string, stream: Stream | undefined): ProtocolError | undefined {
    const { access, owners, reservations, maxViewersPerStream, counters } = this.#parts;
    const { userId } = viewer.peer.principal;
    const awaitedOf = () => reservations.get(streamId)?.ownerId ?? owners?.known(streamId)?.userId;
    const ownerId = stream?.ownerId ?? awaitedOf() ?? userId;
    if (!viewer.isService && !mayWatch(access, userId, ownerId)) return unauthorized(streamId);
    const viewings = stream?.audience.viewings;
    if (viewings === undefined || viewings.size < maxViewersPerStream) return undefined;
    const own = viewer.viewings.get(streamId);
    if (own !== undefined && viewings.has(own)) return undefined;
    counters.viewersRefused += 1;
    const message = `streamId: ${streamId} has ${viewings.size} viewers, as many as it may have`;
    return new ProtocolError(ErrorCode.tooManyConnections, message, streamId);
  }
}

/** The connection has all the subscriptions it may have. */
export function tooMany(streamId: string): ProtocolError {
  const message = `streamId: one connection watches at most ${MAX_SUBSCRIPTIONS} streams`;
  return new ProtocolError(ErrorCode.routingError, message, streamId);
}

function unauthorized(streamId: string): ProtocolError {
  return new ProtocolError(ErrorCode.unauthorized, `streamId: ${streamId} is not yours to watch`, streamId);
}
