import { ErrorCode } from '../../../proto/errors.ts';
import type { Counters } from '../../router/counters.ts';
import { OncePer } from '../../router/once-per.ts';
import type { Clock, Log } from '../../router/ports.ts';
import type { ReachedLimit } from './connection-limits.ts';

/** Why a connection was turned away. */
export type RefusalCause =
  | 'unauthorized'
  | 'noCredentials'
  | 'unavailable'
  | 'failures'
  | 'foreignPath'
  | 'mlClients'
  | 'wrongDoor'
  | ReachedLimit;

interface Refusal {
  code: ErrorCode;
  message: string;
  /** 1008 for what will not be better in a moment. */
  mayRetry: boolean;
}

const { authRequired, invalidMessage, rateLimited, tooManyConnections, unauthorized, unavailable } = ErrorCode;

export const NO_ML_CLIENTS = 'clientType: ml-service clients are not admitted, ALLOW_ML_CLIENTS is not set';
export const ML_CLIENTS_ELSEWHERE = 'clientType: ml-service belongs on /ws or /api/streams/ws';

export const REFUSALS: Readonly<Record<RefusalCause, Refusal>> = {
  unauthorized: { code: authRequired, message: 'A valid session token is required', mayRetry: false },
  noCredentials: { code: authRequired, message: 'No credentials: send auth first, or a token', mayRetry: false },
  unavailable: { code: unavailable, message: 'Sessions cannot be checked now, try again', mayRetry: true },
  failures: { code: rateLimited, message: 'Too many failed attempts from your address', mayRetry: true },
  foreignPath: { code: unauthorized, message: 'The path names another user than the session’s', mayRetry: false },
  mlClients: { code: unauthorized, message: NO_ML_CLIENTS, mayRetry: false },
  wrongDoor: { code: invalidMessage, message: ML_CLIENTS_ELSEWHERE, mayRetry: false },
  total: { code: tooManyConnections, message: 'The router has all the connections it takes', mayRetry: true },
  perAddress: { code: tooManyConnections, message: 'Too many connections from your address', mayRetry: true },
  pendingPerAddress: {
    code: tooManyConnections,
    message: 'Too many connections from your address that show no credentials',
    mayRetry: true,
  },
  perUser: { code: tooManyConnections, message: 'Too many connections of this user', mayRetry: true },
};

/** Who was turned away, in figures and in the log. */
export class Refusals {
  readonly counts: Record<RefusalCause, number> = {
    unauthorized: 0,
    noCredentials: 0,
    unavailable: 0,
    failures: 0,
    foreignPath: 0,
    mlClients: 0,
    wrongDoor: 0,
    total: 0,
    perAddress: 0,
    pendingPerAddress: 0,
    perUser: 0,
  };
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #counters: Counters;
  /** One for each cause: what is everyday must not hide what is not. */
  readonly #lines = new Map<RefusalCause, OncePer>();

  constructor(clock: Clock, log: Log, counters: Counters) {
    this.#clock = clock;
    this.#log = log;
    this.#counters = counters;
  }

  /** Of many in one second only one is a line in the log. */
  note(cause: RefusalCause, address: string): void {
    this.counts[cause] += 1;
    if (REFUSALS[cause].code === unauthorized) this.#counters.unauthorized += 1;
    const line = this.#lines.get(cause) ?? new OncePer(1000);
    this.#lines.set(cause, line);
    const times = line.due(this.#clock.monotonicMs());
    // Bad credentials are everyday; a limit that is reached is something to look at.
    const level = REFUSALS[cause].mayRetry ? 'warn' : 'debug';
    if (times > 0) this.#log(level, { cause, address, times }, 'connections turned away');
  }
}
