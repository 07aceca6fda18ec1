import { skipValue } from '../../proto/msgpack-scan.ts';
import { OncePer } from '../router/once-per.ts';
import type { Clock, Log } from '../router/ports.ts';
import { alertsInMessage, MAX_ALERTS_PER_MESSAGE } from './alert-message.ts';
import { BatchEncoders } from './batch-encoders.ts';
import { addressOf, messageOf, RedisLink } from './redis-link.ts';
import type { MlTransport, SampledFrame } from './transport.ts';

export interface RedisTransportParts {
  /** `redis://` or `rediss://`, with credentials and a database number where they are needed. */
  url: string;
  batchSize: number;
  /** How long Redis may take to answer a batch. */
  timeoutMs: number;
  log: Log;
  clock: Clock;
  /** Takes one alert as the service wrote it. Throws when it is refused. */
  onAlert: (alert: unknown) => void;
  /** `binary`: MessagePack. `json`: the original contract, base64. */
  form: 'binary' | 'json';
}

const FRAMES_CHANNEL = 'video-frames';
const ALERTS_CHANNEL = 'ml-alerts';
/** Alerts are small; a larger message is a broken service. */
const MAX_ALERT_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_KEPT_ENCODERS = 4;

/**
 * The ML service behind Redis: each frame is PUBLISHed to `video-frames`, alerts come at any time on `ml-alerts`.
 *
 * `binary`: one MessagePack map `{streamId,timestamp,seq,data}` a frame. `json`: `{streamId,frame,timestamp}`, base64. An alert
 * message is JSON or MessagePack: one alert, a list, or `{alerts:[…]}`. While Redis is away frames are dropped, never queued.
 */
export function createRedisTransport(parts: RedisTransportParts): MlTransport {
  const address = addressOf(parts.url);
  const encoders = new BatchEncoders(MAX_KEPT_ENCODERS);
  const reader = new AlertReader(parts);
  const take = (message: Buffer) => reader.take(message);
  const frameLink = new RedisLink({ ...parts, address, name: FRAMES_CHANNEL, prepare: async () => undefined });
  const alertLink = new RedisLink({
    ...parts,
    address,
    name: ALERTS_CHANNEL,
    // With the same listener again it costs nothing: the library subscribes once.
    prepare: (client) => client.subscribe(ALERTS_CHANNEL, take, true),
  });

  return {
    reconnects: true,
    get isConnected() {
      return frameLink.isConnected && alertLink.isConnected;
    },
    isBusy: false,
    batchSize: () => parts.batchSize,
    async analyze(frames) {
      await frameLink.ask(async (client) => {
        const batch = parts.form === 'json' ? jsonBatch(frames) : binaryBatch(encoders, frames);
        await Promise.all(batch.messages.map((message) => client.publish(FRAMES_CHANNEL, message)));
        // All answered, so all were read: only then may the memory be written again.
        batch.release();
      });
      return [];
    },
    async close() {
      frameLink.close();
      alertLink.close();
    },
  };
}

interface Batch {
  messages: (string | Buffer)[];
  release(): void;
}

function jsonBatch(frames: readonly SampledFrame[]): Batch {
  const messages = frames.map(({ streamId, timestamp, data }) => {
    const frame = Buffer.from(data.buffer, data.byteOffset, data.length).toString('base64');
    return JSON.stringify({ streamId, frame, timestamp });
  });
  return { messages, release: () => undefined };
}

/** Encodes `{frames:[…]}` and publishes its elements: a frame's map lies in there as it is. */
function binaryBatch(encoders: BatchEncoders, frames: readonly SampledFrame[]): Batch {
  const { bytes, release } = encoders.encode(frames);
  const listAt = skipValue(bytes, 1);
  let start = listAt + listHeadBytes(frames.length);
  const messages = frames.map(() => {
    const end = skipValue(bytes, start);
    const message = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    start = end;
    return message;
  });
  return { messages, release };
}

function listHeadBytes(length: number): number {
  if (length < 16) return 1;
  return length < 65_536 ? 3 : 5;
}

/** Takes alert messages apart. Throws nothing, whatever they hold: the library would lose its place in the stream. */
class AlertReader {
  readonly #parts: RedisTransportParts;
  readonly #messageLine = new OncePer(1000);
  readonly #alertLine = new OncePer(1000);

  constructor(parts: RedisTransportParts) {
    this.#parts = parts;
  }

  take(message: Buffer): void {
    try {
      const alerts = alertsOf(message);
      for (const alert of alerts.slice(0, MAX_ALERTS_PER_MESSAGE)) this.#deliver(alert);
      if (alerts.length > MAX_ALERTS_PER_MESSAGE) throw new Error(`more than ${MAX_ALERTS_PER_MESSAGE} alerts at once`);
    } catch (error) {
      this.#say(this.#messageLine, { bytes: message.length, reason: messageOf(error) }, 'alert message refused');
    }
  }

  #deliver(alert: unknown): void {
    try {
      this.#parts.onAlert(alert);
    } catch (error) {
      this.#say(this.#alertLine, { reason: messageOf(error) }, 'alert of the ML service refused');
    }
  }

  #say(line: OncePer, facts: Record<string, unknown>, message: string): void {
    const times = line.due(this.#parts.clock.monotonicMs());
    if (times > 0) this.#parts.log('warn', { channel: ALERTS_CHANNEL, times, ...facts }, message);
  }
}

function alertsOf(message: Buffer): readonly unknown[] {
  if (message.length > MAX_ALERT_MESSAGE_BYTES) throw new Error(`over ${MAX_ALERT_MESSAGE_BYTES} bytes`);
  return alertsInMessage(message);
}
