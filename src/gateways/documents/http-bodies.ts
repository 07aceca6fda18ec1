import * as z from 'zod';
import { reportedAlertSchema } from '../../../proto/messages.ts';
import { reservationSchema } from '../http/streams-api.ts';
import type { Stats as MeteredStats } from '../metrics/stats.ts';
import { anomalyMessage, deliveredAlert, streamStatus } from './server-messages.ts';

/** What goes over HTTP as JSON, by the name it has in the document. Fields that are not here may come. */

const isoTime = z.iso.datetime();
const metadata = z.record(z.string(), z.unknown()).describe('Whatever the device said of itself');
const counts = z.record(z.string(), z.int()).describe('By cause');

const ErrorBody = z
  .object({
    error: z.object({
      code: z.string().describe('For programs'),
      message: z.string().describe('For the developer'),
    }),
  })
  .describe('The one shape of all errors');

const Ticket = z.object({
  ticket: z.string().describe('Needs no escaping in a URL'),
  expiresInMs: z.int(),
});

const ReservedStream = z.object({
  streamId: z.string(),
  message: z.string(),
  status: z.literal('offline'),
  unusedForMs: z.int().describe('How long the name is kept while no encoder registers it'),
});

const StreamList = z.object({
  streams: z
    .array(
      z.object({
        id: z.string(),
        deviceName: z.string().nullable(),
        deviceType: z.string().nullable(),
        status: streamStatus,
        lastSeen: isoTime.describe('Its last frame, or the last time its encoder came or went'),
        createdAt: isoTime,
        reserved: z.boolean().describe('Its name is kept while it is offline'),
        metadata,
      }),
    )
    .describe('The oldest first'),
  source: z.literal('memory'),
});

const UserStream = z.object({
  user_id: z.string(),
  stream_id: z.string(),
  status: streamStatus,
  device_name: z.string().nullable(),
  device_type: z.string().nullable(),
  created_at: isoTime,
  last_seen: isoTime,
  reserved: z.boolean(),
  metadata,
});

const UserStreams = z.object({ user_id: z.string(), streams: z.array(UserStream.omit({ user_id: true })) });
const DeletedStream = z.object({ user_id: z.string(), stream_id: z.string(), status: z.literal('deleted') });
const DeletedStreams = z.object({ user_id: z.string(), deleted: z.array(z.string()) });

const AlertPage = z.object({
  alerts: z
    .array(
      deliveredAlert.extend({
        createdAt: isoTime.describe('When it came to the router'),
        frameUrl: z.string().exactOptional().describe('Where its picture is, if it is kept'),
      }),
    )
    .describe('The newest first'),
  nextCursor: z.string().nullable().describe('For `cursor`, to get the next page; null: there is none'),
  source: z.literal('memory'),
});

const ReportedAlert = reportedAlertSchema;
const ReportedAnomaly = anomalyMessage
  .pick({ type: true, stream_id: true, result: true })
  .describe('An alert in the older words. All it says but the stream is in `metadata.anomaly` of the alert');

const TakenAlerts = z.object({
  accepted: z.int(),
  refused: z.array(
    z.object({ index: z.int().describe('In the list that was sent'), code: z.string(), message: z.string() }),
  ),
});

const PostedFrames = z.object({
  streamId: z.string(),
  frames: z.object({
    received: z.int(),
    accepted: z.int(),
    rejected: z.object({ rate: z.int().describe('Over the stream’s rate'), invalid: z.int() }),
  }),
});

const ConnectionStats = z.object({
  totalProducers: z.int().describe('Streams with an encoder connected'),
  totalVideoConsumers: z.int().describe('Subscriptions to frames of live streams'),
  totalAlertConsumers: z.int().describe('Who is sent alerts of live streams'),
  totalConnections: z
    .int()
    .describe('Open WebSockets whose session was found good, and `live.mjpeg` that is being watched'),
  activeStreams: z.array(z.string()).describe('Ids of all live streams'),
});

const Health = z.object({
  status: z.enum(['healthy', 'draining']),
  timestamp: isoTime,
  authMode: z.literal('insecure-dev').exactOptional().describe('Everybody is let in'),
  stats: ConnectionStats,
});

const Live = z.object({ status: z.literal('live') });
const Ready = z.object({
  status: z.enum(['ready', 'draining']),
  degraded: z.array(z.string()).describe('What does not work just now, though the router does: `ml`'),
});

const Stats = ConnectionStats.extend({
  frames: z
    .object({
      received: z.int(),
      rejected: counts,
      offered: z.int().describe('One for each viewer that a frame was there for'),
      delivered: z.int(),
      dropped: counts,
      inFlight: z.int(),
    })
    .describe('`offered` is always `delivered`, all that were `dropped`, and `inFlight` together'),
  alerts: counts,
  messages: counts,
  streams: counts,
  viewers: counts,
  ml: z
    .object({
      sampled: z.int(),
      sent: z.int(),
      waiting: z.int(),
      requests: z.int(),
      failedRequests: z.int(),
      inFlight: z.int(),
      dropped: counts,
      alerts: z.object({ accepted: z.int(), refused: z.int() }),
      breaker: z.enum(['closed', 'open', 'half-open']),
      connected: z.boolean(),
    })
    .nullable()
    .describe('Null: the router has no ML service'),
  webhook: z
    .object({
      queued: z.int(),
      inFlight: z.int(),
      delivered: z.int(),
      retries: z.int(),
      dropped: counts,
    })
    .nullable()
    .describe('Null: alerts are forwarded to nobody'),
  sessions: z.object({ lookUps: z.int(), ended: z.int() }),
  connections: z.object({ refused: counts }),
  process: z.object({
    uptimeSeconds: z.int(),
    cpuSeconds: z.number().describe('Of all its threads, user and system'),
    residentBytes: z.int(),
  }),
}) satisfies z.ZodType<Pick<MeteredStats, 'ml' | 'webhook' | 'sessions' | 'connections' | 'process'>>;

export const HTTP_BODIES = {
  Error: ErrorBody,
  Ticket,
  Reservation: reservationSchema,
  ReservedStream,
  StreamList,
  UserStream,
  UserStreams,
  DeletedStream,
  DeletedStreams,
  AlertPage,
  ReportedAlert,
  ReportedAnomaly,
  TakenAlerts,
  PostedFrames,
  ConnectionStats,
  Health,
  Live,
  Ready,
  Stats,
} as const;

export type BodyName = keyof typeof HTTP_BODIES;
