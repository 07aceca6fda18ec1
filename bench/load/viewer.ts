import { monotonicMicros } from './clock.ts';
import type { Dialect, Said } from './dialect.ts';
import { count, type Meter, recordMicros } from './meter.ts';
import { LoadPeer, type PeerHandler } from './peer.ts';
import { acknowledges, isFast, isSlow } from './plan.ts';
import type { ViewerKind } from './report.ts';
import { StampReader } from './stamp.ts';

/** What a viewer shares with the others of its thread. */
export interface ViewerParts {
  /** The meter of the current second. */
  meter: () => Meter;
  /** Whether a frame that was due then counts: it belongs to the measured time. */
  isMeasured: (dueMicros: number) => boolean;
  /** A viewer that reads as fast as it can has come so many frames further. */
  advanced: (stream: number, frames: number) => void;
  /** Size of the picture that a frame carries, as a JPEG. */
  pictureBytes: (seq: number) => number;
  /** Computed on each frame. */
  frameMicros: number;
  /** Such a viewer is gone, which had come so far. */
  left: (stream: number, frames: number) => void;
}

/** A dashboard of the load: it looks at the heads of frames and discards the pictures. */
export class LoadViewer implements PeerHandler {
  readonly #stream: number;
  readonly #kind: ViewerKind;
  readonly #parts: ViewerParts;
  readonly #stamp = new StampReader();
  #peer: LoadPeer | undefined;
  #lastSeq = 0;
  #received = 0;
  #acknowledges: boolean;

  constructor(stream: number, kind: ViewerKind, parts: ViewerParts) {
    this.#stream = stream;
    this.#kind = kind;
    this.#parts = parts;
    this.#acknowledges = acknowledges(kind);
  }

  async connect(url: URL, dialect: Dialect, slowBytesPerSecond: number): Promise<void> {
    this.#peer = await LoadPeer.connect(url, dialect, this);
    if (isSlow(this.#kind)) this.#peer.socket.slowDown(slowBytesPerSecond);
    if (this.#kind === 'stalled') this.#peer.socket.stall();
  }

  get isOpen(): boolean {
    return this.#peer !== undefined && !this.#peer.isGone;
  }

  /** Lets time pass for a slow reader. */
  allow(elapsedMs: number): void {
    if (this.isOpen) this.#peer?.socket.allow(elapsedMs);
  }

  destroy(): void {
    this.#peer?.socket.destroy();
  }

  frame(head: Buffer): boolean {
    return this.#stamp.read(head);
  }

  frameEnded(): void {
    const { seq, dueMicros, sentMicros } = this.#stamp;
    if (this.#acknowledges) {
      this.#received += 1;
      const ack = this.#peer?.dialect.ack(this.#received);
      if (ack !== undefined) this.#peer?.socket.send(ack);
    }
    // The newest frame may come again, to a viewer that joins or was behind: it counts once.
    if (seq <= this.#lastSeq) return;
    if (this.#parts.frameMicros > 0) spend(this.#parts.frameMicros);
    if (isFast(this.#kind)) this.#parts.advanced(this.#stream, seq - this.#lastSeq);
    this.#lastSeq = seq;
    if (!this.#parts.isMeasured(dueMicros)) return;
    const nowMicros = monotonicMicros();
    const meter = this.#parts.meter();
    meter.deliveredBy[this.#kind] += 1;
    recordMicros(meter.latencyBy[this.#kind], nowMicros - dueMicros);
    if (!isFast(this.#kind)) return;
    meter.delivered += 1;
    meter.deliveredBytes += this.#parts.pictureBytes(seq);
    recordMicros(meter.fromSchedule, nowMicros - dueMicros);
    recordMicros(meter.fromSend, nowMicros - sentMicros);
  }

  said(said: Said): void {
    const meter = this.#parts.meter();
    if (said.kind === 'error') {
      count(meter.errors, said.code);
      // A router that knows no windows answers each acknowledgement so. Once is enough to know.
      if (said.code === 'UNKNOWN_MESSAGE_TYPE') this.#acknowledges = false;
    }
    if (said.kind !== 'alert' || !isFast(this.#kind) || !this.#parts.isMeasured(said.sentMicros)) return;
    meter.alertsDelivered += 1;
    recordMicros(meter.alertLatency, monotonicMicros() - said.sentMicros);
  }

  closed(code: number): void {
    count(this.#parts.meter().closed, code);
    if (isFast(this.#kind)) this.#parts.left(this.#stream, this.#lastSeq);
  }
}

function spend(micros: number): void {
  const until = monotonicMicros() + micros;
  while (monotonicMicros() < until);
}
