import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import { ALL_STREAMS } from '../../../proto/limits.ts';
import type { AuthMessage, ControlMessage } from '../../../proto/messages.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type { Admission, Authenticator, Clock, SessionWatch, StreamOwners } from '../../router/ports.ts';
import type { Streams } from '../../router/streams.ts';
import { TokenBucket } from '../../router/token-bucket.ts';
import type { Connection } from './connection.ts';

export interface LookUpsParts {
  authenticator: Authenticator;
  sessionWatch: SessionWatch;
  owners: StreamOwners | undefined;
  streams: Streams;
  clock: Clock;
}

/** A wall of 1,000 streams, and again a little later. */
const LOOK_UPS_PER_SECOND = 500;
const LOOK_UPS_BURST = 5_000;

/** What must be looked up before a message can be handled. While it is, its connection's further messages wait. */
export class LookUps {
  readonly #parts: LookUpsParts;

  constructor(parts: LookUpsParts) {
    this.#parts = parts;
  }

  /**
   * A new session for a connection that has one: what the promise answers renews it.
   * @throws ProtocolError `RATE_LIMITED` while another one is looked up.
   */
  renewal(connection: Connection, address: string, { token }: AuthMessage): Promise<() => void> {
    if (connection.isRenewing) throw new ProtocolError(ErrorCode.rateLimited, 'auth: one at a time');
    connection.isRenewing = true;
    const verified = this.#parts.authenticator.verify({ kind: 'token', token }, address).finally(() => {
      connection.isRenewing = false;
    });
    return verified.then((admission) => () => this.#renew(connection, admission));
  }

  /**
   * The owners of streams that are not live. Undefined: nothing need be looked up. Without the database nobody registers a name that may be
   * another's; who subscribes to one waits for it as ever, and is checked when it is there.
   * @throws ProtocolError `RATE_LIMITED` to who asks for ever new names.
   */
  owners(connection: Connection, control: ControlMessage, act: () => void): Promise<() => void> | undefined {
    const { owners, streams, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (owners === undefined) return undefined;
    const named = idsIn(control).filter((id) => id !== ALL_STREAMS && streams.get(id) === undefined);
    const unknown = owners.unknownOf(named);
    if (unknown.length === 0) return undefined;
    connection.lookUps ??= new TokenBucket(LOOK_UPS_PER_SECOND, LOOK_UPS_BURST, nowMs);
    if (!connection.lookUps.has(unknown.length, nowMs)) {
      throw new ProtocolError(ErrorCode.rateLimited, 'streamId: too many names at once, try again in a few seconds');
    }
    connection.lookUps.take(unknown.length);
    // Without an answer `register` says so, and `subscribe` waits.
    return owners.load(unknown).then(() => act);
  }

  #renew(connection: Connection, admission: Admission): void {
    const { sessionWatch, clock } = this.#parts;
    const { peer } = connection;
    switch (admission.kind) {
      case 'refused':
        throw new ProtocolError(ErrorCode.unauthorized, 'token: no good session; the connection keeps the one it has');
      case 'limited':
        throw new ProtocolError(ErrorCode.rateLimited, 'auth: too many failed attempts from your address');
      case 'unavailable':
        throw new ProtocolError(ErrorCode.unavailable, 'auth: sessions cannot be checked now, try again');
    }
    const { userId, sessionId } = admission.principal;
    if (userId !== peer.principal.userId) {
      throw new ProtocolError(ErrorCode.unauthorized, 'token: it is another user’s than this connection’s');
    }
    sessionWatch.remove(connection.sessionId, connection);
    connection.sessionId = sessionId;
    sessionWatch.add(sessionId, connection);
    peer.tell(authenticated(clock));
  }
}

/** The answer to `auth`. */
export function authenticated(clock: Clock): Outgoing {
  return new Outgoing({ type: 'success', message: 'Authentication successful', timestamp: clock.epochMs() });
}

function idsIn(control: ControlMessage): readonly string[] {
  if (control.type === 'subscribe')
    return control.streamIds ?? (control.streamId === undefined ? [] : [control.streamId]);
  return control.type === 'register' && control.streamId !== undefined ? [control.streamId] : [];
}
