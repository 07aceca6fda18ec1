import type { StreamStatus } from '../../client/index.ts';

/** A stream on the wall. */
export interface StreamEntry {
  streamId: string;
  /** As its owner calls it; its id where nobody has. */
  name: string;
  status: StreamStatus;
  /** Ms since the epoch; undefined: it is not offline, or was never there. */
  offlineSinceMs: number | undefined;
  /** Asked for by name, in the address: it stays, whatever its status. */
  isPinned: boolean;
}

/** A camera that is gone stays on the wall for a while, so that somebody sees that it is gone. */
export const KEEP_OFFLINE_MS = 600_000;

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** In the order of their names, and of their ids where these are the same: a tile stays where it is when something else changes. */
function ordered(streams: readonly StreamEntry[]): readonly StreamEntry[] {
  return [...streams].sort(
    (one, other) => byName.compare(one.name, other.name) || (one.streamId < other.streamId ? -1 : 1),
  );
}

function changed(
  streams: readonly StreamEntry[],
  streamId: string,
  change: (entry: StreamEntry | undefined) => StreamEntry | undefined,
): readonly StreamEntry[] {
  const before = streams.find((entry) => entry.streamId === streamId);
  const after = change(before);
  if (after === before) return streams;
  const others = streams.filter((entry) => entry !== before);
  return ordered(after === undefined ? others : [...others, after]);
}

/** The router has said where a stream stands. One that was never live here, and is not asked for, is not shown. */
export function withStatus(
  streams: readonly StreamEntry[],
  { streamId, status, name }: { streamId: string; status: StreamStatus; name: string | undefined },
  nowMs: number,
): readonly StreamEntry[] {
  return changed(streams, streamId, (before) => {
    if (before === undefined && status === 'offline') return undefined;
    if (before?.status === status) return before;
    const entry = before ?? { streamId, name: name ?? streamId, isPinned: false };
    return { ...entry, status, offlineSinceMs: status === 'offline' ? nowMs : undefined };
  });
}

/** One that is asked for by name. */
export function withPinned(streams: readonly StreamEntry[], streamId: string): readonly StreamEntry[] {
  return changed(streams, streamId, (before) => {
    if (before?.isPinned) return before;
    const entry: StreamEntry = before ?? {
      streamId,
      name: streamId,
      status: 'offline',
      offlineSinceMs: undefined,
      isPinned: true,
    };
    return { ...entry, isPinned: true };
  });
}

/** One that is not asked for by name any more: it stays as others do, for as long as it is live and a while. */
export function withoutPin(streams: readonly StreamEntry[], streamId: string): readonly StreamEntry[] {
  return changed(streams, streamId, (before) => {
    if (before === undefined || !before.isPinned) return before;
    const wasNeverLive = before.status === 'offline' && before.offlineSinceMs === undefined;
    return wasNeverLive ? undefined : { ...before, isPinned: false };
  });
}

export function without(streams: readonly StreamEntry[], streamId: string): readonly StreamEntry[] {
  return changed(streams, streamId, () => undefined);
}

/** `names`: by stream; who is not in it keeps the one it has. */
export function withNames(streams: readonly StreamEntry[], names: ReadonlyMap<string, string>): readonly StreamEntry[] {
  const isNews = streams.some(({ streamId, name }) => (names.get(streamId) ?? name) !== name);
  if (!isNews) return streams;
  return ordered(streams.map((entry) => ({ ...entry, name: names.get(entry.streamId) ?? entry.name })));
}

/** Without those that have been gone for ten minutes. */
export function withoutEnded(streams: readonly StreamEntry[], nowMs: number): readonly StreamEntry[] {
  const stays = ({ isPinned, offlineSinceMs }: StreamEntry) =>
    isPinned || offlineSinceMs === undefined || nowMs - offlineSinceMs < KEEP_OFFLINE_MS;
  return streams.every(stays) ? streams : streams.filter(stays);
}

/** The one tile that the Tab key leads to; from there arrows go on. It is that which had the focus last, and never the one that is open, which has buttons of its own. */
export function tabStop(
  streams: readonly StreamEntry[],
  focusedId: string | undefined,
  openId: string | undefined,
): string | undefined {
  const closed = streams.filter(({ streamId }) => streamId !== openId);
  return (closed.find(({ streamId }) => streamId === focusedId) ?? closed[0])?.streamId;
}

/** The one after `streamId`, or before it with a `step` of -1; after the last comes the first. */
export function neighbour(streams: readonly StreamEntry[], streamId: string, step: 1 | -1): string | undefined {
  const at = streams.findIndex((entry) => entry.streamId === streamId);
  if (at < 0) return streams[0]?.streamId;
  return streams[(at + step + streams.length) % streams.length]?.streamId;
}
