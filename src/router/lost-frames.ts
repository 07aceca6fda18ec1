import type { Encoding } from '../../proto/codec.ts';
import { FrameView } from '../../proto/frame.ts';
import type { Lanes } from './lanes.ts';
import type { PublishLog } from './publish-log.ts';
import type { Viewer } from './viewer.ts';
import type { Viewing } from './viewing.ts';

/** A frame of a topic that a socket did not take. */
export interface RefusedFrame {
  bytes: Buffer;
  encoding: Encoding;
}

/** What the socket lost of each topic, in frames: the one it reported, and all that were published after it to this viewer. */
export function lostFrames(
  viewer: Viewer,
  { bytes, encoding }: RefusedFrame,
  publishLog: PublishLog,
): Map<Viewing, number> {
  const lost = new Map<Viewing, number>();
  const frame = new FrameView();
  if (!isFrame(frame, bytes, encoding)) return lost;
  const refused = viewer.viewings.get(frame.streamId);
  if (refused?.lanes === undefined || !refused.inTopic) return lost;
  const byLanes = new Map<Lanes, Viewing>();
  for (const viewing of viewer.viewings.values()) {
    if (viewing.inTopic && viewing.lanes !== undefined) byLanes.set(viewing.lanes, viewing);
  }
  for (const { lanes, round } of publishLog.from(refused.lanes, bytes)) {
    const viewing = lanes === undefined ? undefined : byLanes.get(lanes);
    const owed = viewing?.topicRounds;
    if (viewing === undefined || owed === undefined || round <= owed.after || round > owed.until) continue;
    viewing.lostRounds ??= new Set();
    if (viewing.lostRounds.has(round)) continue;
    viewing.lostRounds.add(round);
    lost.set(viewing, (lost.get(viewing) ?? 0) + 1);
  }
  return lost;
}

function isFrame(frame: FrameView, bytes: Buffer, encoding: Encoding): boolean {
  try {
    return frame.read(bytes, encoding);
  } catch {
    return false;
  }
}
