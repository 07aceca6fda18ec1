import type { Encoded, Encoding } from '../../../proto/codec.ts';
import { FrameView } from '../../../proto/frame.ts';
import type { FrameTally } from '../../router/frame-tally.ts';
import type { ConnectionFacts } from '../../router/open-connection.ts';
import type { Clock, Log, PeerSocket, SendResult } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { Viewer } from '../../router/viewer.ts';
import type { OpenResponse } from '../http/open-response.ts';
import type { LastingRequest } from './lasting-requests.ts';

/** Each part ends with the boundary of the next one. */
const BOUNDARY = 'frame';
export const MJPEG_TYPE = `multipart/x-mixed-replace; boundary=${BOUNDARY}`;
export const FIRST_BOUNDARY = Buffer.from(`--${BOUNDARY}\r\n`);
const PART_END = Buffer.from(`\r\n--${BOUNDARY}\r\n`);
/** A header of the picture that comes next, which nobody knows. */
export const FILLER = Buffer.from('X-Filler: 0\r\n');

/**
 * What stands before a picture. `labelled`: its type, its length, and when it was captured. `early`: its type alone, written as soon as the picture before it has
 * gone. Chromium shows a picture only when the headers of the next one are complete (a boundary is not enough: version 156), so labelled ones
 * are always one behind there, and the last one of a camera that pauses is not shown at all.
 */
type PartStyle = 'labelled' | 'early';
const EARLY_HEAD = Buffer.from('Content-Type: image/jpeg\r\n\r\n');

const MJPEG_PATH = '/streams/{stream_id}/live.mjpeg';

/** A client that took nothing for so long is gone, or as good as that. */
const STUCK_LIMIT_MS = 30_000;
/** Proxies give up a response that says nothing for a minute, some for half of one. */
const SILENCE_LIMIT_MS = 15_000;
/** Room above a part's size, so that pictures that vary a little do not grow the buffer again and again. */
const HEADROOM = 1.25;

export interface MjpegResponseParts {
  router: Router;
  clock: Clock;
  log: Log;
  streamId: string;
  style: PartStyle;
  /** It is over, for whatever reason. */
  onOver: () => void;
}

/**
 * One viewer of `live.mjpeg`. To the router it is the socket of a viewer with a window of 1, that acknowledges a picture when the kernel has taken all of it: so
 * the router holds back what comes meanwhile, and releases the newest.
 */
export class MjpegResponse implements PeerSocket, LastingRequest {
  readonly #parts: MjpegResponseParts;
  readonly #view = new FrameView();
  #viewer: Viewer | undefined;
  #response: OpenResponse | undefined;
  #part = Buffer.alloc(0);
  /** Of `#part`; 0 when nothing is to be written. */
  #partBytes = 0;
  /** Of the last part that was. */
  #writtenBytes = 0;
  #sent = 0;
  /** The head of the next part is complete already. */
  #hasHead = false;
  #lastWriteMs: number;
  #isOver = false;

  constructor(parts: MjpegResponseParts) {
    this.#parts = parts;
    this.#lastWriteMs = parts.clock.monotonicMs();
  }

  /** `viewer`: the one whose socket this is. `response` undefined: the client is gone already. */
  begin(viewer: Viewer, response: OpenResponse | undefined): void {
    this.#viewer = viewer;
    this.#response = response;
    if (response === undefined) this.gone();
  }

  get facts(): ConnectionFacts | undefined {
    const viewer = this.#viewer;
    if (viewer === undefined) return undefined;
    return { transport: 'mjpeg', path: MJPEG_PATH, peer: viewer.peer, side: { role: 'viewer', viewer } };
  }

