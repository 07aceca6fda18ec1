import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import { ALL_STREAMS } from '../../../proto/limits.ts';
import type { AuthMessage } from '../../../proto/messages.ts';
import type { Admission, Authenticator, Clock, SessionWatch, StreamOwners } from '../../router/ports.ts';
import type { Streams } from '../../router/streams.ts';
import { TokenBucket } from '../../router/token-bucket.ts';
import { isServiceToken } from '../service-token.ts';
import type { Connection } from './connection.ts';
import type { RoutedMessage } from './control.ts';

export interface LookUpsParts {
  authenticator: Authenticator;
  sessionWatch: SessionWatch;
  owners: StreamOwners | undefined;
  streams: Streams;
  clock: Clock;
  /** What the ML service shows. */
  serviceToken: string | undefined;
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
   * A new session for a connection that has one: what the promise answers renews it. The ML service has none; it may show its token again.
   * @throws ProtocolError `RATE_LIMITED` while another one is looked up.
   */
  renewal(connection: Connection, address: string, { token }: AuthMessage): Promise<() => void> {
    if (connection.standing === 'service') return Promise.resolve(() => this.#recognise(connection, address, token));
    if (connection.isRenewing) throw new ProtocolError(ErrorCode.rateLimited, 'auth: one at a time');
    connection.isRenewing = true;
    const verified = this.#parts.authenticator.verify({ kind: 'token', token }, address).finally(() => {
      connection.isRenewing = false;
    });
    return verified.then((admission) => () => this.#renew(connection, admission));
  }

  /**
   * The owners of streams that are neither live nor reserved. Undefined: nothing need be looked up. Without the database nobody registers a name that may be
   * another's; who subscribes to one waits for it as ever, and is checked when it is there.
   * @throws ProtocolError `RATE_LIMITED` to who asks for ever new names.
   */
  owners(connection: Connection, control: RoutedMessage, act: () => void): Promise<() => void> | undefined {
    const { owners, streams, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (owners === undefined) return undefined;
    const named = idsIn(control).filter((id) => id !== ALL_STREAMS && streams.ownerOf(id) === undefined);
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

  #recognise(connection: Connection, address: string, token: string): void {
    const { authenticator, serviceToken } = this.#parts;
    if (authenticator.isLimited(address)) throw tooManyFailures();
    if (isServiceToken(token, serviceToken)) {
      connection.authenticated();
      return;
    }
    authenticator.failed(address);
    throw new ProtocolError(ErrorCode.unauthorized, 'token: not the service’s; the connection stays the service’s');
  }

  #renew(connection: Connection, admission: Admission): void {
    const { sessionWatch } = this.#parts;
    const { peer } = connection;
    switch (admission.kind) {
      case 'refused':
        throw new ProtocolError(ErrorCode.unauthorized, 'token: no good session; the connection keeps the one it has');
      case 'limited':
        throw tooManyFailures();
      case 'unavailable':
        throw new ProtocolError(ErrorCode.unavailable, 'auth: sessions cannot be checked now, try again');
    }
    const { userId, sessionId } = admission.principal;
    if (userId !== peer.principal.userId) {
      throw new ProtocolError(ErrorCode.unauthorized, 'token: it is another user’s than this connection’s');
    }
    if (connection.sessionId !== undefined) sessionWatch.remove(connection.sessionId, connection);
    connection.sessionId = sessionId;
    if (sessionId !== undefined) sessionWatch.add(sessionId, connection);
    connection.authenticated();
  }
}

function tooManyFailures(): ProtocolError {
  return new ProtocolError(ErrorCode.rateLimited, 'auth: too many failed attempts from your address');
}

function idsIn(control: RoutedMessage): readonly string[] {
  if (control.type === 'subscribe')
    return control.streamIds ?? (control.streamId === undefined ? [] : [control.streamId]);
  return control.type === 'register' && control.streamId !== undefined ? [control.streamId] : [];
}
