import * as z from 'zod';
import { ErrorCode } from '../../../proto/errors.ts';
import { type DeliveredAlert, SEVERITIES, type ServerMessage } from '../../../proto/messages.ts';

/**
 * What a router sends, in a form that documents can be made of; the types are in `proto/messages.ts`. Clients ignore fields that they do not know,
 * so more of them may come.
 */

const timestamp = z.number().describe('Ms since the epoch');

export const streamStatus = z
  .enum(['online', 'streaming', 'offline'])
  .describe('`online`: an encoder is there. `streaming`: frames come. `offline`: neither');

export const deliveredAlert = z
  .object({
    type: z.literal('alert'),
    id: z.string().describe('Unique. Later ones sort after earlier ones, as text'),
    streamId: z.string(),
    severity: z.enum(SEVERITIES),
    message: z.string(),
    metadata: z.record(z.string(), z.unknown()).describe('Whatever its sender says of it'),
    timestamp,
    frame: z
      .object({
        seq: z.int().describe('Its number in the stream'),
        timestamp: z.number().describe('When it was captured, ms since the epoch, by the encoder’s clock'),
        ageMs: z.number().describe('From its arrival at the router to the alert'),
        sinceCaptureMs: z.number().describe('From its capture to the alert'),
      })
      .exactOptional()
      .describe('The picture in which it was seen, where the router knows it'),
  })
  .meta({
    examples: [
      {
        type: 'alert',
        id: '019a2f4f-02d4-7000-8000-1c5f3e2b9a77',
        streamId: 'gate',
        severity: 'high',
        message: 'Person at the gate',
        metadata: { confidence: 0.95 },
        timestamp: 1729943201100,
        frame: { seq: 42, timestamp: 1729943200900, ageMs: 180, sinceCaptureMs: 200 },
      },
    ],
  }) satisfies z.ZodType<DeliveredAlert>;

/** Control messages by their type; `video-frame` is not one of them. */
export const serverMessages = {
  success: z.object({
    type: z.literal('success'),
    message: z.string().describe('For people, but for the two texts that older clients match on, see the protocol'),
    streamId: z.string().exactOptional().describe('Which stream it is about; none after `auth`'),
    resumeToken: z
      .string()
      .exactOptional()
      .describe('After `register`: how to go on with this stream on another connection'),
    alerts: z
      .enum(['complete', 'gap'])
      .exactOptional()
      .describe('After `subscribe` with `since`: whether none is missing'),
    lastAlert: z
      .string()
      .exactOptional()
      .describe('After `subscribe`: what to keep for `since` until an alert has come'),
    timestamp,
  }),
  error: z.object({
    type: z.literal('error'),
    code: z.enum(ErrorCode),
    message: z.string().describe('For the developer. It begins with the field it is about'),
    streamId: z.string().exactOptional().describe('When a subscription is what was refused or ended'),
    timestamp,
  }),
  status: z.object({ type: z.literal('status'), streamId: z.string(), status: streamStatus, timestamp }),
  throttle: z.object({
    type: z.literal('throttle'),
    streamId: z.string(),
    maxFps: z.int().min(1).describe('The most frames a second that make sense'),
    reason: z
      .enum(['demand', 'rate-limit'])
      .describe('`demand`: nobody needs more. `rate-limit`: the router takes no more'),
    timestamp,
  }),
  heartbeat: z.object({ type: z.literal('heartbeat'), timestamp }),
  'going-away': z.object({
    type: z.literal('going-away'),
    reconnectAfterMs: z.int().min(0).describe('Reconnect so long after the close with 1012'),
    timestamp,
  }),
  alert: deliveredAlert,
} as const satisfies { [T in ServerMessage['type']]: z.ZodType<Extract<ServerMessage, { type: T }>> };

/** An alert in the older words. */
export const anomalyMessage = z
  .looseObject({
    type: z.literal('anomaly_detected'),
    user_id: z.string().describe('The stream’s owner'),
    stream_id: z.string(),
    result: z
      .record(z.string(), z.unknown())
      .describe('As the service said it, or `classification`, `confidence`, `is_abnormal`'),
    annotated_frame: z.string().exactOptional().describe('Base64 of the picture in which it was seen'),
    frame_format: z.string().exactOptional().describe('`jpeg`'),
    id: z.string(),
    severity: z.enum(SEVERITIES),
    message: z.string(),
    metadata: z.record(z.string(), z.unknown()),
    timestamp,
    frame: deliveredAlert.shape.frame,
  })
  .meta({
    examples: [
      {
        type: 'anomaly_detected',
        user_id: 'user123',
        stream_id: 'gate',
        result: { classification: 'Person at the gate', confidence: 'High', is_abnormal: true },
        id: '019a2f4f-02d4-7000-8000-1c5f3e2b9a77',
        severity: 'high',
        message: 'Person at the gate',
        metadata: {},
        timestamp: 1729943201100,
      },
    ],
  });
