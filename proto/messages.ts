import * as z from 'zod';
import type { ErrorCode } from './errors.ts';
import { MAX_ALERT_TEXT_LENGTH, STREAM_ID_PATTERN } from './limits.ts';
import { metadataSchema } from './metadata.ts';

/**
 * Mobile JSON encoders (Swift, Kotlin, Gson) write absent optionals as `null`: both mean "not given".
 */
function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

const streamId = z.string().regex(STREAM_ID_PATTERN, 'must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -');
const channel = z.enum(['video-frame', 'alert']);
const channels = optional(z.array(channel));

/** What flows over a subscription or out of a registration. */
export type Channel = z.infer<typeof channel>;

const severity = z.enum(['low', 'medium', 'high', 'critical']);

const registerSchema = z.object({
  type: z.literal('register'),
  clientType: z.literal('mobile'),
  streamId: optional(streamId),
  produces: channels,
  consumes: channels,
  metadata: optional(metadataSchema),
});

const subscribeSchema = z.object({
  type: z.literal('subscribe'),
  clientType: z.literal('dashboard'),
  streamId,
  consumes: channels,
});

const unsubscribeSchema = z.object({ type: z.literal('unsubscribe'), streamId });

const alertSchema = z.object({
  type: z.literal('alert'),
  streamId,
  severity,
  message: z
    .string()
    .min(1)
    .max(MAX_ALERT_TEXT_LENGTH)
    .transform((text) => text.toWellFormed()),
  metadata: optional(metadataSchema),
  timestamp: optional(z.number()),
});

/** What an ML service answers: `type` may be missing there, since nothing but alerts comes from it. */
export const reportedAlertSchema = alertSchema.omit({ type: true });

/** Every control message of a client. `video-frame` is not here: it is read in place, see `frame.ts`. */
export const controlSchemas = {
  register: registerSchema,
  subscribe: subscribeSchema,
  unsubscribe: unsubscribeSchema,
  alert: alertSchema,
} as const;

export type RegisterMessage = z.infer<typeof registerSchema>;
export type SubscribeMessage = z.infer<typeof subscribeSchema>;
type UnsubscribeMessage = z.infer<typeof unsubscribeSchema>;
export type AlertMessage = z.infer<typeof alertSchema>;
export type ReportedAlert = z.infer<typeof reportedAlertSchema>;
export type ControlMessage = RegisterMessage | SubscribeMessage | UnsubscribeMessage | AlertMessage;

/** A stream's state as viewers see it. */
export type StreamStatus = 'online' | 'streaming' | 'offline';

/** An alert as the router sends it on: everything filled in, times in ms since the epoch. */
interface DeliveredAlert {
  type: 'alert';
  id: string;
  streamId: string;
  severity: z.infer<typeof severity>;
  message: string;
  metadata: Record<string, unknown>;
  timestamp: number;
}

/** Every control message a router sends. Times are ms since the epoch. */
export type ServerMessage =
  | { type: 'success'; message: string; streamId: string; timestamp: number }
  | { type: 'error'; code: ErrorCode; message: string; streamId?: string; timestamp: number }
  | { type: 'status'; streamId: string; status: StreamStatus; timestamp: number }
  | { type: 'going-away'; reconnectAfterMs: number; timestamp: number }
  | DeliveredAlert;
