import { SUBPROTOCOLS } from '../../../proto/codec.ts';

/** By which path a client came in, which says what its connection may be for. */
export type Door = { path: string } & (
  | { kind: 'encoder' | 'viewer' }
  /** The first `register` or `subscribe` says it. */
  | { kind: 'either' }
  /** All alerts of one user's streams in the older words, and nothing else. `since`: as it stands in the URL; null: said twice. */
  | { kind: 'alerts'; userId: string; since: string | null | undefined }
);

/** With `:user` for the variable part. */
export const DOOR_PATHS: readonly { path: string; kind: Door['kind'] }[] = [
  { path: '/streams/register', kind: 'encoder' },
  { path: '/streams/subscribe', kind: 'viewer' },
  { path: '/ws', kind: 'either' },
  { path: '/api/streams/ws', kind: 'either' },
  { path: '/ws/alerts/:user', kind: 'alerts' },
];

export const WEB_SOCKET_PATHS: readonly string[] = DOOR_PATHS.map(({ path }) => path);

/** Of what a client offered the first that is known; empty when none is. */
export function chooseSubprotocol(offered: string): string {
  const names = offered.split(',').map((name) => name.trim());
  return names.find((name) => Object.hasOwn(SUBPROTOCOLS, name)) ?? '';
}
