import { CloseCode } from '../../../proto/close-codes.ts';
import { decodeControl, type Encoding } from '../../../proto/codec.ts';
import { ProtocolError } from '../../../proto/errors.ts';
import { MAX_UNAUTHENTICATED_BYTES } from '../../../proto/limits.ts';
import type { ControlMessage } from '../../../proto/messages.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type { After, Clock, Credentials, Log } from '../../router/ports.ts';
import type { Guests } from '../guests.ts';
import type { Arrival } from './arrival.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import type { Door } from './doors.ts';
import type { Entrance, Entrant } from './entrance.ts';
import { introductionIn } from './introduction.ts';
import { REFUSALS, type RefusalCause, type Refusals } from './refusals.ts';

/** How long a guest may take to say who it is. */
const GUEST_SILENCE_MS = 1_000;

export interface ReceptionParts {
  entrance: Entrance;
  refusals: Refusals;
  limits: ConnectionLimits;
  clock: Clock;
  log: Log;
  after: After;
  /** How long a connection may stay without credentials, ms. */
  authDeadlineMs: number;
  allowsMlClients: boolean;
  /** Lets everybody in; undefined: nobody without credentials. */
  guests: Guests | undefined;
  /** It may come in; what it has said so far waits to be handled. `saidAuth`: it wants an answer to its `auth`. */
  admit: (arrival: Arrival, entrant: Entrant, saidAuth: boolean) => void;
}

