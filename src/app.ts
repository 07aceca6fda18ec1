import { App, type us_listen_socket, us_socket_local_port } from 'uWebSockets.js';
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { v7 as uuidV7 } from 'uuid';
import type { Encoded, Encoding } from '../proto/codec.ts';
import { parseReportedAlert } from '../proto/codec.ts';
import { atMost } from './at-most.ts';
import { createAuthenticator } from './auth/authenticator.ts';
import { openPool } from './auth/database-pool.ts';
import { LiveSessions } from './auth/live-sessions.ts';
import { cacheSessions } from './auth/session-cache.ts';
import { createSessionRows } from './auth/session-rows.ts';
import { createSessions } from './auth/sessions.ts';
import { createVideoStreamOwners } from './auth/stream-owners.ts';
import { Tickets } from './auth/tickets.ts';
import type { AuthConfig, Config, MlPlace } from './config.ts';
import { clientAddressBehind } from './gateways/client-address.ts';
import { serveApi } from './gateways/http/api.ts';
import { Doorkeeper } from './gateways/http/doorkeeper.ts';
import { serveHttp } from './gateways/http/gateway.ts';
import { loadPages } from './gateways/http/pages.ts';
import { Routes } from './gateways/http/routes.ts';
import { createWebhook } from './gateways/webhook/webhook.ts';
import { WebSocketGateway } from './gateways/websocket/gateway.ts';
import { asLog } from './log.ts';
import { createTransport } from './ml/create-transport.ts';
import { createEvidenceRoom } from './ml/evidence.ts';
import { MlFeed } from './ml/feed.ts';
import { PROJECT_FOLDER } from './project.ts';
import { noTap } from './router/no-tap.ts';
import type { Clock } from './router/ports.ts';
import { createRouter } from './router/router.ts';
import { connectionStats, trafficStats } from './router/snapshot.ts';
import { StartError } from './start-error.ts';

/** `LIBUS_LISTEN_EXCLUSIVE_PORT`: the package exports it as a value, but types it as none. */
const LIBUS_LISTEN_EXCLUSIVE_PORT = 1;
/** The overload with an address and options, which the types leave out. */
type Listen = (host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void) => void;

/** How often time passes for streams: quiet ones, ends of grace, demand, and the last frame for viewers with `maxFps` (a quarter of a second late at most). */
const TICK_MS = 250;
/** A drain ends within 10 s; this leaves the rest for the ML service, the webhook and the database. */
const DRAIN_DEADLINE_MS = 6_000;
const CLOSE_DEADLINE_MS = 1_000;

const systemClock: Clock = { epochMs: () => Date.now(), monotonicMs: () => performance.now() };

/** What the process itself uses, for `/stats`. */
function processUse() {
  const { user, system } = process.cpuUsage();
  return {
    uptimeSeconds: Math.round(process.uptime()),
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
  };
}

/** A router that serves. */
export interface RunningApp {
  readonly port: number;
  /** Stops accepting, sends everybody away in order, and lets go of everything it holds. Ends within 10 s. */
  drain(): Promise<void>;
}

