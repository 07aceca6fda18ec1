import type { Channel, StreamStatus } from '../../proto/messages.ts';
import { Audience, type AudienceParts } from './audience.ts';
import { Cooldown } from './cooldown.ts';
import { IngestLimit, type IngestLimits } from './ingest-limit.ts';
import { NewestFrame } from './newest-frame.ts';
import { OncePer } from './once-per.ts';
import type { Peer } from './peer.ts';
import type { FrameTap, StreamTap } from './ports.ts';

/** The connection of an encoder, and the stream it registered. */
export class EncoderLink {
  readonly peer: Peer;
  stream: Stream | undefined;
  produces: readonly Channel[] = [];
  consumes: readonly Channel[] = [];
  /** The `maxFps` it was last asked for; undefined: never asked. */
  askedFps: number | undefined;
  /** Number of its stream's newest frame when it came. */
  seqBefore = 0;
  /** Frames of this connection that were not taken: of another stream, over the rate, malformed (with any other malformed message). */
  readonly rejected = { notYours: 0, rate: 0, invalid: 0 };

  constructor(peer: Peer) {
    this.peer = peer;
  }
}

export interface StreamParts extends AudienceParts {
  limits: IngestLimits;
  tap: FrameTap;
  /** The same alert again within this time is not sent; 0: all are. */
  alertCooldownMs: number;
}

export interface StreamOrigin {
  id: string;
  ownerId: string;
  metadata: Readonly<Record<string, unknown>>;
  /** Unique among all streams that ever were. */
  key: number;
  resumeToken: string;
  /** Ms since the epoch. */
  createdAtMs: number;
}

/** A live stream: it keeps its id, owner, viewers and newest frame while encoders come and go. */
export class Stream {
  readonly id: string;
  readonly ownerId: string;
  /** Unique among all streams that ever were, also of one name. */
  readonly key: number;
  readonly newest = new NewestFrame();
  readonly audience: Audience;
  readonly limit: IngestLimit;
  readonly tap: StreamTap;
  readonly cooldown: Cooldown;
  /** Whoever has it may go on with this stream. */
  readonly resumeToken: string;
  /** When it went live, ms since the epoch. */
  readonly createdAtMs: number;
  /** At most one `RATE_LIMITED` a second. */
  readonly rateNotice = new OncePer(1000);
  /** What its encoder says of it: device name, resolution and the like. */
  metadata: Readonly<Record<string, unknown>>;
  status: StreamStatus = 'online';
  /** Undefined while the encoder is away and its grace runs. */
  encoder: EncoderLink | undefined;
  /** When the grace ends, ms of the monotonic clock. */
  graceEndsMs = Number.POSITIVE_INFINITY;
  lastFrameMs = Number.NEGATIVE_INFINITY;
  /** When an encoder last came or went, ms of the monotonic clock. */
  lastLinkMs: number;
  /** Since when less is wanted than the encoder was asked for, ms of the monotonic clock. */
  lessWantedSinceMs = Number.POSITIVE_INFINITY;
  /** Number of the newest frame, from 1. */
  seq = 0;

  constructor(origin: StreamOrigin, nowMs: number, parts: StreamParts) {
    this.id = origin.id;
    this.ownerId = origin.ownerId;
    this.key = origin.key;
    this.resumeToken = origin.resumeToken;
    this.metadata = origin.metadata;
    this.createdAtMs = origin.createdAtMs;
    this.lastLinkMs = nowMs;
    this.cooldown = new Cooldown(parts.alertCooldownMs);
    this.limit = new IngestLimit(parts.limits, nowMs);
    this.tap = parts.tap.open(this, nowMs);
    this.audience = new Audience(origin.key, this.newest, parts);
  }
}
