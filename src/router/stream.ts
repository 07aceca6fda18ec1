import type { Channel, StreamStatus } from '../../proto/messages.ts';
import { Audience, type AudienceParts } from './audience.ts';
import { IngestLimit, type IngestLimits } from './ingest-limit.ts';
import { NewestFrame } from './newest-frame.ts';
import { OncePer } from './once-per.ts';
import type { Peer } from './peer.ts';
import type { FrameTap, StreamTap } from './ports.ts';

/** The connection of an encoder, and the stream it registered. */
export interface EncoderLink {
  readonly peer: Peer;
  stream: Stream | undefined;
  produces: readonly Channel[];
  consumes: readonly Channel[];
}

export interface StreamParts extends AudienceParts {
  limits: IngestLimits;
  tap: FrameTap;
}

/** A live stream: it keeps its id, owner, viewers and newest frame while encoders come and go. */
export class Stream {
  readonly id: string;
  readonly ownerId: string;
  readonly newest = new NewestFrame();
  readonly audience: Audience;
  readonly limit: IngestLimit;
  readonly tap: StreamTap;
  /** At most one `RATE_LIMITED` a second. */
  readonly rateNotice = new OncePer(1000);
  status: StreamStatus = 'online';
  /** Undefined while the encoder is away and its grace runs. */
  encoder: EncoderLink | undefined;
  /** When the grace ends, ms of the monotonic clock. */
  graceEndsMs = Number.POSITIVE_INFINITY;
  lastFrameMs = Number.NEGATIVE_INFINITY;
  /** Number of the newest frame, from 1. */
  seq = 0;

  constructor(id: string, ownerId: string, key: number, nowMs: number, parts: StreamParts) {
    this.id = id;
    this.ownerId = ownerId;
    this.limit = new IngestLimit(parts.limits, nowMs);
    this.tap = parts.tap.open(id, nowMs);
    this.audience = new Audience(key, this.newest, parts);
  }
}
