import { App, us_socket_local_port } from 'uWebSockets.js';
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { v7 as uuidV7 } from 'uuid';
import type { Encoded, Encoding } from '../proto/codec.ts';
import { parseReportedAlert } from '../proto/codec.ts';
import type { ReportedAlert } from '../proto/messages.ts';
import { atMost } from './at-most.ts';
import type { AuthConfig, Config } from './config.ts';
import { clientAddressBehind } from './gateways/client-address.ts';
import { serveDocuments } from './gateways/documents/documents.ts';
import { Guests } from './gateways/guests.ts';
import { serveApi } from './gateways/http/api.ts';
import { serveConnections } from './gateways/http/connections-api.ts';
import { Doorkeeper } from './gateways/http/doorkeeper.ts';
import { serveHttp } from './gateways/http/gateway.ts';
import { loadPages } from './gateways/http/pages.ts';
import { type ListedRoute, Routes } from './gateways/http/routes.ts';
import { createDurations } from './gateways/metrics/durations.ts';
import { createMetrics } from './gateways/metrics/metrics.ts';
import { FramesDoor } from './gateways/pictures/frames-door.ts';
import { LastingRequests } from './gateways/pictures/lasting-requests.ts';
import { serveLiveMjpeg } from './gateways/pictures/live-mjpeg.ts';
import { serveSnapshots } from './gateways/pictures/snapshot.ts';
import { createWebhook } from './gateways/webhook/webhook.ts';
import { ConnectionLimits } from './gateways/websocket/connection-limits.ts';
import { WEB_SOCKET_PATHS } from './gateways/websocket/doors.ts';
import { WebSocketGateway } from './gateways/websocket/gateway.ts';
import { openIdentities } from './identities.ts';
import { listen } from './listen.ts';
import { asLog } from './log.ts';
import { createEvidenceRoom } from './ml/evidence.ts';
import { WatchedFrames } from './ml/watched-frames.ts';
import { createMlFeed } from './ml-feed.ts';
import { processUse } from './process-use.ts';
import { PROJECT_FOLDER, VERSION } from './project.ts';
import { frameAges } from './router/frame-ages.ts';
import { noTap } from './router/no-tap.ts';
import type { Clock } from './router/ports.ts';
import { createRouter } from './router/router.ts';
import { connectionStats, trafficStats } from './router/snapshot.ts';

/** How often time passes for streams: quiet ones, ends of grace, demand, and the last frame for viewers with `maxFps` (a quarter of a second late at most). */
const TICK_MS = 250;
/** A drain ends within 10 s; this leaves the rest for the ML service, the webhook and the database. */
const DRAIN_DEADLINE_MS = 6_000;
const CLOSE_DEADLINE_MS = 1_000;
/** Some five seconds of 10 fps of forty streams, 34 KB a frame. */
const WATCHED_FRAMES_BYTES = 64 * 1024 * 1024;

const systemClock: Clock = { epochMs: () => Date.now(), monotonicMs: () => performance.now() };

/** A router that serves. */
export interface RunningApp {
  readonly port: number;
  /** Every HTTP path, by method. */
  readonly routes: readonly ListedRoute[];
  /** Stops accepting, sends everybody away in order, and lets go of everything it holds. Ends within 10 s. */
  drain(): Promise<void>;
}

