import { LRUCache } from 'lru-cache';
import type { Evidence, EvidenceRoom } from '../router/ports.ts';
import { pictureBytes } from './picture-bytes.ts';

/** In memory, up to `maxBytes`; the one that was kept first goes first. 0 keeps none. */
export function createEvidenceRoom(maxBytes: number): EvidenceRoom {
  if (maxBytes === 0) return { keep: () => undefined, find: () => undefined };
  const pictures = new LRUCache<string, Evidence>({ maxSize: maxBytes, sizeCalculation: pictureBytes });
  return {
    // Copied: the memory is the stream's, and is written again.
    keep: (alertId, { streamId, ownerId, jpeg }) =>
      void pictures.set(alertId, { streamId, ownerId, jpeg: Uint8Array.from(jpeg) }),
    // Looking at one does not make it younger.
    find: (alertId) => pictures.peek(alertId),
  };
}
