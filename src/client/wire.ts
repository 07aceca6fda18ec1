import { decode, Encoder } from '@msgpack/msgpack';
import { MAX_CONTROL_BYTES } from '../../proto/limits.ts';
import type { Alert, RouterError, StreamStatus } from './types.ts';

/** What a router says, as far as the SDK listens. `proto/messages.ts` has the same for the server, with a validator that pages need not download. */
export type Incoming =
  | {
      type: 'success';
      message: string;
      streamId?: string;
      resumeToken?: string;
      alerts?: 'complete' | 'gap';
      lastAlert?: string;
    }
  | ({ type: 'error' } & RouterError)
  | { type: 'status'; streamId: string; status: StreamStatus }
  | { type: 'video-frame'; streamId: string; timestamp: number; data: Uint8Array<ArrayBuffer> }
  | { type: 'throttle'; streamId: string; maxFps: number; reason: 'demand' | 'rate-limit' }
  | { type: 'heartbeat' }
  | { type: 'going-away'; reconnectAfterMs: number }
  | ({ type: 'alert' } & Alert);

/** A message to the router. Fields that are undefined are not sent. */
export type Outgoing = { type: string } & Readonly<Record<string, unknown>>;

const encoder = new Encoder({ ignoreUndefined: true });

/** Writes one message as MessagePack. */
export function encodeMessage(message: Outgoing): Uint8Array<ArrayBuffer> {
  return encoder.encode(message) as Uint8Array<ArrayBuffer>;
}

/**
 * A copy of metadata as it would arrive: what becomes of the original is not in it.
 * @throws TypeError for what no message can carry: functions, circles and the like, and more than a router takes.
 */
export function copyOfMetadata(metadata: Readonly<Record<string, unknown>>): Record<string, unknown> {
  try {
    const bytes = encoder.encode(metadata);
    if (bytes.length > MAX_CONTROL_BYTES) throw new Error(`over ${MAX_CONTROL_BYTES} bytes`);
    return decode(bytes) as Record<string, unknown>;
  } catch (error) {
    throw new TypeError(`metadata: cannot be sent (${error instanceof Error ? error.message : String(error)})`);
  }
}

/**
 * Reads one message of a router: binary is MessagePack, and `data` of a frame a view into it. Text is JSON, in which it refuses a connection before that has
 * said anything. Undefined for what is neither, or of no type.
 */
export function decodeMessage(data: unknown): Incoming | undefined {
  try {
    const value: unknown = typeof data === 'string' ? JSON.parse(data) : decode(new Uint8Array(data as ArrayBuffer));
    const isMessage = typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
    return isMessage ? (value as Incoming) : undefined;
  } catch {
    return undefined;
  }
}

/** What a message says, without its `type`. */
export function bare<Message extends { type: string }>({ type: _type, ...fields }: Message): Omit<Message, 'type'> {
  return fields;
}