/** The composition root: builds every part with explicit arguments, and listens. `config.PORT` 0 takes any free port. */
export async function startApp(config: Config, auth: AuthConfig, logger: Logger): Promise<RunningApp> {
  const log = asLog(logger);
  const clock = systemClock;
  const app = App();
  const durations = createDurations();
  const { sinks } = durations;

  const guests = config.AUTH_MODE === 'insecure-dev' ? new Guests(config.allowedOrigins) : undefined;
  if (guests !== undefined) {
    log(
      'warn',
      { authMode: config.AUTH_MODE, host: config.host },
      'INSECURE: everybody is let in, as whoever they say they are',
    );
  }
  const { authenticator, tickets, liveSessions, owners, lookUps, closePools } = openIdentities({
    config,
    auth,
    clock,
    log,
    lookUpTook: sinks.sessionLookUp,
    countsFailures: guests === undefined,
  });
  const addressOf = clientAddressBehind(config.trustedProxies);
  const allowedOrigins = guests?.origins ?? config.allowedOrigins;

  const after = (delayMs: number, action: () => void) => {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  };
  const webhook =
    config.ALERT_WEBHOOK_URL === undefined
      ? undefined
      : createWebhook({
          url: config.ALERT_WEBHOOK_URL,
          secret: config.ALERT_WEBHOOK_SECRET,
          clock,
          log,
          after,
          random: Math.random,
        });
  const evidence = createEvidenceRoom(config.EVIDENCE_MAX_BYTES);
  const ml =
    config.mlPlace === undefined
      ? undefined
      : await createMlFeed({
          config,
          place: config.mlPlace,
          clock,
          log,
          after,
          onAlert: (reported, frameOf) => {
            const alert = parseReportedAlert(reported);
            router.alerts.fromService(alert, frameOf(alert));
          },
          requestTook: sinks.mlRequest,
        });
  const tap = ml ?? noTap;
  const isWatched = (streamId: string) => router.streams.get(streamId)?.audience.hasService ?? false;
  const watchedFrames = config.ALLOW_ML_CLIENTS
    ? new WatchedFrames({ tap, isWatched, maxBytes: WATCHED_FRAMES_BYTES })
    : undefined;
  const frameOf = (alert: ReportedAlert) => ml?.find(alert) ?? watchedFrames?.find(alert);
  const router = createRouter({
    publisher: {
      publishFrame: (topic: string, frame: Encoded, encoding: Encoding) => {
        app.publish(topic, frame, encoding === 'msgpack', false);
      },
    },
    tap: watchedFrames ?? tap,
    clock,
    defer: setImmediate,
    log,
    limits: {
      maxFps: config.STREAM_MAX_FPS,
      maxBytesPerSecond: config.STREAM_MAX_BYTES_PER_SECOND,
      maxMessageBytes: config.MAX_PAYLOAD_BYTES,
    },
    graceMs: config.STREAM_GRACE_MS,
    access: config.STREAM_ACCESS,
    owners,
    maxStreamsPerUser: config.MAX_STREAMS_PER_USER,
    maxViewersPerStream: config.MAX_VIEWERS_PER_STREAM,
    newStreamId: () => `stream_${randomBytes(16).toString('hex')}`,
    newAlertId: () => uuidV7(),
    newResumeToken: () => randomBytes(16).toString('hex'),
    alertCooldownMs: config.ALERT_COOLDOWN_MS,
    alertSink: webhook,
    evidence,
    frameHandling: sinks.frameHandling,
    alertDelay: sinks.alertDelay,
  });

  const limits = new ConnectionLimits({
    total: config.MAX_CONNECTIONS,
    perAddress: config.MAX_CONNECTIONS_PER_IP,
    pendingPerAddress: config.MAX_PENDING_PER_IP,
    perUser: config.MAX_CONNECTIONS_PER_USER,
  });
  let lastConnectionId = 0;
  const newConnectionId = () => {
    lastConnectionId += 1;
    return lastConnectionId;
  };
  const webSockets = new WebSocketGateway(app, {
    router,
    authenticator,
    sessionWatch: liveSessions,
    owners,
    clock,
    log,
    after,
    maxMessageBytes: config.MAX_PAYLOAD_BYTES,
    maxBackpressureBytes: config.VIEWER_BACKPRESSURE_BYTES,
    limits,
    addressOf,
    allowedOrigins,
    authDeadlineMs: config.AUTH_DEADLINE_MS,
    rejectsAtUpgrade: config.AUTH_REJECT_AT_UPGRADE,
    serviceToken: config.ML_SERVICE_TOKEN,
    allowsMlClients: config.ALLOW_ML_CLIENTS,
    report: (alert) => router.alerts.fromService(alert, frameOf(alert)),
    guests,
    newConnectionId,
  });
  const doorkeeper = new Doorkeeper({
    authenticator,
    allowedOrigins,
    guests,
    serviceToken: config.ML_SERVICE_TOKEN,
    opsToken: config.OPS_TOKEN,
    log,
    refused: (admission, address) => webSockets.noteRefused(admission, address),
  });
  const routes = new Routes(app, { addressOf, allowedOrigins });
  serveApi(routes, {
    router,
    doorkeeper,
    tickets,
    evidence,
    frameOf,
    access: config.STREAM_ACCESS,
  });
  const access = config.STREAM_ACCESS;
  serveSnapshots(routes, { router, doorkeeper, access, clock, startId: randomBytes(6).toString('hex') });
  const lasting = new LastingRequests({
    limits,
    sessionWatch: liveSessions,
    clock,
    refused: (reached, address) => webSockets.noteFull(reached, address),
    newConnectionId,
  });
  serveLiveMjpeg(routes, { router, doorkeeper, access, lasting, clock, log });
  const frames = new FramesDoor(routes, {
    router,
    doorkeeper,
    sessionWatch: liveSessions,
    owners,
    lasting,
    clock,
    log,
    maxPictureBytes: config.MAX_PAYLOAD_BYTES,
    newConnectionId,
  });
  serveConnections(routes, {
    router,
    doorkeeper,
    clock,
    *connections() {
      yield* webSockets.connections();
      yield* lasting.connections();
      yield* frames.connections();
    },
  });
  let draining = false;
  const connections = () => connectionStats(router, webSockets.connectionCount + lasting.count);
  const detailedStats = () => ({
    ...trafficStats(router),
    frameAgeMs: frameAges(router.streams.all, clock),
    ml: ml === undefined ? null : { ...ml.stats, waiting: ml.waiting },
    webhook: webhook?.stats ?? null,
    sessions: { lookUps: lookUps(), ended: liveSessions.ended },
    connections: { refused: webSockets.refused },
    process: processUse(),
  });
  const isReady = () => !draining;
  const degraded = () => (ml?.isDegraded ? ['ml'] : []);
  const metrics = createMetrics({
    stats: () => ({ ...connections(), ...detailedStats() }),
    durations,
    version: VERSION,
    maxConnections: config.MAX_CONNECTIONS,
    isReady,
    parts: ml === undefined ? [] : ['ml'],
    degraded,
  });
  serveDocuments(routes, VERSION);
  serveHttp(routes, {
    connectionStats: connections,
    detailedStats,
    metrics,
    log,
    isReady,
    degraded,
    pages: loadPages(new URL('dist/dashboard/', PROJECT_FOLDER)),
    authMode: guests && config.AUTH_MODE,
    webSocketPaths: WEB_SOCKET_PATHS,
  });

  const listenSocket = await listen(app, config.host, config.PORT);
  const ticks = setInterval(() => router.streams.tick(), TICK_MS);
  const rechecks = setInterval(() => void liveSessions.recheck(), config.SESSION_RECHECK_MS);

  let drained: Promise<void> | undefined;
  return {
    port: us_socket_local_port(listenSocket),
    routes: routes.listed,
    drain() {
      drained ??= drainOnce();
      return drained;
    },
  };

  async function drainOnce(): Promise<void> {
    draining = true;
    lasting.drain();
    frames.stop();
    await webSockets.drain(DRAIN_DEADLINE_MS);
    clearInterval(ticks);
    clearInterval(rechecks);
    metrics.close();
    app.close();
    if (ml !== undefined) await atMost(CLOSE_DEADLINE_MS, ml.close());
    // After the ML service: its last answers may have been alerts.
    await webhook?.close(CLOSE_DEADLINE_MS);
    await atMost(CLOSE_DEADLINE_MS, closePools());
  }
}
