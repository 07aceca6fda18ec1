import { OncePer } from '../router/once-per.ts';
import type { Log } from '../router/ports.ts';
import { alertsInMessage, MAX_ALERTS_PER_MESSAGE } from './alert-message.ts';
import { BatchEncoders } from './batch-encoders.ts';
import type { MlTransport, SampledFrame } from './transport.ts';
import { reasonOf, WsConnection, type WsConnectionParts } from './ws-connection.ts';

export interface WsTransportParts extends WsConnectionParts {
  protocol: 'batch' | 'single';
  batchSize: number;
  log: Log;
  random: () => number;
  /** Takes one alert as the service wrote it. May throw when it is refused. */
  onAlert: (alert: unknown) => void;
}

const FIRST_BACK_OFF_MS = 250;
const MAX_BACK_OFF_MS = 15_000;
/** A connection that lasted this long was a good one: after it the back-off starts anew. */
const HELD_MS = 10_000;
const KEPT_ENCODERS = 4;

/**
 * The ML service over one WebSocket that we open and keep open, again and again with growing delays when it is lost.
 *
 * `batch`: each `analyze` is one binary message, MessagePack `{frames:[{streamId,timestamp,seq,data}]}`. `single`, the
 * original contract: one text per frame, JSON `{streamId,frame,timestamp}` with base64. Python's `websockets` refuses
 * what is larger than 1 MiB unless it is told `max_size`, and a batch of 16 is.
 *
 * Nothing answers a frame: alerts come when the service sends them. So `analyze` is done, with no alerts, when the
 * service has read it. One that reads slowly keeps its caller's requests busy: the caller gives frames up.
 */
export function createWsTransport(parts: WsTransportParts): MlTransport {
  return new WsTransport(parts);
}

class WsTransport implements MlTransport {
  readonly reconnects = true;
  readonly #parts: WsTransportParts;
  /** For the log: neither path nor user of the URL, which may hold secrets. */
  readonly #service: string;
  readonly #encoders = new BatchEncoders(KEPT_ENCODERS);
  readonly #failureLine = new OncePer(1000);
  readonly #garbageLine = new OncePer(1000);
  readonly #refusalLine = new OncePer(1000);
  #connection: WsConnection | undefined;
  #cancelRetry: (() => void) | undefined;
  #failuresSinceHeld = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: WsTransportParts) {
    this.#parts = parts;
    this.#service = new URL(parts.url).host;
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen ?? false;
  }

  get isBusy(): boolean {
    return this.#connection?.isBusy ?? false;
  }

  batchSize(): number {
    return this.#parts.protocol === 'single' ? 1 : this.#parts.batchSize;
  }

  async analyze(frames: readonly SampledFrame[]): Promise<unknown[]> {
    const connection = this.#connection;
    if (!connection?.isOpen) throw new Error('not connected to the ML service');
    if (this.#parts.protocol === 'single') {
      await connection.send(frames.map(originalMessage));
      return [];
    }
    const body = this.#encoders.encode(frames);
    await connection.send([body.bytes]);
    // Not when it failed: then nobody says whether the bytes may still be read.
    body.release();
    return [];
  }

  close(): Promise<void> {
    this.#cancelRetry?.();
    this.#closing ??= this.#connection?.close() ?? Promise.resolve();
    return this.#closing;
  }

  #connect(): void {
    this.#connection = new WsConnection(this.#parts, {
      opened: () => this.#parts.log('info', { service: this.#service }, 'connected to the ML service'),
      message: (data) => this.#received(data),
      ended: (reason, heldMs) => this.#ended(reason, heldMs),
    });
  }

  #ended(reason: string, heldMs: number | undefined): void {
    this.#connection = undefined;
    if (this.#closing !== undefined) return;
    if (heldMs !== undefined && heldMs >= HELD_MS) this.#failuresSinceHeld = 0;
    const retryMs = this.#parts.random() * Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** this.#failuresSinceHeld);
    this.#failuresSinceHeld += 1;
    this.#cancelRetry = this.#parts.after(retryMs, () => this.#connect());
    const message = heldMs === undefined ? 'no connection to the ML service' : 'connection to the ML service lost';
    this.#warn(this.#failureLine, { reason, retryMs: Math.round(retryMs) }, message);
  }

  #received(data: Uint8Array): void {
    try {
      const alerts = alertsInMessage(data);
      for (const alert of alerts.slice(0, MAX_ALERTS_PER_MESSAGE)) this.#deliver(alert);
      if (alerts.length > MAX_ALERTS_PER_MESSAGE) throw new Error(`more than ${MAX_ALERTS_PER_MESSAGE} alerts at once`);
    } catch (error) {
      this.#warn(this.#garbageLine, { reason: reasonOf(error) }, 'message of the ML service not understood');
    }
  }

  #deliver(alert: unknown): void {
    try {
      this.#parts.onAlert(alert);
    } catch (error) {
      this.#warn(this.#refusalLine, { reason: reasonOf(error) }, 'alert of the ML service refused');
    }
  }

  #warn(line: OncePer, facts: Record<string, unknown>, message: string): void {
    const times = line.due(this.#parts.clock.monotonicMs());
    if (times > 0) this.#parts.log('warn', { service: this.#service, times, ...facts }, message);
  }
}

function originalMessage({ streamId, data, timestamp }: SampledFrame): string {
  const frame = Buffer.from(data.buffer, data.byteOffset, data.length).toString('base64');
  return JSON.stringify({ streamId, frame, timestamp });
}
