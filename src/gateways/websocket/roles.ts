import { ErrorCode, invalid, ProtocolError } from '../../../proto/errors.ts';
import { MAX_SINCE_LENGTH } from '../../../proto/limits.ts';
import type { AlertListener } from '../../router/alert-listeners.ts';
import type { FrameTally } from '../../router/frame-tally.ts';
import type { After } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import { Viewer } from '../../router/viewer.ts';
import type { Connection } from './connection.ts';
import type { RoutedMessage } from './control.ts';
import { ML_CLIENTS_ELSEWHERE, NO_ML_CLIENTS } from './refusals.ts';
import type { OpenSide } from './side.ts';

/** A page that connects and says nothing for so long wants to be told of alerts, as an original hook does. */
const LISTEN_AFTER_MS = 1_000;

export interface RolesParts {
  router: Router;
  after: After;
  allowsMlClients: boolean;
}

/** What connections are for: as their door says, or their first message, until they are gone. */
export class Roles {
  readonly #parts: RolesParts;

  constructor(parts: RolesParts) {
    this.#parts = parts;
  }

  /**
   * It was let in. `wasSilent`: after it had been silent for a while.
   * @throws ProtocolError `INVALID_MESSAGE` for a `since` that is none; it listens all the same.
   */
  begin(connection: Connection, wasSilent: boolean): void {
    const { side, door, standing } = connection;
    if (side.role === 'listener') this.#replay(side.listener, door.kind === 'alerts' ? door.since : undefined);
    // The ML service is no user, so no alerts are its to hear.
    if (side.role !== 'open' || standing === 'service') return;
    if (wasSilent) this.#listen(connection, side);
    else side.cancelListening = this.#parts.after(LISTEN_AFTER_MS, () => this.#listen(connection, side));
  }

  /**
   * Before a message is handled: the first `register` or `subscribe` says what an open connection is for. Whether it is then granted or not.
   * @throws ProtocolError `UNAUTHORIZED` for an ML service without the service token, and for who has that and wants something else; `INVALID_MESSAGE` for an
   * ML service that came to another door.
   */
  settle(connection: Connection, control: RoutedMessage): void {
    const { side, peer } = connection;
    if (control.type !== 'register' && control.type !== 'subscribe') return;
    if (side.role === 'encoder' || side.role === 'listener') return;
    const isService = control.type === 'subscribe' && control.clientType === 'ml-service';
    if (isService) this.#checkService(connection);
    else if (connection.standing === 'service') {
      throw new ProtocolError(ErrorCode.unauthorized, `type: with the service token only subscribe, as an ml-service`);
    }
    if (side.role !== 'open') return;
    this.#leave(side);
    connection.side =
      control.type === 'register'
        ? { role: 'encoder', link: side.link }
        : { role: 'viewer', viewer: new Viewer(peer, isService) };
  }

  /** It is gone. Answers what became of the frames that a viewer was to get. */
  end({ side }: Connection): FrameTally | undefined {
    const { router } = this.#parts;
    switch (side.role) {
      case 'viewer':
        return router.viewers.gone(side.viewer);
      case 'encoder':
        router.streams.encoderGone(side.link);
        return undefined;
      case 'listener':
        router.listeners.remove(side.listener);
        return undefined;
      case 'open':
        this.#leave(side);
        return undefined;
    }
  }

  #replay(listener: AlertListener, since: string | null | undefined): void {
    const isId = typeof since === 'string' && since.length <= MAX_SINCE_LENGTH;
    this.#parts.router.listeners.add(listener, isId ? since : undefined);
    if (!isId && since !== undefined) throw invalid(`since: must be one id, of 1 to ${MAX_SINCE_LENGTH} characters`);
  }

  #listen({ peer }: Connection, side: OpenSide): void {
    side.cancelListening = undefined;
    side.listener = { peer, shape: 'alert' };
    this.#parts.router.listeners.add(side.listener);
  }

  #leave(side: OpenSide): void {
    side.cancelListening?.();
    side.cancelListening = undefined;
    if (side.listener !== undefined) this.#parts.router.listeners.remove(side.listener);
    side.listener = undefined;
  }

  #checkService({ door, standing }: Connection): void {
    if (door.kind !== 'either') throw invalid(ML_CLIENTS_ELSEWHERE);
    if (!this.#parts.allowsMlClients) throw new ProtocolError(ErrorCode.unauthorized, NO_ML_CLIENTS);
    if (standing !== 'user') return;
    throw new ProtocolError(ErrorCode.unauthorized, 'clientType: ml-service needs the service token, and no session');
  }
}
