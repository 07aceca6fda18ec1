import type { HttpResponse } from 'uWebSockets.js';
import type { Admission, Authenticator } from '../../router/ports.ts';
import type { Shown } from '../credentials.ts';
import { ANSWERS } from '../http/doorkeeper.ts';
import { replyError } from '../http/reply.ts';
import type { Arrival, SocketData } from './arrival.ts';
import { causeOf, type Reception } from './reception.ts';
import type { UwsSocket } from './uws-socket.ts';

export interface CheckedUpgradesParts {
  authenticator: Authenticator;
  reception: Reception;
  /** An open socket, if there is one. */
  anySocket: () => UwsSocket<SocketData> | undefined;
  isDraining: () => boolean;
}

/** Requests whose sessions are being checked; more are answered 503. */
const MAX_UNDER_WAY = 10_000;

/**
 * Upgrades that wait for the session check, so that a refusal is an HTTP status: for proxies that look at it. A page in a browser cannot tell 401 from a
 * router that is down.
 */
export class CheckedUpgrades {
  readonly #parts: CheckedUpgradesParts;
  #underWay = 0;

  constructor(parts: CheckedUpgradesParts) {
    this.#parts = parts;
  }

  /** `upgrade` upgrades the request; it is called later, or never. */
  async begin(res: HttpResponse, arrival: Arrival, shown: Shown, upgrade: () => void): Promise<void> {
    let isAborted = false;
    res.onAborted(() => {
      isAborted = true;
    });
    if (this.#underWay >= MAX_UNDER_WAY) return replyError(res, 503, 'UNAVAILABLE', 'Too many connections at once');
    this.#underWay += 1;
    const admission = await this.#verify(shown, arrival.address).finally(() => {
      this.#underWay -= 1;
    });
    if (isAborted) return;
    if (this.#parts.isDraining()) {
      replyError(res, 503, 'UNAVAILABLE', 'The router is shutting down');
      return;
    }
    if (admission.kind === 'session') {
      arrival.principal = admission.principal;
      this.#upgradeNow(res, upgrade);
      return;
    }
    const cause = causeOf(admission);
    this.#parts.reception.note(cause, arrival.address);
    const { status, code, message, headers } = ANSWERS[admission.kind];
    replyError(res, status, code, message, headers);
  }

  async #verify(shown: Shown, address: string): Promise<Admission> {
    return shown.kind === 'credentials'
      ? this.#parts.authenticator.verify(shown.credentials, address)
      : { kind: 'refused' };
  }

  /**
   * In a cork of another socket. The library wants an upgrade to be in a cork and writes a warning to stderr otherwise; in a cork of its own it takes the new
   * WebSocket for an HTTP response and shuts one connection in a hundred down right after the 101 (uWebSockets issue 1928). While another
   * socket holds the cork, it leaves this one alone. Without another socket there is one warning.
   */
  #upgradeNow(res: HttpResponse, upgrade: () => void): void {
    const other = this.#parts.anySocket();
    if (other === undefined) upgrade();
    else other.cork(() => void res.cork(upgrade));
  }
}
