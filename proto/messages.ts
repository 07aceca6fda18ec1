import * as z from 'zod';
import type { ErrorCode } from './errors.ts';
import {
  ALL_STREAMS,
  MAX_ALERT_TEXT_LENGTH,
  MAX_SINCE_LENGTH,
  MAX_STREAM_METADATA_LENGTH,
  MAX_SUBSCRIPTIONS,
  MAX_TOKEN_LENGTH,
  MAX_WINDOW_FRAMES,
  STREAM_ID_PATTERN,
  VIEWER_FPS,
} from './limits.ts';
import { metadataSchema } from './metadata.ts';

/**
 * Mobile JSON encoders (Swift, Kotlin, Gson) write absent optionals as `null`: both mean "not given".
 */
function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

const streamId = z.string().regex(STREAM_ID_PATTERN, 'must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -');
const streamIdOrAll = z.string().refine((id) => id === ALL_STREAMS || STREAM_ID_PATTERN.test(id), {
  error: `must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -, or "${ALL_STREAMS}"`,
});
const channel = z.enum(['video-frame', 'alert']);
/** With a bound: of a list of a million wrong values each would be reported, which takes seconds. */
const channels = optional(z.array(channel).max(8));

/**
 * Messages that a client must ask for, since clients of the first router would not know them. Who offered a subprotocol is sent all of them.
 */
export const NOTICES = ['throttle', 'heartbeat', 'going-away'] as const;
export type Notice = (typeof NOTICES)[number];

function isNotice(name: string): name is Notice {
  return (NOTICES as readonly string[]).includes(name);
}

/** Names of messages that this version does not know are left out: a newer client must be able to list them. */
const understands = optional(
  z
    .array(z.string())
    .max(32)
    .transform((names) => names.filter(isNotice)),
);

/** What flows over a subscription or out of a registration. */
export type Channel = z.infer<typeof channel>;

/** How bad it is, from harmless to worst. */
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
const severity = z.enum(SEVERITIES);

const token = z.string().min(1).max(MAX_TOKEN_LENGTH);

/** The first message of a connection that was opened without credentials; later it renews what a connection may. */
const authSchema = z.object({ type: z.literal('auth'), token });

/** `metadata` of a stream. */
export const streamMetadata = metadataSchema.refine(
  (metadata) => JSON.stringify(metadata).length <= MAX_STREAM_METADATA_LENGTH,
  `must have at most ${MAX_STREAM_METADATA_LENGTH} characters as JSON`,
);

const registerSchema = z.object({
  type: z.literal('register'),
  clientType: z.literal('mobile'),
  streamId: optional(streamId),
  produces: channels,
  consumes: channels,
  metadata: optional(streamMetadata),
  understands,
  /** From the `success` of an earlier registration: which stream to go on with. */
  resumeToken: optional(z.string().min(1).max(256)),
  /** In the first message of a connection that was opened without credentials; has no meaning in any other. */
  token: optional(token),
});

const viewerFps = z.literal(VIEWER_FPS, `must be one of ${VIEWER_FPS.join(', ')}`);

const subscribeSchema = z
  .object({
    type: z.literal('subscribe'),
    /** `ml-service`: with the service token, where a router admits it. */
    clientType: z.enum(['dashboard', 'ml-service']),
    /** One stream, or `*`: all streams of the session's user, those included that begin later. */
    streamId: optional(streamIdOrAll),
    streamIds: optional(z.array(streamId).min(1).max(MAX_SUBSCRIPTIONS)),
    consumes: channels,
    /** Most frames a second that this viewer wants of each stream. */
    maxFps: optional(viewerFps),
    /** Frames of each stream on their way to this viewer at a time; it answers each with `ack`. */
    window: optional(z.int().min(1).max(MAX_WINDOW_FRAMES)),
    /** Id of the last alert this viewer has seen: later ones are sent again. */
    since: optional(z.string().min(1).max(MAX_SINCE_LENGTH)),
    understands,
    /** As in `register`. */
    token: optional(token),
  })
  .refine(({ streamId: one, streamIds: many }) => one !== undefined || many !== undefined, {
    path: ['streamId'],
    error: 'required, or streamIds',
  })
  .refine(({ streamId: one, streamIds: many }) => one === undefined || many === undefined, {
    path: ['streamId'],
    error: 'not together with streamIds',
  });

