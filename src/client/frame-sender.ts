import { DEFAULT_MAX_MESSAGE_BYTES } from '../../proto/limits.ts';
import { FpsLimiter } from './fps-limiter.ts';
import { FrameSlot } from './frame-slot.ts';
import type { Line } from './line.ts';
import { UploadLag } from './upload-lag.ts';
import type { World } from './world.ts';

/** What became of the frames. */
export interface EncoderStats {
  /** Given to the network. */
  sent: number;
  /** A newer one took their place while the network was slow or away. */
  replaced: number;
  /** A newer one took their place while they waited for their turn: they were more than the router asks for. */
  throttled: number;
}

export interface FrameSenderParts {
  world: World;
  /** A picture that came as a Blob turned out not to be one. */
  onFault: (error: unknown) => void;
}

interface Waiting {
  picture: Uint8Array | Blob;
  timestamp: number;
}

/** How often to look whether the socket has given a frame away, ms. Browsers have no event for it. */
const LOOK_EVERY_MS = 10;
/** Room for the fields beside the picture. */
const MAX_PICTURE_BYTES = DEFAULT_MAX_MESSAGE_BYTES - 1024;

/** Frames on their way to one line after the other, the newest first: at most one is in the socket's buffer, and one waits beside it. */
export class FrameSender {
  readonly #parts: FrameSenderParts;
  readonly #slot = new FrameSlot<Waiting>();
  readonly #limiter = new FpsLimiter();
  readonly #stats: EncoderStats = { sent: 0, replaced: 0, throttled: 0 };
  /** A line that takes frames of this stream. */
  #open: { line: Line; streamId: string; lag: UploadLag } | undefined;
  /** A picture that came as a Blob is read, and keeps its turn. */
  #isReading = false;
  /** What the frame in the slot waits for: what it counts as if a newer one takes its place. */
  #obstacle: 'replaced' | 'throttled' = 'replaced';
  #stopLooking: (() => void) | undefined;

  constructor(parts: FrameSenderParts) {
    this.#parts = parts;
  }

  get stats(): EncoderStats {
    return { ...this.#stats };
  }

  /**
   * True when it was sent at once; otherwise it waits.
   * @throws TypeError for what is no JPEG, RangeError for one that is too large. A Blob is looked at when it is read.
   */
  send(picture: Uint8Array | Blob, timestamp: number): boolean {
    checkPicture(picture);
    if (this.#slot.put({ picture, timestamp })) this.#stats[this.#obstacle] += 1;
    this.#sendWaiting();
    return this.#slot.isEmpty && !this.#isReading;
  }

  /** `Infinity`: as many as come. */
  setMaxFps(maxFps: number): void {
    this.#limiter.setRate(maxFps);
    this.#sendWaiting();
  }

  lineOpened(line: Line, streamId: string): void {
    this.#open = { line, streamId, lag: new UploadLag() };
    // Before the first frame, so that nothing is in the way of its answer.
    this.#ask(line, this.#open.lag);
    this.#sendWaiting();
  }

  lineLost(): void {
    this.#open = undefined;
    this.#stopLooking?.();
    this.#stopLooking = undefined;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#slot.take();
  }

  /** Called whenever something may have changed: a new frame, an answer, a look at the socket. */
  #sendWaiting(): void {
    this.#obstacle = 'replaced';
    if (this.#open === undefined || this.#slot.isEmpty || this.#isReading) return;
    const { line, lag } = this.#open;
    const nowMs = this.#parts.world.nowMs();
    if (line.bufferedBytes > 0) {
      this.#lookAgain(LOOK_EVERY_MS);
      return;
    }
    // The answer that is late calls this again.
    if (!lag.maySend(nowMs)) return;
    if (!this.#limiter.admits(nowMs)) {
      this.#obstacle = 'throttled';
      this.#lookAgain(this.#limiter.waitMs(nowMs));
      return;
    }
    const { picture, timestamp } = this.#slot.take() as Waiting;
    if (picture instanceof Uint8Array) this.#transmit(picture, timestamp);
    else void this.#read(line, picture, timestamp);
  }

  /** Its turn has come, and it keeps it. */
  async #read(line: Line, blob: Blob, timestamp: number): Promise<void> {
    this.#isReading = true;
    try {
      const picture = new Uint8Array(await blob.arrayBuffer());
      checkPicture(picture);
      if (line === this.#open?.line) this.#transmit(picture, timestamp);
      else if (this.#slot.isEmpty) this.#slot.put({ picture, timestamp });
      else this.#stats.replaced += 1;
    } catch (error) {
      this.#parts.onFault(error);
    } finally {
      this.#isReading = false;
    }
    this.#sendWaiting();
  }

  #transmit(data: Uint8Array, timestamp: number): void {
    if (this.#open === undefined) return;
    const { line, streamId, lag } = this.#open;
    line.send({ type: 'video-frame', streamId, timestamp, data });
    this.#stats.sent += 1;
    if (lag.sent(this.#parts.world.nowMs(), data.length)) this.#ask(line, lag);
  }

  #ask(line: Line, lag: UploadLag): void {
    const { world } = this.#parts;
    lag.asked(world.nowMs());
    line.ask((rttMs) => {
      if (lag.answered(world.nowMs(), rttMs)) this.#ask(line, lag);
      this.#sendWaiting();
    });
  }

  #lookAgain(afterMs: number): void {
    this.#stopLooking?.();
    this.#stopLooking = this.#parts.world.after(afterMs, () => {
      this.#stopLooking = undefined;
      this.#sendWaiting();
    });
  }
}

function checkPicture(picture: Uint8Array | Blob): void {
  const bytes = picture instanceof Uint8Array ? picture.length : picture.size;
  if (bytes > MAX_PICTURE_BYTES) throw new RangeError(`a frame has at most ${MAX_PICTURE_BYTES} bytes, not ${bytes}`);
  const isJpeg = !(picture instanceof Uint8Array) || (bytes >= 4 && picture[0] === 0xff && picture[1] === 0xd8);
  if (!isJpeg) throw new TypeError('a frame is a JPEG: it begins with the bytes FF D8');
}
