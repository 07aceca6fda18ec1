import { CloseCode } from '../../../proto/close-codes.ts';
import { decodeControl, type Encoding } from '../../../proto/codec.ts';
import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import { MAX_UNAUTHENTICATED_BYTES } from '../../../proto/limits.ts';
import { OncePer } from '../../router/once-per.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type { Admission, After, Authenticator, Clock, Credentials, Log, Principal } from '../../router/ports.ts';
import type { Arrival } from './arrival.ts';
import type { ConnectionLimits, ReachedLimit } from './connection-limits.ts';

/** Why a connection was turned away. */
export type RefusalCause = 'unauthorized' | 'noCredentials' | 'unavailable' | 'failures' | ReachedLimit;

interface Refusal {
  code: ErrorCode;
  message: string;
  /** 1008 for what will not be better in a moment. */
  mayRetry: boolean;
}

const { authRequired, rateLimited, tooManyConnections, unavailable } = ErrorCode;

const REFUSALS: Readonly<Record<RefusalCause, Refusal>> = {
  unauthorized: { code: authRequired, message: 'A valid session token is required', mayRetry: false },
  noCredentials: { code: authRequired, message: 'No credentials: send auth first, or a token', mayRetry: false },
  unavailable: { code: unavailable, message: 'Sessions cannot be checked now, try again', mayRetry: true },
  failures: { code: rateLimited, message: 'Too many failed attempts from your address', mayRetry: true },
  total: { code: tooManyConnections, message: 'The router has all the connections it takes', mayRetry: true },
  perAddress: { code: tooManyConnections, message: 'Too many connections from your address', mayRetry: true },
  pendingPerAddress: {
    code: tooManyConnections,
    message: 'Too many connections from your address that show no credentials',
    mayRetry: true,
  },
  perUser: { code: tooManyConnections, message: 'Too many connections of this user', mayRetry: true },
};

export interface ReceptionParts {
  authenticator: Authenticator;
  limits: ConnectionLimits;
  clock: Clock;
  log: Log;
  after: After;
  /** How long a connection may stay without credentials, ms. */
  authDeadlineMs: number;
  /** It may come in; what it has said so far waits to be handled. `saidAuth`: it wants an answer to its `auth`. */
  admit: (arrival: Arrival, principal: Principal, saidAuth: boolean) => void;
}

