import { ErrorCode } from '../../proto/errors.ts';
import { STREAM_ID_PATTERN } from '../../proto/limits.ts';
import { AlertOutbox, type OutgoingAlert } from './alert-outbox.ts';
import { Connection } from './connection.ts';
import { Emitter } from './emitter.ts';
import { type EncoderStats, FrameSender } from './frame-sender.ts';
import type { Line } from './line.ts';
import type { ConnectionOptions } from './options.ts';
import type { Alert, Channel, ConnectionState, RouterError } from './types.ts';
import { bare, copyOfMetadata, type Incoming } from './wire.ts';
import { REAL_WORLD, type World } from './world.ts';

export interface EncoderOptions extends ConnectionOptions {
  /** The name of the stream; without one the router makes one. */
  streamId?: string | undefined;
  /** Anything about the device; at most 16,384 characters as JSON. */
  metadata?: Readonly<Record<string, unknown>> | undefined;
  /** What of its own stream the router sends back; default `["alert"]`. */
  consumes?: readonly Channel[] | undefined;
}

/** More frames a second are wanted by nobody (`demand`), or are dropped by the router (`rate-limit`). */
export interface Throttle {
  maxFps: number;
  reason: 'demand' | 'rate-limit';
}

export interface EncoderEvents {
  state: ConnectionState;
  /** The router has taken the stream, at first and again after each cut. `streamId` stays the same. */
  registered: { streamId: string };
  throttle: Throttle;
  /** One of the stream's own, if it consumes them. Those of the time without a connection are not repeated to encoders. */
  alert: Alert;
  error: RouterError;
}

/** `waiting`: it goes out as soon as the network and the router's `throttle` let it, unless a newer one comes first. */
export type SendOutcome = 'sent' | 'waiting' | 'closed';

const NO_THROTTLES = { demand: Number.POSITIVE_INFINITY, 'rate-limit': Number.POSITIVE_INFINITY };

/** Refusals of `register` that may be none a little later. */
const LATER: ReadonlySet<string> = new Set([
  ErrorCode.unavailable,
  ErrorCode.rateLimited,
  ErrorCode.tooManyConnections,
]);

/**
 * Sends the pictures of one stream, the newest first: at most one frame is in the socket's buffer and one waits beside it, and while the network is slow a newer
 * one takes the place of the one that waits. It connects by itself, and goes on with its stream after a cut.
 */
export class Encoder {
  readonly #options: EncoderOptions;
  readonly #world: World;
  readonly #connection: Connection;
  readonly #events = new Emitter<EncoderEvents>();
  readonly #frames: FrameSender;
  readonly #outbox: AlertOutbox;
  #throttles: Readonly<Record<Throttle['reason'], number>> = NO_THROTTLES;
  #streamId: string | undefined;
  #resumeToken: string | undefined;