/** The composition root: builds every part with explicit arguments, and listens. `config.PORT` 0 takes any free port. */
export async function startApp(config: Config, auth: AuthConfig, logger: Logger): Promise<RunningApp> {
  const log = asLog(logger);
  const clock = systemClock;
  const app = App();

  const pool = openPool(auth.databaseUrl, 10, log);
  // Of its own, so that a crowd of newcomers does not keep it from closing whose session has ended.
  const recheckPool = openPool(auth.databaseUrl, 1, log);
  const sessions = cacheSessions({
    sessions: createSessions({ pool, secret: auth.secret, baseUrl: auth.baseUrl, log }),
    maxAgeMs: config.SESSION_CACHE_MS,
    clock,
    log,
  });
  const tickets = new Tickets(clock);
  const liveSessions = new LiveSessions({
    rows: createSessionRows(recheckPool),
    clock,
    log,
    onEnded: (sessionIds) => {
      sessions.forget(sessionIds);
      tickets.forget(sessionIds);
    },
  });
  const maxFailuresPerMinute = config.MAX_AUTH_FAILURES_PER_IP;
  const authenticator = createAuthenticator({ sessions, tickets, clock, maxFailuresPerMinute });
  const owners =
    config.STREAM_OWNERS === 'video_stream'
      ? createVideoStreamOwners({ pool, clock, log, maxAgeMs: config.SESSION_CACHE_MS })
      : undefined;
  const addressOf = clientAddressBehind(config.trustedProxies);
  const { allowedOrigins } = config;

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
  const ml = config.mlPlace === undefined ? undefined : await createMlFeed(config, config.mlPlace, clock);
  const router = createRouter({
    publisher: {
      publishFrame: (topic: string, frame: Encoded, encoding: Encoding) => {
        app.publish(topic, frame, encoding === 'msgpack', false);
      },
    },
    tap: ml ?? noTap,
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
  });

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
    maxima: {
      total: config.MAX_CONNECTIONS,
      perAddress: config.MAX_CONNECTIONS_PER_IP,
      pendingPerAddress: config.MAX_PENDING_PER_IP,
      perUser: config.MAX_CONNECTIONS_PER_USER,
    },
    addressOf,
    allowedOrigins,
    authDeadlineMs: config.AUTH_DEADLINE_MS,
    rejectsAtUpgrade: config.AUTH_REJECT_AT_UPGRADE,
  });
  const doorkeeper = new Doorkeeper({
    authenticator,
    allowedOrigins,
    serviceToken: config.ML_SERVICE_TOKEN,
    log,
    refused: (admission, address) => webSockets.noteRefused(admission, address),
  });
  serveApi(new Routes(app, { addressOf, allowedOrigins }), {
    router,
    doorkeeper,
    tickets,
    evidence,
    frameOf: (alert) => ml?.find(alert),
    access: config.STREAM_ACCESS,
  });
  let draining = false;
  serveHttp(app, {
    connectionStats: () => connectionStats(router, webSockets.connectionCount),
    detailedStats: () => ({
      ...trafficStats(router),
      ml: ml?.stats ?? null,
      webhook: webhook?.stats ?? null,
      sessions: { lookUps: sessions.lookUps, ended: liveSessions.ended },
      connections: { refused: webSockets.refused },
      process: processUse(),
    }),
    isReady: () => !draining,
    degraded: () => (ml === undefined || ml.stats.breaker === 'closed' ? [] : ['ml']),
    pages: loadPages(new URL('src/dashboard/', PROJECT_FOLDER)),
    webSocketPaths: ['/streams/register', '/streams/subscribe'],
  });

  const listenSocket = await listen(config.host, config.PORT);
  const ticks = setInterval(() => router.streams.tick(), TICK_MS);
  const rechecks = setInterval(() => void liveSessions.recheck(), config.SESSION_RECHECK_MS);

  let drained: Promise<void> | undefined;
  return {
    port: us_socket_local_port(listenSocket),
    drain() {
      drained ??= drainOnce();
      return drained;
    },
  };

  async function drainOnce(): Promise<void> {
    draining = true;
    await webSockets.drain(DRAIN_DEADLINE_MS);
    clearInterval(ticks);
    clearInterval(rechecks);
    app.close();
    if (ml !== undefined) await atMost(CLOSE_DEADLINE_MS, ml.close());
    // After the ML service: its last answers may have been alerts.
    await webhook?.close(CLOSE_DEADLINE_MS);
    await atMost(CLOSE_DEADLINE_MS, Promise.all([pool.end(), recheckPool.end()]));
  }

  async function createMlFeed(settings: Config, place: MlPlace, feedClock: Clock): Promise<MlFeed> {
    const transport = await createTransport(place, {
      token: settings.ML_SERVICE_TOKEN,
      protocol: settings.ML_PROTOCOL,
      batchSize: settings.ML_BATCH_SIZE,
      maxInFlight: settings.ML_MAX_IN_FLIGHT,
      maxAgeMs: settings.ML_MAX_AGE_MS,
      timeoutMs: settings.ML_TIMEOUT_MS,
      clock: feedClock,
      log,
      after,
      random: Math.random,
      onAlert: (alert) => feed.reported(alert),
    });
    const feed: MlFeed = new MlFeed({
      transport,
      clock: feedClock,
      log,
      after,
      onAlert: (reported, frameOf) => {
        const alert = parseReportedAlert(reported);
        router.alerts.fromService(alert, frameOf(alert));
      },
      fps: settings.ML_FPS,
      batchWaitMs: settings.ML_BATCH_WAIT_MS,
      maxInFlight: settings.ML_MAX_IN_FLIGHT,
      maxAgeMs: settings.ML_MAX_AGE_MS,
      priorityField: settings.ML_PRIORITY_FIELD,
      // Without the token nobody may post alerts.
      keepsRecent: settings.ML_SERVICE_TOKEN !== undefined,
    });
    return feed;
  }

  function listen(host: string, port: number): Promise<us_listen_socket> {
    const listenOn = app.listen.bind(app) as unknown as Listen;
    return new Promise((resolve, reject) => {
      // Exclusive: by default a second process may share the port, and would quietly take half of the connections.
      listenOn(host, port, LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
        if (socket) return resolve(socket);
        const why = 'the port is taken, or the address is not this machine’s';
        reject(new StartError(`cannot listen on ${host}:${port}: ${why}`));
      });
    });
  }
}
