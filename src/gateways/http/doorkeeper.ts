import type { Admission, Authenticator, Log, Verification } from '../../router/ports.ts';
import { findCredentials, type Origins, type Shown } from '../credentials.ts';
import type { Guests } from '../guests.ts';
import { isServiceToken } from '../service-token.ts';
import type { Exchange } from './exchange.ts';
import type { Handler } from './routes.ts';

export type Session = Extract<Verification, { kind: 'session' }>;

/** Who a request speaks for, where those who run the router may come in as well. */
export type OperatorOrSession = { kind: 'operator' } | Session;

export interface DoorkeeperParts {
  authenticator: Authenticator;
  allowedOrigins: Origins;
  /** Lets everybody in; undefined: nobody without a good session. */
  guests?: Guests | undefined;
  /** What the ML service shows; undefined: it may not call. */
  serviceToken: string | undefined;
  /** What those show who run the router; undefined: nobody sees more than a user does. */
  opsToken: string | undefined;
  log: Log;
  /** Counts who is turned away. */
  refused: (admission: Exclude<Admission, { kind: 'session' }>, address: string) => void;
}

export interface DoorOptions {
  /** Whether a ticket opens it. Default true. */
  tickets?: boolean;
}

/** The door of every HTTP path that needs a session, or the service token. */
export class Doorkeeper {
  readonly #parts: DoorkeeperParts;

  constructor(parts: DoorkeeperParts) {
    this.#parts = parts;
  }

  /** Calls `handler` for who has a good session; everybody else is answered. */
  withSession(handler: (exchange: Exchange, session: Session) => void, { tickets = true }: DoorOptions = {}): Handler {
    return {
      needs: 'session',
      handle: (exchange) => {
        this.#answer(exchange, async () => {
          const session = await this.#session(exchange, tickets);
          if (session !== undefined) handler(exchange, session);
        });
      },
    };
  }

  /** The same for who shows the token of those who run the router, too. One that is not theirs may still be a session's. */
  withSessionOrOpsToken(handler: (exchange: Exchange, who: OperatorOrSession) => void): Handler {
    const { authenticator, opsToken } = this.#parts;
    return {
      needs: 'session or ops token',
      handle: (exchange) => {
        this.#answer(exchange, async () => {
          // Not while too many attempts of the address have failed: nobody shall find the token by trying.
          const isOperator = shows(exchange, opsToken) && !authenticator.isLimited(exchange.address);
          const who = isOperator ? OPERATOR : await this.#session(exchange, true);
          if (who !== undefined) handler(exchange, who);
        });
      },
    };
  }

  /** The same for what comes with JSON of at most `maxBytes`. `value` undefined: the body was empty. */
  withSessionAndJson(
    maxBytes: number,
    handler: (exchange: Exchange, session: Session, value: unknown) => void,
  ): Handler {
    return {
      needs: 'session',
      handle: (exchange) => {
        const arriving = exchange.body(maxBytes);
        this.#answer(exchange, async () => {
          const session = await this.#session(exchange, true);
          if (session === undefined) return;
          const body = await arriving;
          const json = body === undefined ? undefined : exchange.readJson(body);
          if (json !== undefined) handler(exchange, session, json.value);
        });
      },
    };
  }

  /** Calls `handler` for the ML service. */
  withServiceToken(handler: (exchange: Exchange) => Promise<void>): Handler {
    const { authenticator, serviceToken } = this.#parts;
    return {
      needs: 'service token',
      handle: (exchange) => {
        this.#answer(exchange, async () => {
          if (authenticator.isLimited(exchange.address)) {
            this.#turnAway(exchange, { kind: 'limited' });
          } else if (shows(exchange, serviceToken)) {
            await handler(exchange);
          } else {
            authenticator.failed(exchange.address);
            this.#turnAway(exchange, { kind: 'refused' });
          }
        });
      },
    };
  }

  /** What nobody foresaw is a line in the log and a 500, and no end of the process. */
  #answer(exchange: Exchange, action: () => Promise<void>): void {
    action().catch((error: unknown) => {
      this.#parts.log('error', { err: error }, 'a request could not be answered');
      exchange.error(500, 'INTERNAL_ERROR', 'The router could not answer this request');
    });
  }

  /** Undefined: there is none, which is answered. */
  async #session(exchange: Exchange, tickets: boolean): Promise<Session | undefined> {
    const admission = await this.#admit(exchange, tickets);
    if (admission.kind === 'session') return admission;
    this.#turnAway(exchange, admission);
    return undefined;
  }

  async #admit(exchange: Exchange, tickets: boolean): Promise<Admission> {
    const { guests, allowedOrigins } = this.#parts;
    if (guests === undefined) return this.#verify(findCredentials(exchange.request, allowedOrigins), exchange, tickets);
    const shown = guests.credentialsIn(exchange.request);
    const admission = await this.#verify(shown, exchange, tickets);
    if (shown.kind === 'rejected' || admission.kind === 'session') return admission;
    const principal = guests.principalAt(exchange.path);
    return { kind: 'session', principal, expiresAtMs: Number.POSITIVE_INFINITY };
  }

  async #verify(shown: Shown, { address }: Exchange, tickets: boolean): Promise<Admission> {
    if (shown.kind !== 'credentials') return { kind: 'refused' };
    if (shown.credentials.kind === 'ticket' && !tickets) return { kind: 'refused' };
    return this.#parts.authenticator.verify(shown.credentials, address);
  }

  #turnAway(exchange: Exchange, admission: Exclude<Admission, { kind: 'session' }>): void {
    this.#parts.refused(admission, exchange.address);
    const { status, code, message, headers } = ANSWERS[admission.kind];
    exchange.error(status, code, message, headers);
  }
}

const OPERATOR: OperatorOrSession = { kind: 'operator' };

/** Whether the request shows this token, as `Authorization: Bearer` and nowhere else. */
function shows({ request }: Exchange, token: string | undefined): boolean {
  const [header, ...others] = request.authorization;
  const given = /^bearer +(\S+)$/i.exec(header ?? '')?.[1];
  return given !== undefined && others.length === 0 && isServiceToken(given, token);
}

/** What a request without a good session is answered, also one for an upgrade. */
export const ANSWERS = {
  refused: {
    status: 401,
    code: 'AUTH_REQUIRED',
    message: 'Valid credentials are required',
    headers: { 'www-authenticate': 'Bearer' },
  },
  unavailable: {
    status: 503,
    code: 'UNAVAILABLE',
    message: 'Sessions cannot be checked now, try again',
    headers: { 'retry-after': '5' },
  },
  limited: {
    status: 429,
    code: 'RATE_LIMITED',
    message: 'Too many failed attempts from your address',
    headers: { 'retry-after': '60' },
  },
} as const;
