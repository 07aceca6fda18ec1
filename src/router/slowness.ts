import type { OpenConnection } from './open-connection.ts';
import type { Viewing } from './viewing.ts';

/** Of a camera that sends nothing, though it registered; of 1 MiB that waits for a viewer it is less. */
const SILENT = 4 * 1024;
/** A silent camera, as `status` has it. */
const SILENT_AFTER_MS = 5_000;
/** A ms without an acknowledgement counts as so many bytes that wait: a slow line of 8 Mbit/s. */
const BYTES_PER_MS = 1024;
/** What happened once weighs less than anything that is the case now. */
const MOST_OF_THE_PAST = 1023;

/**
 * How slow a connection is, for sorting: bytes that wait for it; what is on its way and not acknowledged; then what it lost in the past. 0 is as good as can be.
 */
export function slownessOf({ peer, side }: OpenConnection, nowMs: number): number {
  const waiting = peer.waitingBytes;
  if (side.role === 'viewer') {
    let slowest = 0;
    for (const viewing of side.viewer.viewings.values()) slowest = Math.max(slowest, slownessOfViewing(viewing, nowMs));
    return waiting + slowest;
  }
  if (side.role !== 'encoder') return waiting;
  const { stream, rejected } = side.link;
  const isSilent = stream === undefined || nowMs - stream.lastFrameMs >= SILENT_AFTER_MS;
  return waiting + (isSilent ? SILENT : 0) + past(rejected.rate + rejected.notYours + rejected.invalid);
}

/** The same of one subscription, without what waits for its connection. */
export function slownessOfViewing({ window, tally }: Viewing, nowMs: number): number {
  return (window?.unackedForMs(nowMs) ?? 0) * BYTES_PER_MS + past(tally.dropped.slow);
}

function past(frames: number): number {
  return Math.min(frames, MOST_OF_THE_PAST);
}
