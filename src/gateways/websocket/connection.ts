import type { Encoding } from '../../../proto/codec.ts';
import { Peer } from '../../router/peer.ts';
import type { Principal } from '../../router/ports.ts';
import { EncoderLink } from '../../router/stream.ts';
import { Strikes } from '../../router/strikes.ts';
import { Viewer } from '../../router/viewer.ts';
import type { UpgradeRequest } from './credentials.ts';
import type { UwsSocket } from './uws-socket.ts';

/** Invalid messages that close a connection, and the time they must come in. */
const MAX_INVALID_MESSAGES = 20;
const INVALID_WINDOW_MS = 10_000;

/** The role is the path's: `/streams/register` or `/streams/subscribe`. */
export type Role = 'encoder' | 'viewer';

/** What a client may send while its session is being checked: the subscriptions of a large wall, not frames. */
const MAX_HELD_MESSAGES = 1_024;
const MAX_HELD_BYTES = 256 * 1024;

interface HeldMessage {
  message: Buffer;
  encoding: Encoding;
}

/** What the library keeps with a socket. It copies own properties, so what has methods must be one of them. */
export interface SocketData {
  arrival: Arrival;
}

/** A socket from its upgrade on: who asks, and what it said before its session was checked. */
export class Arrival {
  readonly role: Role;
  readonly subprotocolEncoding: Encoding | undefined;
  readonly remoteAddress: string;
  /** Set when the socket opens. */
  socket: UwsSocket<SocketData> | undefined;
  /** Set when its session was found good. */
  connection: Connection | undefined;
  #request: UpgradeRequest | undefined;
  #held: HeldMessage[] = [];
  #heldBytes = 0;

  constructor(role: Role, subprotocolEncoding: Encoding | undefined, remoteAddress: string, request: UpgradeRequest) {
    this.role = role;
    this.subprotocolEncoding = subprotocolEncoding;
    this.remoteAddress = remoteAddress;
    this.#request = request;
  }

  /** Hands the request out once: a connection that stays for days need not keep its token in memory. */
  takeRequest(): UpgradeRequest {
    const request = this.#request;
    this.#request = undefined;
    if (request === undefined) throw new Error('the request was taken before');
    return request;
  }

  /** The encoding of the first message held, which is the client's where no subprotocol named one. */
  get firstHeldEncoding(): Encoding | undefined {
    return this.#held[0]?.encoding;
  }

  /** Keeps a copy of a message that came before the session was checked. False when there is no room for it. */
  hold(message: ArrayBuffer, encoding: Encoding): boolean {
    this.#heldBytes += message.byteLength;
    if (this.#held.length >= MAX_HELD_MESSAGES || this.#heldBytes > MAX_HELD_BYTES) return false;
    this.#held.push({ message: Buffer.from(message.slice(0)), encoding });
    return true;
  }

  takeHeld(): HeldMessage[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

/** One authenticated WebSocket and what it is for. */
export class Connection {
  readonly peer: Peer;
  readonly socket: UwsSocket<SocketData>;
  readonly side: { role: 'encoder'; link: EncoderLink } | { role: 'viewer'; viewer: Viewer };
  readonly strikes = new Strikes(MAX_INVALID_MESSAGES, INVALID_WINDOW_MS);
  /** Pings sent since the client was last heard. */
  unansweredPings = 0;
  #encodingKnown: boolean;

  constructor(socket: UwsSocket<SocketData>, principal: Principal, arrival: Arrival) {
    this.socket = socket;
    this.peer = new Peer(principal, socket, arrival.subprotocolEncoding);
    this.#encodingKnown = arrival.subprotocolEncoding !== undefined;
    this.side =
      arrival.role === 'encoder'
        ? { role: 'encoder', link: new EncoderLink(this.peer) }
        : { role: 'viewer', viewer: new Viewer(this.peer) };
  }

  /** Something arrived. Without a subprotocol the first message decides in which encoding the client is answered. */
  heard(encoding: Encoding): void {
    this.unansweredPings = 0;
    if (this.#encodingKnown) return;
    this.peer.encoding = encoding;
    this.#encodingKnown = true;
  }
}
