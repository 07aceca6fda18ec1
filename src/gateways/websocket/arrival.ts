import type { Encoding } from '../../../proto/codec.ts';
import type { Shown } from '../credentials.ts';
import type { Connection } from './connection.ts';
import type { Door } from './doors.ts';
import type { Entrant } from './entrance.ts';
import type { UwsSocket } from './uws-socket.ts';

/** What a client may send while something is looked up for it: the subscriptions of a large wall, not frames. */
const MAX_HELD_MESSAGES = 1_024;
const MAX_HELD_BYTES = 256 * 1024;

export interface HeldMessage {
  message: Buffer;
  encoding: Encoding;
}

/** What the library keeps with a socket. It copies own properties, so what has methods must be one of them. */
export interface SocketData {
  arrival: Arrival;
}

/**
 * How far a socket has come. `new`: it has shown no credentials. `busy`: they are being checked, or something else is looked up, and what it
 * sends meanwhile is held. `live`: what it sends goes straight to its connection. `refused`: it was turned away and is about to be closed.
 */
export type ArrivalState = 'new' | 'busy' | 'live' | 'refused';

/** A socket from its upgrade on: who asks, and what it said that nobody could listen to yet. */
export class Arrival {
  readonly door: Door;
  readonly subprotocolEncoding: Encoding | undefined;
  /** By which its connections are counted. */
  readonly address: string;
  state: ArrivalState = 'new';
  /** Set when the socket opens. */
  socket: UwsSocket<SocketData> | undefined;
  /** Set when its session was found good. */
  connection: Connection | undefined;
  /** It was counted in. */
  hasEntered = false;
  /** It was counted in as one without credentials, and has shown none since. */
  isPending = false;
  /** While it is expected to show credentials. `hint`: what its request showed that did not count. */
  expectation: { cancelDeadline: () => void; hint: string | undefined } | undefined;
  /** Found good before the upgrade. */
  entrant: Entrant | undefined;
  /** It was let in without a word of its own, after the time there was for one. */
  wasSilent = false;
  #shown: Shown | undefined;
  /** Of the first message. */
  #heardEncoding: Encoding | undefined;
  #held: HeldMessage[] | undefined;
  #heldBytes = 0;

  constructor(door: Door, subprotocolEncoding: Encoding | undefined, address: string, shown: Shown) {
    this.door = door;
    this.subprotocolEncoding = subprotocolEncoding;
    this.address = address;
    this.#shown = shown;
  }

  /** Hands out once what its upgrade request showed: a connection that stays for days need not keep its token in memory. */
  takeShown(): Shown {
    const shown = this.#shown;
    this.#shown = undefined;
    return shown ?? { kind: 'none' };
  }

  /** The client's. Undefined: it has not said anything yet, and every client of before speaks JSON. */
  get knownEncoding(): Encoding | undefined {
    return this.subprotocolEncoding ?? this.#heardEncoding;
  }

  heard(encoding: Encoding): void {
    this.#heardEncoding ??= encoding;
  }

  /** Keeps a copy of a message. False when there is no room for it. */
  hold(message: ArrayBuffer, encoding: Encoding): boolean {
    this.#held ??= [];
    this.#heldBytes += message.byteLength;
    if (this.#held.length >= MAX_HELD_MESSAGES || this.#heldBytes > MAX_HELD_BYTES) return false;
    this.#held.push({ message: Buffer.from(message.slice(0)), encoding });
    return true;
  }

  /** The oldest message held; it stays. */
  get firstHeld(): HeldMessage | undefined {
    return this.#held?.[0];
  }

  /** The oldest message held. */
  takeHeld(): HeldMessage | undefined {
    const oldest = this.#held?.shift();
    if (oldest === undefined) this.#held = undefined;
    else this.#heldBytes -= oldest.message.length;
    return oldest;
  }
}
