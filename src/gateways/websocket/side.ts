import type { AlertListener } from '../../router/alert-listeners.ts';
import type { Peer } from '../../router/peer.ts';
import { EncoderLink } from '../../router/stream.ts';
import { Viewer } from '../../router/viewer.ts';
import type { Door } from './doors.ts';

/** What a connection is for, and what the router knows it by. */
export type Side =
  | { role: 'encoder'; link: EncoderLink }
  | { role: 'viewer'; viewer: Viewer }
  | { role: 'listener'; listener: AlertListener }
  | OpenSide;

/** It has not said yet what it is for. */
export interface OpenSide {
  role: 'open';
  /** Without a stream: what refuses its frames, and the encoder that it may become. */
  link: EncoderLink;
  /** Meanwhile it hears the alerts of its user, once it has been silent for a while. */
  listener: AlertListener | undefined;
  /** Calls that off. */
  cancelListening: (() => void) | undefined;
}

/** What the door alone says. */
export function sideAt(door: Door, peer: Peer): Side {
  switch (door.kind) {
    case 'encoder':
      return { role: 'encoder', link: new EncoderLink(peer) };
    case 'viewer':
      return { role: 'viewer', viewer: new Viewer(peer) };
    case 'either':
      return { role: 'open', link: new EncoderLink(peer), listener: undefined, cancelListening: undefined };
    case 'alerts':
      return { role: 'listener', listener: { peer, shape: 'anomaly' } };
  }
}
