import { monotonicMicros } from './clock.ts';
import type { Dialect, Said } from './dialect.ts';
import { count, type Meter, recordMicros } from './meter.ts';
import { LoadPeer, type PeerHandler } from './peer.ts';

/** Over this much waiting in its own socket an encoder leaves frames out, as a phone on a bad network would. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** As fast as possible: the next frame goes out anyway after this, should a server have lost the ones before. */
const MAX_IDLE_MICROS = 250_000;

export interface EncoderParts {
  meter: () => Meter;
  isMeasured: (dueMicros: number) => boolean;
  /** Viewers of the stream that read as fast as they can: everything sent is expected to reach them. */
  fastViewers: () => number;
  /** The stream's pictures from their third byte on, in this encoder's encoding. */
  tails: readonly Buffer[];
}

/** A camera of the load. */
export class LoadEncoder implements PeerHandler {
  readonly stream: number;
  readonly #parts: EncoderParts;
  #peer: LoadPeer | undefined;
  #seq = 0;
  #lastSentMicros = 0;

  constructor(stream: number, parts: EncoderParts) {
    this.stream = stream;
    this.#parts = parts;
  }

  async connect(url: URL, dialect: Dialect): Promise<void> {
    this.#peer = await LoadPeer.connect(url, dialect, this);
  }

  get isOpen(): boolean {
    return this.#peer !== undefined && !this.#peer.isGone;
  }

  /** By the clock: sends what is due, each frame with the moment it was due. Answers when the next one is. */
  sendDue(nextDueMicros: number, intervalMicros: number): number {
    const nowMicros = monotonicMicros();
    let dueMicros = nextDueMicros;
    for (; dueMicros <= nowMicros; dueMicros += intervalMicros) this.#send(dueMicros, monotonicMicros());
    return dueMicros;
  }

  /** As fast as possible: sends until so many frames are on their way. `arrived`: frames each viewer has, on average. */
  sendWindow(frames: number, arrived: number): void {
    const nowMicros = monotonicMicros();
    const isIdle = nowMicros - this.#lastSentMicros > MAX_IDLE_MICROS;
    for (let onTheirWay = isIdle ? 0 : this.#seq - arrived; onTheirWay < frames; onTheirWay += 1) {
      this.#send(nowMicros, nowMicros);
    }
  }

  sendAlert(): void {
    if (!this.isOpen || this.#peer === undefined) return;
    const sentMicros = monotonicMicros();
    const alert = this.#peer.dialect.alert(sentMicros);
    if (alert === undefined) return;
    this.#peer.socket.send(alert);
    if (!this.#parts.isMeasured(sentMicros)) return;
    const meter = this.#parts.meter();
    meter.alertsSent += 1;
    meter.alertsExpected += this.#parts.fastViewers();
  }

  destroy(): void {
    this.#peer?.socket.destroy();
  }

  said(said: Said): void {
    if (said.kind === 'error') count(this.#parts.meter().errors, said.code);
  }

  closed(code: number): void {
    count(this.#parts.meter().closed, code);
  }

  #send(dueMicros: number, sentMicros: number): void {
    const isMeasured = this.#parts.isMeasured(dueMicros);
    const meter = this.#parts.meter();
    if (!this.isOpen || this.#peer === undefined || this.#peer.socket.waitingBytes > MAX_WAITING_BYTES) {
      if (isMeasured) meter.skipped += 1;
      return;
    }
    this.#seq += 1;
    const tail = this.#parts.tails[this.#seq % this.#parts.tails.length] as Buffer;
    this.#lastSentMicros = sentMicros;
    this.#peer.socket.send(...this.#peer.dialect.frame({ seq: this.#seq, dueMicros, sentMicros }, tail));
    if (!isMeasured) return;
    meter.sent += 1;
    meter.expected += this.#parts.fastViewers();
    recordMicros(meter.lateness, sentMicros - dueMicros);
  }
}