/** Where every WebSocket waits between its upgrade and its admission: is there room, who is it, and may they come in? */
export class Reception {
  readonly refused: Record<RefusalCause, number> = {
    unauthorized: 0,
    noCredentials: 0,
    unavailable: 0,
    failures: 0,
    total: 0,
    perAddress: 0,
    pendingPerAddress: 0,
    perUser: 0,
  };
  readonly #parts: ReceptionParts;
  readonly #checks = new Set<Promise<void>>();
  /** One for each cause: what is everyday must not hide what is not. */
  readonly #refusalLines = new Map<RefusalCause, OncePer>();

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
  }

  /** Session checks under way. */
  get checks(): ReadonlySet<Promise<void>> {
    return this.#checks;
  }

  opened(arrival: Arrival): void {
    const { limits, after, authDeadlineMs } = this.#parts;
    const shown = arrival.takeShown();
    arrival.isPending = shown.kind === 'none' && arrival.principal === undefined;
    const reached = limits.enter(arrival.address, arrival.isPending);
    arrival.hasEntered = reached === undefined;
    if (reached !== undefined) this.#turnAway(arrival, reached);
    else if (arrival.principal !== undefined) this.#welcome(arrival, arrival.principal, false);
    else if (shown.kind === 'credentials') this.#check(arrival, shown.credentials, false);
    else if (shown.kind === 'rejected') this.#turnAway(arrival, 'unauthorized', shown.reason);
    else {
      const cancelDeadline = after(authDeadlineMs, () => this.#turnAwayUnknown(arrival, 'none came in time'));
      arrival.expectation = { cancelDeadline, hint: shown.hint };
    }
  }

  /** A message of a socket that is not `live`. */
  heard(arrival: Arrival, message: ArrayBuffer, encoding: Encoding): void {
    arrival.heard(encoding);
    if (arrival.state === 'new') this.#heardFirst(arrival, message, encoding);
    else if (arrival.state === 'busy' && !arrival.hold(message, encoding)) {
      arrival.socket?.close(CloseCode.tryAgainLater, 'Too much before it could be handled');
    }
  }

  gone(arrival: Arrival): void {
    arrival.expectation?.cancelDeadline();
    if (!arrival.hasEntered) return;
    if (arrival.isPending) this.#parts.limits.settle(arrival.address);
    this.#parts.limits.leave(arrival.address);
    if (arrival.connection !== undefined) this.#parts.limits.leaveUser(arrival.connection.peer.principal.userId);
  }

  /** Counts a refusal; of many in one second only one is a line in the log. */
  note(cause: RefusalCause, address: string): void {
    this.refused[cause] += 1;
    const line = this.#refusalLines.get(cause) ?? new OncePer(1000);
    this.#refusalLines.set(cause, line);
    const times = line.due(this.#parts.clock.monotonicMs());
    // Bad credentials are everyday; a limit that is reached is something to look at.
    const level = REFUSALS[cause].code === authRequired ? 'debug' : 'warn';
    if (times > 0) this.#parts.log(level, { cause, address, times }, 'connections turned away');
  }

  /** The one message that a client without credentials may send: it brings them. */
  #heardFirst(arrival: Arrival, message: ArrayBuffer, encoding: Encoding): void {
    if (message.byteLength > MAX_UNAUTHENTICATED_BYTES) {
      this.#turnAwayUnknown(arrival, `the first message ends at ${MAX_UNAUTHENTICATED_BYTES} bytes`);
      return;
    }
    try {
      const control = decodeControl(new Uint8Array(message), encoding);
      const token = 'token' in control ? control.token : undefined;
      if (token === undefined) {
        this.#turnAwayUnknown(arrival);
        return;
      }
      const saidAuth = control.type === 'auth';
      if (!saidAuth) arrival.hold(message, encoding);
      this.#check(arrival, { kind: 'token', token }, saidAuth);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#turnAwayUnknown(arrival, error.message);
    }
  }

  #check(arrival: Arrival, credentials: Credentials, saidAuth: boolean): void {
    arrival.state = 'busy';
    this.#stopWaiting(arrival);
    const check = this.#parts.authenticator
      .verify(credentials, arrival.address)
      .then((admission) => {
        if (arrival.socket?.isClosed) return;
        if (admission.kind === 'session') this.#welcome(arrival, admission.principal, saidAuth);
        else this.#turnAway(arrival, causeOf(admission));
      })
      .catch((error: unknown) => {
        this.#parts.log('error', { err: error }, 'a connection could not be admitted');
        this.#turnAway(arrival, 'unavailable');
      })
      .finally(() => this.#checks.delete(check));
    this.#checks.add(check);
  }

  #welcome(arrival: Arrival, principal: Principal, saidAuth: boolean): void {
    const reached = this.#parts.limits.enterUser(principal.userId);
    if (reached === undefined) this.#parts.admit(arrival, principal, saidAuth);
    else this.#turnAway(arrival, reached);
  }

  /** Its credentials are there: the deadline is off, and others of its address may come without. */
  #stopWaiting(arrival: Arrival): void {
    arrival.expectation?.cancelDeadline();
    arrival.expectation = undefined;
    if (!arrival.isPending) return;
    arrival.isPending = false;
    this.#parts.limits.settle(arrival.address);
  }

  #turnAwayUnknown(arrival: Arrival, why?: string): void {
    const details = [why, arrival.expectation?.hint].filter((detail) => detail !== undefined);
    this.#turnAway(arrival, 'noCredentials', details.length === 0 ? undefined : details.join('; '));
  }

  /** A browser cannot read an HTTP error of a WebSocket, so the refusal comes as an error message and a close with the reason. */
  #turnAway(arrival: Arrival, cause: RefusalCause, detail?: string): void {
    arrival.state = 'refused';
    this.note(cause, arrival.address);
    const { code, message, mayRetry } = REFUSALS[cause];
    const text = detail === undefined ? message : `${message}: ${detail}`;
    const error = new Outgoing({ type: 'error', code, message: text, timestamp: this.#parts.clock.epochMs() });
    // Not in this turn: it may still be the one of `open`, where the library must not be asked to close.
    setImmediate(() => {
      const { socket, encoding } = arrival;
      socket?.sendControl(error.in(encoding), encoding);
      if (mayRetry) socket?.close(CloseCode.tryAgainLater, 'Try again later');
      else socket?.close(CloseCode.policyViolation, 'Unauthorized');
    });
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
