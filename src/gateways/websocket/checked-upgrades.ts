import type { HttpResponse } from 'uWebSockets.js';
import type { Shown } from '../credentials.ts';
import { ANSWERS } from '../http/doorkeeper.ts';
import { type Headers, replyError } from '../http/reply.ts';
import type { Arrival, SocketData } from './arrival.ts';
import type { Entrance, Entry } from './entrance.ts';
import { REFUSALS, type RefusalCause, type Refusals } from './refusals.ts';
import type { UwsSocket } from './uws-socket.ts';

export interface CheckedUpgradesParts {
  entrance: Entrance;
  refusals: Refusals;
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
    const entry = await this.#check(shown, arrival).finally(() => {
      this.#underWay -= 1;
    });
    if (isAborted) return;
    if (this.#parts.isDraining()) {
      replyError(res, 503, 'UNAVAILABLE', 'The router is shutting down');
      return;
    }
    if (entry.kind === 'entrant') {
      arrival.entrant = entry.entrant;
      this.#upgradeNow(res, upgrade);
      return;
    }
    this.#parts.refusals.note(entry.cause, arrival.address);
    const { status, code, message, headers } = answerTo(entry.cause);
    replyError(res, status, code, message, headers);
  }

  async #check(shown: Shown, { door, address }: Arrival): Promise<Entry> {
    return shown.kind === 'credentials'
      ? this.#parts.entrance.check(door, shown.credentials, address)
      : { kind: 'unknown', cause: 'unauthorized' };
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

function answerTo(cause: RefusalCause): { status: number; code: string; message: string; headers?: Headers } {
  switch (cause) {
    case 'unavailable':
      return ANSWERS.unavailable;
    case 'failures':
      return ANSWERS.limited;
    case 'foreignPath':
    case 'mlClients':
      return { status: 403, ...REFUSALS[cause] };
    case 'wrongDoor':
      return { status: 400, ...REFUSALS[cause] };
    default:
      return ANSWERS.refused;
  }
}