const unsubscribeSchema = z.object({
  type: z.literal('unsubscribe'),
  streamId: streamIdOrAll,
});

const ackSchema = z.object({
  type: z.literal('ack'),
  streamId,
  /** Frames of this stream that have arrived on this subscription so far. */
  received: z.int().min(0),
});

const heartbeatSchema = z.object({ type: z.literal('heartbeat') });

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
export const reportedAlertSchema = alertSchema.omit({ type: true }).extend({
  /** The service's own: an alert that comes again with it while the stream lives is the same one. */
  id: optional(z.string().min(1).max(128)),
  /** Number of the frame in which it was seen, as it was sent to the service. */
  seq: optional(z.int().min(1)),
});

/** Every control message of a client. `video-frame` is not here: it is read in place, see `frame.ts`. */
export const controlSchemas = {
  auth: authSchema,
  register: registerSchema,
  subscribe: subscribeSchema,
  unsubscribe: unsubscribeSchema,
  ack: ackSchema,
  alert: alertSchema,
  heartbeat: heartbeatSchema,
} as const;

/** What may be undefined may also be left out. */
type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: T[K];
};

export type RegisterMessage = Given<z.infer<typeof registerSchema>>;
export type SubscribeMessage = Given<z.infer<typeof subscribeSchema>>;
type UnsubscribeMessage = z.infer<typeof unsubscribeSchema>;
export type AckMessage = z.infer<typeof ackSchema>;
export type AlertMessage = Given<z.infer<typeof alertSchema>>;
export type ReportedAlert = Given<z.infer<typeof reportedAlertSchema>>;
/** An alert of an ML service that is a client. */
export type ServiceAlert = ReportedAlert & { type: 'alert' };
export type AuthMessage = z.infer<typeof authSchema>;
export type ControlMessage =
  | AuthMessage
  | RegisterMessage
  | SubscribeMessage
  | UnsubscribeMessage
  | AckMessage
  | AlertMessage
  | z.infer<typeof heartbeatSchema>;

/** A stream's state as viewers see it. */
export type StreamStatus = 'online' | 'streaming' | 'offline';

/** An alert as the router sends it on: everything filled in, times in ms since the epoch. */
export interface DeliveredAlert {
  type: 'alert';
  id: string;
  streamId: string;
  severity: z.infer<typeof severity>;
  message: string;
  metadata: Record<string, unknown>;
  timestamp: number;
  /**
   * The picture in which it was seen, where the router knows it. `ageMs`: from its arrival at the router to the alert. `sinceCaptureMs`: from its capture,
   * which is as right as the encoder's clock.
   */
  frame?: { seq: number; timestamp: number; ageMs: number; sinceCaptureMs: number };
}

/** Every control message a router sends. Times are ms since the epoch. */
export type ServerMessage =
  | {
      type: 'success';
      message: string;
      /** Which stream it is about; none after `auth`. */
      streamId?: string;
      /** After `register`: how to go on with this stream on another connection. */
      resumeToken?: string;
      /** After `subscribe` with `since`: whether all alerts after it are sent now, or older ones are forgotten. */
      alerts?: 'complete' | 'gap';
      /** After `subscribe`: sorts after all alerts so far, for who comes back before it has seen one. It is the id of none. */
      lastAlert?: string;
      timestamp: number;
    }
  | { type: 'error'; code: ErrorCode; message: string; streamId?: string; timestamp: number }
  | { type: 'status'; streamId: string; status: StreamStatus; timestamp: number }
  /** `maxFps`: more frames a second are wanted by nobody (`demand`), or are dropped (`rate-limit`). */
  | { type: 'throttle'; streamId: string; maxFps: number; reason: 'demand' | 'rate-limit'; timestamp: number }
  | { type: 'heartbeat'; timestamp: number }
  | { type: 'going-away'; reconnectAfterMs: number; timestamp: number }
  | DeliveredAlert;
