import { ALL_STREAMS } from '../../proto/limits.ts';
import type { SubscribeMessage } from '../../proto/messages.ts';
import type { StreamAccess } from './access.ts';
import type { AlertHistory, Recollection } from './alert-history.ts';
import type { Streams } from './streams.ts';
import type { Viewer } from './viewer.ts';

export interface RecallParts {
  streams: Streams;
  history: AlertHistory;
  access: StreamAccess;
}

/** What somebody missed who subscribes: the alerts after `since` of the streams that the message names. */
export function recall(
  viewer: Viewer,
  { streamId, streamIds }: SubscribeMessage,
  since: string,
  { streams, history, access }: RecallParts,
): Recollection {
  const { userId } = viewer.peer.principal;
  if (streamId === ALL_STREAMS) return history.after(since, [{ ownerId: userId, streamId: undefined }]);
  const named = new Set(streamIds ?? (streamId === undefined ? [] : [streamId]));
  // Of a stream that has ended only the history may know whose it was.
  const lastOwner = (id: string) => (access === 'authenticated' ? history.ownerOf(id) : undefined) ?? userId;
  const places = [...named].map((id) => ({ ownerId: streams.get(id)?.ownerId ?? lastOwner(id), streamId: id }));
  return history.after(since, places);
}
