import * as z from 'zod';
import { STREAM_ID_PATTERN } from '../../../proto/limits.ts';
import { controlSchemas, reportedAlertSchema } from '../../../proto/messages.ts';

/** A message of a client, and words for those who write one. */
export interface ClientMessage {
  schema: z.ZodObject;
  summary: string;
  fields: Readonly<Record<string, string>>;
  example: Readonly<Record<string, unknown>>;
}

const UNDERSTANDS =
  'Which of `throttle`, `heartbeat` and `going-away` it wants; who offered a subprotocol gets all of them';
const TOKEN = 'In the first message of a connection that was opened without credentials: the session’s token';
const SEVERITY = 'How bad it is';
const ALERT_METADATA = 'Anything, nested up to 32 deep';
const ALERT_TIMESTAMP = 'Ms since the epoch; default: now';

/** Every field must be there, but for those that say themselves what they are. */
type Words<S extends z.ZodObject> = Record<Exclude<keyof S['shape'] & string, 'type' | 'clientType'>, string>;

function message<S extends z.ZodObject>(
  schema: S,
  summary: string,
  fields: Words<S> & { clientType?: string },
  example: Record<string, unknown>,
): ClientMessage {
  return { schema, summary, fields, example };
}

const { auth, register, subscribe, unsubscribe, ack, alert, heartbeat } = controlSchemas;

const frameSchema = z.object({
  type: z.literal('video-frame'),
  streamId: z.string().regex(STREAM_ID_PATTERN),
  data: z.base64().min(8),
  timestamp: z.number(),
});

/** What clients may send, by the name it has in the document. */
export const CLIENT_MESSAGES = {
  auth: message(
    auth,
    'The first message of a connection that was opened without credentials. Later: another session of the same user',
    { token: 'The session’s token, raw or signed' },
    { type: 'auth', token: 'the-session-token' },
  ),
  register: message(
    register,
    'An encoder says which stream it sends',
    {
      streamId: 'The name to register; without one the router makes one',
      produces: 'Default: frames. Only who lists `alert` may send alerts',
      consumes: 'Default: nothing. Who lists `alert` is sent those of its stream',
      metadata: 'Anything: device name, resolution … At most 16,384 characters as JSON',
      understands: UNDERSTANDS,
      resumeToken: 'From the last `success`: go on with that stream',
      token: TOKEN,
    },
    { type: 'register', clientType: 'mobile', produces: ['video-frame'], consumes: ['alert'] },
  ),
  'video-frame': message(
    frameSchema,
    'One picture, as JSON text. There is no answer',
    {
      streamId: 'The registered stream',
      data: 'Base64 of the JPEG, with padding, without line breaks',
      timestamp: 'When it was captured, ms since the epoch',
    },
    { type: 'video-frame', streamId: 'gate', data: '/9j/4AAQ', timestamp: 1729943200040 },
  ),
  alert: message(
    alert,
    'An alert of an encoder that registered with `produces: ["alert"]`',
    {
      streamId: 'The registered stream',
      severity: SEVERITY,
      message: 'What was seen',
      metadata: ALERT_METADATA,
      timestamp: ALERT_TIMESTAMP,
    },
    { type: 'alert', streamId: 'gate', severity: 'high', message: 'Button pressed' },
  ),
  subscribe: message(
    subscribe,
    'A viewer says what it watches. Subscribing again replaces what was asked for before',
    {
      clientType: '`ml-service`: with the service token, where a router admits it',
      streamId: 'The stream, or `*`: all streams of the session’s user. Either this or `streamIds`',
      streamIds: 'Several streams',
      consumes: 'Default: both',
      maxFps: 'Most frames a second of each stream',
      window: 'Most frames of each stream that are on their way at a time; each is answered with `ack`',
      since: 'Id of the last alert that it has seen: later ones are sent again',
      understands: UNDERSTANDS,
      token: TOKEN,
    },
    { type: 'subscribe', clientType: 'dashboard', streamId: 'gate', consumes: ['video-frame', 'alert'] },
  ),
  unsubscribe: message(
    unsubscribe,
    'Ends a subscription',
    { streamId: 'The stream, or `*`' },
    { type: 'unsubscribe', streamId: 'gate' },
  ),
  ack: message(
    ack,
    'A viewer with a `window` is ready for more',
    {
      streamId: 'The stream, never `*`',
      received: 'How many of its frames have arrived on this subscription',
    },
    { type: 'ack', streamId: 'gate', received: 3 },
  ),
  heartbeat: message(
    heartbeat,
    'Answered with `heartbeat` at once: the time between the two is the round trip',
    {},
    { type: 'heartbeat' },
  ),
  'service-alert': message(
    reportedAlertSchema.extend({ type: z.literal('alert') }),
    'An alert of an ML service that is a client. It may also be written as `anomaly_detected`',
    {
      streamId: 'Any stream',
      severity: SEVERITY,
      message: 'What was seen',
      metadata: ALERT_METADATA,
      timestamp: ALERT_TIMESTAMP,
      id: 'The service’s own: an alert that comes again with it while the stream lives is the same one',
      seq: 'Number of the frame in which it was seen',
    },
    {
      type: 'alert',
      streamId: 'gate',
      severity: 'high',
      message: 'Person at the gate',
      metadata: { confidence: 0.95 },
    },
  ),
} as const;