  /** The frame is written in the next turn of the event loop: in this one the library gathers what another socket is sent, and would write each little piece of ours by itself. */
  sendFrame(frame: Encoded, encoding: Encoding): SendResult {
    if (this.#isOver) return 'refused';
    const view = this.#view;
    if (!view.read(asBuffer(frame), encoding, this.#parts.streamId)) return 'refused';
    this.#assemble(view.jpeg(), view.timestamp);
    this.#sent += 1;
    setImmediate(() => this.#flush());
    return 'queued';
  }

  /** What the protocol says has no place in a series of pictures. */
  sendControl(): SendResult {
    return this.#isOver ? 'refused' : 'sent';
  }

  /** At most so many: the library does not say how much of a picture the kernel has taken. */
  bufferedBytes(): number {
    if (this.#partBytes > 0) return this.#partBytes;
    return this.#response?.stuckSinceMs === undefined ? 0 : this.#writtenBytes;
  }

  /** Its window keeps it out of topics. */
  joinTopic(): void {}

  leaveTopic(): void {}

  /** Its stream has ended. */
  close(): void {
    this.#response?.end();
    this.gone();
  }

  sessionEnded(): void {
    this.close();
  }

  shutDown(): void {
    this.close();
  }

  /** All that was written has gone. */
  drained(): void {
    if (this.#isOver) return;
    if (this.#parts.style === 'early' && this.#sent > 0 && !this.#hasHead) {
      this.#hasHead = true;
      this.#response?.add(EARLY_HEAD);
    }
    this.#acknowledge();
  }

  tick(nowMs: number): void {
    const response = this.#response;
    if (response === undefined || this.#viewer === undefined) return;
    const { stuckSinceMs } = response;
    if (stuckSinceMs !== undefined && nowMs - stuckSinceMs >= STUCK_LIMIT_MS) {
      response.cut();
      this.gone();
      return;
    }
    response.keepOpen();
    if (stuckSinceMs === undefined && nowMs - this.#lastWriteMs >= SILENCE_LIMIT_MS)
      this.#breakSilence(this.#viewer, response, nowMs);
  }

  /** The client is gone, or was sent away. */
  gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#response?.markGone();
    const { router, log, streamId, onOver } = this.#parts;
    if (this.#viewer !== undefined) {
      const { offered, delivered, dropped }: FrameTally = router.viewers.gone(this.#viewer);
      const { userId } = this.#viewer.peer.principal;
      log('debug', { role: 'mjpeg', userId, streamId, offered, delivered, dropped }, 'disconnected');
    }
    onOver();
  }

  /** The newest picture once more: it is the one thing that every player understands. Without any there is only a header to write. */
  #breakSilence(viewer: Viewer, response: OpenResponse, nowMs: number): void {
    this.#lastWriteMs = nowMs;
    const sentBefore = this.#sent;
    this.#parts.router.viewers.repeat(viewer);
    if (this.#sent === sentBefore && !this.#hasHead) response.write(FILLER);
  }

  #assemble(jpeg: Buffer, timestamp: number): void {
    const head = this.#headOf(jpeg, timestamp);
    const bytes = head.length + jpeg.length + PART_END.length;
    if (bytes > this.#part.length) this.#part = Buffer.allocUnsafeSlow(Math.ceil(bytes * HEADROOM));
    this.#part.set(head);
    this.#part.set(jpeg, head.length);
    this.#part.set(PART_END, head.length + jpeg.length);
    this.#partBytes = bytes;
  }

  #headOf(jpeg: Buffer, timestamp: number): Buffer {
    if (this.#parts.style === 'early') return this.#hasHead ? NOTHING : EARLY_HEAD;
    const labels = `Content-Length: ${jpeg.length}\r\nX-Timestamp: ${timestamp}\r\n`;
    return Buffer.from(`Content-Type: image/jpeg\r\n${labels}\r\n`);
  }

  #flush(): void {
    if (this.#isOver || this.#partBytes === 0) return;
    const part = this.#part.subarray(0, this.#partBytes);
    this.#writtenBytes = this.#partBytes;
    this.#partBytes = 0;
    this.#lastWriteMs = this.#parts.clock.monotonicMs();
    this.#hasHead = false;
    if (this.#response?.write(part)) this.drained();
  }

  #acknowledge(): void {
    if (this.#isOver || this.#viewer === undefined) return;
    const { router, streamId } = this.#parts;
    router.viewers.acknowledge(this.#viewer, { type: 'ack', streamId, received: this.#sent });
  }
}

const NOTHING = Buffer.alloc(0);

function asBuffer(encoded: Encoded): Buffer {
  if (typeof encoded === 'string') return Buffer.from(encoded);
  return Buffer.isBuffer(encoded) ? encoded : Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
}
