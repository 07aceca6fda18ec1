import * as z from 'zod';
import { reportedAlertSchema } from '../../../proto/messages.ts';
import type { ConnectionRow as Row } from '../../router/connection-row.ts';
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
        own: z.boolean().optional().describe('With `watchable=true`: whether it is the user’s own'),
      }),
    )
    .describe('The oldest first; own ones before those of others'),
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

const age = z.int().nonnegative();

const FedStream = z.object({
  streamId: z.string(),
  status: streamStatus,
  receivedFrames: z.int().describe('Of this connection, rejected ones among them'),
  rejected: z
    .object({ notYours: z.int(), rate: z.int(), invalid: z.int().describe('With any other malformed message') })
    .describe('Of this connection'),
  limitFps: z.int().describe('Frames a second that are let in'),
  askedFps: z.int().nullable().describe('What it was asked for with `throttle`; null: never asked'),
  viewers: z.int(),
  lastFrameAgeMs: age.nullable().describe('Null: there was none yet'),
  arrivedAfterMs: z
    .int()
    .nullable()
    .describe('From the newest frame’s `timestamp` until it came in: its way, and what the two clocks differ by'),
});

const WatchedStream = z.object({
  streamId: z.string(),
  isLive: z.boolean().describe('False: the subscription waits for a stream of that id'),
  maxFps: z.number().nullable().describe('Null: as many as come'),
  window: z.int().nullable().describe('Null: it acknowledges nothing'),
  offered: z.int().describe('Always `delivered`, all that were `dropped`, and `inFlight` together'),
  delivered: z.int(),
  dropped: z.object({ slow: z.int(), fps: z.int(), closed: z.int() }),
  inFlight: z.int(),
  unackedForMs: age.nullable().describe('How long nothing was acknowledged though frames are on their way'),
  lastDeliveredAgeMs: age.nullable(),
});

const ConnectionRow = z.object({
  id: z.string().describe('The same as long as the connection lasts'),
  role: z.enum(['encoder', 'viewer', 'ml', 'alerts', 'unnamed']).describe('`unnamed`: it has not said yet'),
  userId: z.string().nullable().describe('Null: the ML service, which is no user'),
  transport: z.enum(['websocket', 'mjpeg', 'http']),
  path: z.string().describe('By which it came'),
  encoding: z.enum(['json', 'msgpack']).nullable(),
  connectedAtMs: z.int().describe('Ms since the epoch'),
  address: z.string().exactOptional().describe('Only with `OPS_TOKEN`'),
  waitingBytes: z.int().describe('What waits for it in the router; what the kernel holds is not known'),
  rttMs: age.nullable().describe('Of the last ping, every 30 s'),
  stream: FedStream.nullable().exactOptional().describe('Of an encoder; null before it has registered'),
  subscriptions: z
    .array(WatchedStream)
    .exactOptional()
    .describe('Of a viewer: its slowest, up to 20, and fewer where more than 200 rows are asked for'),
  subscriptionCount: z.int().exactOptional().describe('How many it has'),
}) satisfies z.ZodType<Row>;

const ConnectionTable = z.object({
  connections: z.array(ConnectionRow).describe('The slowest first'),
  total: z.int().describe('How many there are to see'),
  more: z.boolean().describe('There are more than these'),
  at: z.int().describe('When it was looked at, ms since the epoch'),
  source: z.literal('memory'),
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
  frameAgeMs: z
    .object({ median: z.int(), worst: z.int() })
    .describe(
      'How old the newest frames of streams were when they came, by their encoders’ clocks; 0 while nothing streams',
    ),
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
}) satisfies z.ZodType<Pick<MeteredStats, 'frameAgeMs' | 'ml' | 'webhook' | 'sessions' | 'connections' | 'process'>>;

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
  ConnectionTable,
  ConnectionStats,
  Health,
  Live,
  Ready,
  Stats,
} as const;

export type BodyName = keyof typeof HTTP_BODIES;
