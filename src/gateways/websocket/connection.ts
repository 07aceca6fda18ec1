import type { Encoding } from '../../../proto/codec.ts';
import { Peer } from '../../router/peer.ts';
import type { Principal, Verification } from '../../router/ports.ts';
import type { EncoderLink } from '../../router/stream.ts';
import { Strikes } from '../../router/strikes.ts';
import { Viewer } from '../../router/viewer.ts';
import type { UwsSocket } from './uws-socket.ts';

/** Invalid messages that close a connection, and the time they must come in. */
const MAX_INVALID_MESSAGES = 20;
const INVALID_WINDOW_MS = 10_000;

/** The role is the path's: `/streams/register` or `/streams/subscribe`. */
export type Role = 'encoder' | 'viewer';

/** What the upgrade found out, carried by the socket from then on. */
export interface SocketData {
  readonly role: Role;
  readonly verification: Verification;
  readonly subprotocolEncoding: Encoding | undefined;
  readonly remoteAddress: string;
  /** Set when the socket opens. */
  socket: UwsSocket<SocketData> | undefined;
  /** Set when the socket opens, unless it is turned away. */
  connection: Connection | undefined;
}

/** One authenticated WebSocket and what it is for. */
export class Connection {
  readonly peer: Peer;
  readonly socket: UwsSocket<SocketData>;
  readonly remoteAddress: string;
  readonly side: { role: 'encoder'; link: EncoderLink } | { role: 'viewer'; viewer: Viewer };
  readonly strikes = new Strikes(MAX_INVALID_MESSAGES, INVALID_WINDOW_MS);
  /** Pings sent since the client was last heard. */
  unansweredPings = 0;
  #encodingKnown: boolean;

  constructor(socket: UwsSocket<SocketData>, principal: Principal, data: SocketData) {
    this.socket = socket;
    this.remoteAddress = data.remoteAddress;
    this.peer = new Peer(principal, socket, data.subprotocolEncoding);
    this.#encodingKnown = data.subprotocolEncoding !== undefined;
    this.side =
      data.role === 'encoder'
        ? { role: 'encoder', link: { peer: this.peer, stream: undefined, produces: [], consumes: [] } }
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