  /** Connects when the current turn is over. @throws TypeError for options that are none. */
  constructor(options: EncoderOptions) {
    if (options.streamId !== undefined && !STREAM_ID_PATTERN.test(options.streamId)) {
      throw new TypeError('streamId: must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -');
    }
    if (options.metadata !== undefined) copyOfMetadata(options.metadata);
    this.#options = options;
    this.#world = options.world ?? REAL_WORLD;
    this.#streamId = options.streamId;
    this.#outbox = new AlertOutbox(() => this.#world.epochMs());
    this.#frames = new FrameSender({
      world: this.#world,
      onFault: (error) =>
        this.#events.emit('error', { code: ErrorCode.invalidMessage, message: `data: ${String(error)}` }),
    });
    const purpose = {
      path: '/streams/register',
      greet: (line: Line) => this.#register(line),
      receive: (message: Incoming, line: Line) => this.#receive(message, line),
      lost: () => this.#lost(),
      changed: (state: ConnectionState) => this.#events.emit('state', state),
    };
    this.#connection = new Connection(purpose, options);
  }

  /** Answers what ends it. */
  on<Name extends keyof EncoderEvents>(name: Name, listener: (event: EncoderEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Undefined until the router has made one, if none was given. */
  get streamId(): string | undefined {
    return this.#streamId;
  }

  get stats(): Readonly<EncoderStats> {
    return this.#frames.stats;
  }

  /** Frames a second that make sense now; `Infinity` when the router has said nothing. */
  get maxFps(): number {
    return Math.min(this.#throttles.demand, this.#throttles['rate-limit']);
  }

  /** Bytes that the operating system has not taken yet. */
  get bufferedBytes(): number {
    return this.#connection.openLine?.bufferedBytes ?? 0;
  }

  /** Alerts that the router may not have yet. */
  get waitingAlerts(): number {
    return this.#outbox.size;
  }

  /**
   * Sends a JPEG, or lets it wait for the network. `timestamp`: when it was captured, ms since the epoch; default now.
   * @throws TypeError for what is no JPEG, RangeError for one that is larger than 16 MiB.
   */
  send(picture: Uint8Array | Blob, { timestamp = this.#world.epochMs() }: { timestamp?: number } = {}): SendOutcome {
    if (this.state.name === 'closed') return 'closed';
    return this.#frames.send(picture, timestamp) ? 'sent' : 'waiting';
  }

  /**
   * Raises an alert about this stream. It is kept until the router has it, over cuts, too; at a cut in just the wrong moment it may so be raised twice.
   * False: too many wait already, and this one is not taken.
   * @throws TypeError for what is no alert.
   */
  sendAlert(alert: OutgoingAlert): boolean {
    if (this.state.name === 'closed' || !this.#outbox.add(alert)) return false;
    this.#sendAlerts();
    return true;
  }

  /** For a button: while it waits to come back it tries at once, also where the router has asked for a pause, but not more often than once a second. */
  retryNow(): void {
    this.#connection.hurry();
  }

  /** Ends it for good; what waits is lost. The router keeps the stream for its time of grace. */
  close(): void {
    this.#connection.close();
    this.#frames.clear();
    this.#outbox.clear();
  }

  #register(line: Line): void {
    const { metadata, consumes = ['alert'] } = this.#options;
    line.send({
      type: 'register',
      clientType: 'mobile',
      streamId: this.#streamId,
      resumeToken: this.#resumeToken,
      produces: ['video-frame', 'alert'],
      consumes,
      metadata,
      // Not `heartbeat`: one that nobody asked for could be taken for an answer.
      understands: ['throttle', 'going-away'],
    });
  }

  #receive(message: Incoming, line: Line): void {
    switch (message.type) {
      case 'success':
        this.#registered(message.streamId, message.resumeToken, line);
        return;
      case 'error':
        this.#events.emit('error', bare(message));
        if (this.state.name === 'connecting') this.#refused(message);
        return;
      case 'throttle': {
        const { maxFps, reason } = message;
        this.#throttle({ ...this.#throttles, [reason]: maxFps });
        this.#events.emit('throttle', { maxFps, reason });
        return;
      }
      case 'alert':
        this.#events.emit('alert', bare(message));
        return;
    }
  }

  #registered(streamId: string | undefined, resumeToken: string | undefined, line: Line): void {
    if (streamId === undefined || this.state.name !== 'connecting') return;
    this.#streamId = streamId;
    this.#resumeToken = resumeToken;
    // A new connection hears anew what is wanted, if that is less than everything.
    this.#throttle(NO_THROTTLES);
    this.#connection.ready();
    // The application may have closed it when it heard that.
    if (this.#connection.openLine !== line) return;
    this.#frames.lineOpened(line, streamId);
    this.#sendAlerts();
    this.#events.emit('registered', { streamId });
  }

  /** The answer to `register`: it would be the same again, unless it is about the database. */
  #refused({ code, message }: RouterError): void {
    if (code === ErrorCode.authRequired) return;
    if (LATER.has(code)) this.#connection.retry(message);
    else this.#connection.close(message);
  }

  #throttle(throttles: Readonly<Record<Throttle['reason'], number>>): void {
    this.#throttles = throttles;
    this.#frames.setMaxFps(this.maxFps);
  }

  #sendAlerts(): void {
    const line = this.#connection.openLine;
    if (line === undefined) return;
    const alerts = this.#outbox.unsent();
    if (alerts.length === 0) return;
    for (const alert of alerts) line.send({ type: 'alert', streamId: this.#streamId, ...alert });
    line.ask(() => this.#outbox.delivered(alerts));
  }

  #lost(): void {
    this.#frames.lineLost();
    this.#outbox.lost();
  }
}
