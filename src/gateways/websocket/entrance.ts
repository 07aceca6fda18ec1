import type { Admission, Authenticator, Credentials, Principal } from '../../router/ports.ts';
import { isServiceToken } from '../service-token.ts';
import type { Door } from './doors.ts';
import type { RefusalCause } from './refusals.ts';

/** Whom a connection speaks for: a session's user; somebody who was not asked, see `Guests`; or the ML service, which is no user. */
export interface Entrant {
  standing: 'user' | 'guest' | 'service';
  principal: Principal;
}

export type Entry =
  | { kind: 'entrant'; entrant: Entrant }
  /** What it showed is no good session, as far as anybody can tell. */
  | { kind: 'unknown'; cause: RefusalCause }
  /** It is known, and may not come in here. */
  | { kind: 'refused'; cause: RefusalCause };

export interface EntranceParts {
  authenticator: Authenticator;
  /** What the ML service shows; undefined: nobody is the ML service. */
  serviceToken: string | undefined;
  allowsMlClients: boolean;
}

/** Its name counts its connections. It opens nothing, and is no user's: what the service may do lies in its standing. */
const SERVICE: Entrant = { standing: 'service', principal: { userId: 'ml-service', sessionId: undefined } };

/** Who may come in at which door. */
export class Entrance {
  readonly #parts: EntranceParts;

  constructor(parts: EntranceParts) {
    this.#parts = parts;
  }

  /** Never rejects. */
  async check(door: Door, credentials: Credentials, address: string): Promise<Entry> {
    const { authenticator, allowsMlClients } = this.#parts;
    if (this.#isService(credentials, address)) {
      if (door.kind === 'either') return allowsMlClients ? { kind: 'entrant', entrant: SERVICE } : refused('mlClients');
      if (allowsMlClients && door.kind !== 'alerts') return refused('wrongDoor');
    }
    const admission = await authenticator.verify(credentials, address);
    if (admission.kind !== 'session') return { kind: 'unknown', cause: causeOf(admission) };
    const { principal } = admission;
    if (door.kind === 'alerts' && door.userId !== principal.userId) return refused('foreignPath');
    return { kind: 'entrant', entrant: { standing: 'user', principal } };
  }

  /** Not while too many attempts of the address have failed: nobody shall find the token by trying. */
  #isService(credentials: Credentials, address: string): boolean {
    const { authenticator, serviceToken } = this.#parts;
    if (credentials.kind !== 'token' || credentials.isCookie || authenticator.isLimited(address)) return false;
    return isServiceToken(credentials.token, serviceToken);
  }
}

/** What a door does with credentials that open nothing. */
export function causeOf(admission: Exclude<Admission, { kind: 'session' }>): RefusalCause {
  switch (admission.kind) {
    case 'refused':
      return 'unauthorized';
    case 'unavailable':
      return 'unavailable';
    case 'limited':
      return 'failures';
  }
}

function refused(cause: RefusalCause): Entry {
  return { kind: 'refused', cause };
}
