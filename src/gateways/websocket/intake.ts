import { decodeControl, decodeServiceMessage, type Encoding } from '../../../proto/codec.ts';
import type { ControlMessage, ServiceAlert } from '../../../proto/messages.ts';
import type { Clock } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { Arrival } from './arrival.ts';
import type { Connection } from './connection.ts';
import {
  handleEncoderMessage,
  handleListenerMessage,
  handleOpenMessage,
  handleViewerMessage,
  type RoutedMessage,
  type TakeReport,
} from './control.ts';
import type { ErrorAnswers } from './error-answers.ts';
import type { LookUps } from './look-ups.ts';
import type { Roles } from './roles.ts';

export interface IntakeParts {
  router: Router;
  roles: Roles;
  lookUps: LookUps;
  answers: ErrorAnswers;
  clock: Clock;
  maxMessageBytes: number;
  /** Takes the alerts of ML services that are clients. */
  report: TakeReport;
}

/** What admitted connections say, one message after the other, also where one of them must wait for a look-up. */
export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** It was let in. */
  begin(arrival: Arrival, connection: Connection): void {
    this.#try(connection, () => this.#parts.roles.begin(connection, arrival.wasSilent));
    this.listen(arrival, connection);
  }

  /** What the connection has said while nobody listened, and from then on what comes. */
  listen(arrival: Arrival, connection: Connection): void {
    arrival.state = 'live';
    // One of them may have closed it, and what follows must not bring a gone connection back to life; or it waits for a look-up, and the rest with it.
    while (arrival.state === 'live' && !connection.socket.isClosed) {
      const held = arrival.takeHeld();
      if (held === undefined) return;
      this.handle(arrival, connection, held.message, held.encoding);
    }
  }

  /** One message of a connection that is `live`. */
  handle(arrival: Arrival, connection: Connection, message: Buffer, encoding: Encoding): void {
    const { router, answers, maxMessageBytes } = this.#parts;
    connection.heard(encoding);
    if (message.length > maxMessageBytes) {
      answers.refuseTooLarge(connection, message.length);
      return;
    }
    try {
      const { side } = connection;
      if (side.role === 'encoder' && router.framePath.accept(side.link, message, encoding)) return;
      // Without a stream it refuses frames, and tells their sender to register.
      if (side.role === 'open' && router.framePath.accept(side.link, message, encoding)) return;
      const isService = side.role === 'viewer' && side.viewer.isService;
      const control = isService ? decodeServiceMessage(message, encoding) : decodeControl(message, encoding);
      this.#handleControl(arrival, connection, control);
    } catch (error) {
      answers.refuse(connection, error);
    }
  }

  #handleControl(arrival: Arrival, connection: Connection, control: ControlMessage | ServiceAlert): void {
    const { roles, lookUps } = this.#parts;
    if (control.type === 'auth') {
      this.#renew(connection, lookUps.renewal(connection, arrival.address, control));
      return;
    }
    roles.settle(connection, control);
    const act = () => this.#act(connection, control);
    const lookUp = lookUps.owners(connection, control, act);
    if (lookUp === undefined) act();
    else this.#await(arrival, connection, lookUp);
  }

  #act({ side, peer }: Connection, control: RoutedMessage): void {
    const { router, clock, report } = this.#parts;
    switch (side.role) {
      case 'encoder':
        handleEncoderMessage(router, clock, side.link, control);
        return;
      case 'viewer':
        handleViewerMessage(router, clock, side.viewer, control, report);
        return;
      case 'open':
        handleOpenMessage(clock, peer, control);
        return;
      case 'listener':
        handleListenerMessage(clock, peer, control);
        return;
    }
  }

  /** Nothing waits for it: a camera must not stop because its session is renewed. */
  #renew(connection: Connection, renewal: Promise<() => void>): void {
    void renewal.then((act) => {
      if (!connection.socket.isClosed) this.#try(connection, act);
    });
  }

  /** The connection's next messages wait until `lookUp` has said what to do, and it is done. */
  #await(arrival: Arrival, connection: Connection, lookUp: Promise<() => void>): void {
    arrival.state = 'busy';
    void lookUp.then((act) => {
      if (connection.socket.isClosed) return;
      this.#try(connection, act);
      this.listen(arrival, connection);
    });
  }

  #try(connection: Connection, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#parts.answers.refuse(connection, error);
    }
  }
}