/** Where every WebSocket waits between its upgrade and its admission: is there room, who is it, and may they come in? */
export class Reception {
  readonly #parts: ReceptionParts;
  readonly #checks = new Set<Promise<void>>();

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
  }

  /** Session checks under way. */
  get checks(): ReadonlySet<Promise<void>> {
    return this.#checks;
  }

  opened(arrival: Arrival): void {
    const { limits, guests } = this.#parts;
    const shown = arrival.takeShown();
    arrival.isPending = shown.kind === 'none' && arrival.entrant === undefined && guests === undefined;
    const reached = limits.enter(arrival.address, arrival.isPending);
    arrival.hasEntered = reached === undefined;
    if (reached !== undefined) this.#turnAway(arrival, reached);
    else if (arrival.entrant !== undefined) this.#welcome(arrival, arrival.entrant);
    else if (shown.kind === 'rejected') this.#turnAway(arrival, 'unauthorized', shown.reason);
    else if (guests !== undefined) this.#receiveGuest(arrival, guests, shown.kind === 'none' ? undefined : shown);
    else if (shown.kind === 'credentials') this.#check(arrival, shown.credentials);
    else this.#expect(arrival, shown.hint);
  }

  /** A message of a socket that is not `live`. */
  heard(arrival: Arrival, message: ArrayBuffer, encoding: Encoding): void {
    const { guests } = this.#parts;
    arrival.heard(encoding);
    if (arrival.state === 'new' && guests === undefined) this.#heardFirst(arrival, message, encoding);
    else if (arrival.state === 'new' || arrival.state === 'busy') {
      if (!arrival.hold(message, encoding)) {
        arrival.socket?.close(CloseCode.tryAgainLater, 'Too much before it could be handled');
      } else if (arrival.state === 'new' && guests !== undefined) this.#meetGuest(arrival, guests);
    }
  }

  gone(arrival: Arrival): void {
    arrival.expectation?.cancelDeadline();
    if (!arrival.hasEntered) return;
    if (arrival.isPending) this.#parts.limits.settle(arrival.address);
    this.#parts.limits.leave(arrival.address);
    if (arrival.connection !== undefined) this.#parts.limits.leaveUser(arrival.connection.peer.principal.userId);
  }

  /** It shows no credentials yet. `hint`: what its request showed that did not count. */
  #expect(arrival: Arrival, hint: string | undefined): void {
    const { after, authDeadlineMs } = this.#parts;
    const cancelDeadline = after(authDeadlineMs, () => this.#turnAwayUnknown(arrival, 'none came in time'));
    arrival.expectation = { cancelDeadline, hint };
  }

  /** The one message that a client without credentials may send: it brings them. */
  #heardFirst(arrival: Arrival, message: ArrayBuffer, encoding: Encoding): void {
    if (message.byteLength > MAX_UNAUTHENTICATED_BYTES) {
      this.#turnAwayUnknown(arrival, `the first message ends at ${MAX_UNAUTHENTICATED_BYTES} bytes`);
      return;
    }
    try {
      const control = decodeControl(new Uint8Array(message), encoding);
      const objection = this.#objection(arrival.door, control);
      const token = 'token' in control ? control.token : undefined;
      if (objection !== undefined) this.#turnAway(arrival, objection);
      else if (token === undefined) this.#turnAwayUnknown(arrival);
      else {
        const saidAuth = control.type === 'auth';
        if (!saidAuth) arrival.hold(message, encoding);
        this.#check(arrival, { kind: 'token', token }, { saidAuth });
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#turnAwayUnknown(arrival, error.message);
    }
  }

  /** An ML service that came to the wrong place: no credentials would help it, so it is told the right one. */
  #objection(door: Door, control: ControlMessage): RefusalCause | undefined {
    if (control.type !== 'subscribe' || control.clientType !== 'ml-service' || door.kind === 'alerts') return undefined;
    if (door.kind !== 'either') return 'wrongDoor';
    return this.#parts.allowsMlClients ? undefined : 'mlClients';
  }

  /** `ifUnknown`: what becomes of it if what it shows is no good session. */
  #check(
    arrival: Arrival,
    credentials: Credentials,
    { saidAuth = false, ifUnknown }: { saidAuth?: boolean; ifUnknown?: () => void } = {},
  ): void {
    arrival.state = 'busy';
    this.#stopWaiting(arrival);
    const check = this.#parts.entrance
      .check(arrival.door, credentials, arrival.address)
      .then((entry) => {
        if (arrival.socket?.isClosed) return;
        if (entry.kind === 'entrant') this.#welcome(arrival, entry.entrant, saidAuth);
        else if (entry.kind === 'unknown' && ifUnknown !== undefined) ifUnknown();
        else this.#turnAway(arrival, entry.cause);
      })
      .catch((error: unknown) => {
        this.#parts.log('error', { err: error }, 'a connection could not be admitted');
        this.#turnAway(arrival, 'unavailable');
      })
      .finally(() => this.#checks.delete(check));
    this.#checks.add(check);
  }

  /** A path names it, or a good session, or its first message; or nobody does. */
  #receiveGuest(arrival: Arrival, guests: Guests, shown?: { credentials: Credentials }): void {
    const { door } = arrival;
    const ifUnknown = () => {
      if (door.kind === 'alerts') this.#welcomeGuest(arrival, guests, door.userId);
      else if (arrival.firstHeld !== undefined) this.#meetGuest(arrival, guests);
      else {
        arrival.state = 'new';
        const cancelDeadline = this.#parts.after(GUEST_SILENCE_MS, () => {
          arrival.wasSilent = true;
          this.#welcomeGuest(arrival, guests, undefined);
        });
        arrival.expectation = { cancelDeadline, hint: undefined };
      }
    };
    if (shown === undefined) ifUnknown();
    else this.#check(arrival, shown.credentials, { ifUnknown });
  }

  /** Its first message is held: it may bring a good session, and else it names the guest. */
  #meetGuest(arrival: Arrival, guests: Guests): void {
    const { token, name, isAuth } = introductionIn(arrival.firstHeld);
    if (isAuth) arrival.takeHeld();
    const ifUnknown = () => this.#welcomeGuest(arrival, guests, name, isAuth);
    if (token === undefined) ifUnknown();
    else this.#check(arrival, { kind: 'token', token }, { saidAuth: isAuth, ifUnknown });
  }

  #welcomeGuest(arrival: Arrival, guests: Guests, name: unknown, saidAuth = false): void {
    this.#stopWaiting(arrival);
    this.#welcome(arrival, { standing: 'guest', principal: guests.principalOf(name) }, saidAuth);
  }

  #welcome(arrival: Arrival, entrant: Entrant, saidAuth = false): void {
    const reached = this.#parts.limits.enterUser(entrant.principal.userId);
    if (reached === undefined) this.#parts.admit(arrival, entrant, saidAuth);
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
    this.#parts.refusals.note(cause, arrival.address);
    const { code, message, mayRetry } = REFUSALS[cause];
    const text = detail === undefined ? message : `${message}: ${detail}`;
    const error = new Outgoing({ type: 'error', code, message: text, timestamp: this.#parts.clock.epochMs() });
    // Not in this turn: it may still be the one of `open`, where the library must not be asked to close.
    setImmediate(() => {
      const { socket, knownEncoding: encoding = 'json' } = arrival;
      socket?.sendControl(error.in(encoding), encoding);
      if (mayRetry) socket?.close(CloseCode.tryAgainLater, 'Try again later');
      else socket?.close(CloseCode.policyViolation, 'Unauthorized');
    });
  }
}
