/**
 * How a viewer gets live frames: through a topic of the socket library; sent to directly, one call per frame; or `paced`, directly too, but
 * looked at for each frame, since it has a window or `maxFps`, or is behind.
 */
export type Lane = PlainLane | 'paced';
export type PlainLane = 'topic' | 'direct';

/**
 * Larger frames go the direct way: from 16 KiB on a topic copies the message once for every subscribed socket, while a socket that
 * never subscribed is written to from the sender's memory. CPU per delivered frame against bare publish, one stream to 100 viewers,
 * topic / direct: 17 KB 1.19 / 1.17, 22 KB 1.07 / 0.98, 34 KB 1.12 / 0.93 (`npm run bench:compare -- --only fan-out --kb 22`, with this number
 * set to 1 KiB and to 1 GiB). Below that a topic wins, since it gathers small messages into one write.
 */
const DIRECT_FROM_BYTES = 20 * 1024;

/** The one place that chooses a plain viewer's lane, by the size of the stream's newest message when it joins. */
export function chooseLane(newestBytes: number): PlainLane {
  return newestBytes >= DIRECT_FROM_BYTES ? 'direct' : 'topic';
}
