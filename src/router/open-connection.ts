import type { Peer } from './peer.ts';
import type { EncoderLink } from './stream.ts';
import type { Viewer } from './viewer.ts';

/** What a connection is for, as far as it has said. */
type ConnectionSide =
  | { role: 'encoder'; link: EncoderLink }
  | { role: 'viewer'; viewer: Viewer }
  | { role: 'listener' | 'open' };

/** A connection as its gateway knows it, or what counts as one. */
export interface OpenConnection {
  /** No other one ever has it. */
  readonly id: number;
  readonly transport: 'websocket' | 'mjpeg' | 'http';
  /** By which it came, as the documents write it: `/ws/alerts/{user_id}`. */
  readonly path: string;
  readonly address: string;
  /** When it was let in, ms of the monotonic clock. */
  readonly sinceMs: number;
  /** The last round trip of a ping, ms; undefined: none is known. */
  readonly rttMs: number | undefined;
  readonly peer: Peer;
  readonly side: ConnectionSide;
}

/** What a gateway says of a connection that it keeps in other words. */
export type ConnectionFacts = Pick<OpenConnection, 'transport' | 'path' | 'peer' | 'side'>;
