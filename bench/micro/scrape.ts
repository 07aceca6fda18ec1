import { createDurations } from '../../src/gateways/metrics/durations.ts';
import { createMetrics } from '../../src/gateways/metrics/metrics.ts';
import type { Stats } from '../../src/gateways/metrics/stats.ts';
import { connectionPage } from '../../src/router/connections.ts';
import { noTap } from '../../src/router/no-tap.ts';
import type { OpenConnection } from '../../src/router/open-connection.ts';
import { Peer } from '../../src/router/peer.ts';
import type { PeerSocket } from '../../src/router/ports.ts';
import { createRouter, type Router } from '../../src/router/router.ts';
import { connectionStats, trafficStats } from '../../src/router/snapshot.ts';
import { EncoderLink } from '../../src/router/stream.ts';
import { Viewer } from '../../src/router/viewer.ts';
import { SteppingClock } from './stepping-clock.ts';
import { type MicroTask, mustBe } from './suite.ts';

/**
 * How long does everybody wait while Prometheus is answered? Nothing is routed meanwhile. Counting the viewers of all streams is the part that
 * grows with them; `/stats` and `/health` do the same. The HTTP answer itself, 22 KB, is not in these figures.
 */
export const question =
  'How long does everybody wait while Prometheus, or somebody who looks at /stats or /api/connections, is answered?';

const PRINCIPAL = { userId: 'user', sessionId: 'session' };
const LIMITS = { maxFps: 60, maxBytesPerSecond: 64 * 1024 * 1024, maxMessageBytes: 16 * 1024 * 1024 };
const SIZES = [
  { streams: 1, viewers: 10 },
  { streams: 1_000, viewers: 10_000 },
];

/** Reads whatever it is sent. */
const SOCKET: PeerSocket = {
  sendFrame: () => 'sent',
  sendControl: () => 'sent',
  bufferedBytes: () => 0,
  joinTopic: () => undefined,
  leaveTopic: () => undefined,
  close: () => undefined,
};

export function tasks(): MicroTask[] {
  return SIZES.flatMap(({ streams, viewers }) => {
    const router = routerWith(streams, viewers / streams);
    const size = `${streams} streams, ${viewers} viewers`;
    return [
      {
        name: `counting them: ${size}`,
        operation: () => connectionStats(router, viewers).totalVideoConsumers,
        check: () => mustBe('viewers', connectionStats(router, viewers).totalVideoConsumers, viewers),
      },
      scraping(`a whole scrape: ${size}`, router, viewers),
      ...[200, 1_000].map((rows) => listing(`the ${rows} slowest connections, as JSON: ${size}`, router, rows)),
    ];
  });
}

/** `GET /api/connections`, for somebody who may see everything. */
function listing(name: string, router: Router, limit: number): MicroTask {
  const all = [...router.streams.all].flatMap(({ audience }) => [...audience.viewings]);
  const connections = all.map(({ viewer }, id): OpenConnection => {
    const facts = { transport: 'websocket', path: '/ws', address: '192.0.2.1', sinceMs: 0, rttMs: 1 } as const;
    return { id, ...facts, peer: viewer.peer, side: { role: 'viewer', viewer } };
  });
  const clock = new SteppingClock();
  const page = () => connectionPage({ connections, onlooker: { kind: 'operator' }, limit, router, clock });
  return {
    name,
    operation: () => JSON.stringify(page()),
    check: () => mustBe('rows', page().connections.length, Math.min(limit, all.length)),
  };
}

function scraping(name: string, router: Router, viewers: number): MicroTask {
  const metrics = createMetrics({
    stats: () => statsOf(router, viewers),
    durations: createDurations(),
    version: '0',
    maxConnections: 50_000,
    isReady: () => true,
    parts: ['ml'],
    degraded: () => [],
  });
  let text = '';
  return {
    name,
    operation: async () => {
      text = await metrics.text();
    },
    check: () => {
      metrics.close();
      mustBe('viewers', Number(/^watchout_frame_subscriptions (\d+)$/m.exec(text)?.[1]), viewers);
    },
  };
}

function routerWith(streams: number, viewersEach: number): Router {
  let lastId = 0;
  const newId = () => {
    lastId += 1;
    return `stream_${lastId}`;
  };
  const router = createRouter({
    publisher: { publishFrame: () => undefined },
    tap: noTap,
    clock: new SteppingClock(),
    defer: () => undefined,
    log: () => undefined,
    limits: LIMITS,
    graceMs: 15_000,
    access: 'owner',
    owners: undefined,
    maxStreamsPerUser: streams,
    maxViewersPerStream: 10_000,
    newStreamId: newId,
    newAlertId: newId,
    newResumeToken: newId,
    alertCooldownMs: 0,
    alertSink: undefined,
    evidence: { keep: () => undefined, find: () => undefined },
  });
  for (let stream = 0; stream < streams; stream += 1) {
    const link = new EncoderLink(new Peer(PRINCIPAL, SOCKET, 'msgpack'));
    const { id } = router.streams.register(link, { type: 'register', clientType: 'mobile' });
    for (let each = 0; each < viewersEach; each += 1) {
      const viewer = new Viewer(new Peer(PRINCIPAL, SOCKET, 'msgpack'));
      router.viewers.subscribe(viewer, { type: 'subscribe', clientType: 'dashboard', streamId: id });
    }
  }
  return router;
}

function statsOf(router: Router, viewers: number): Stats {
  const { user, system } = process.cpuUsage();
  const mlDropped = { replaced: 0, stale: 0, failed: 0 };
  return {
    ...connectionStats(router, viewers),
    ...trafficStats(router),
    frameAgeMs: { median: 0, worst: 0 },
    ml: {
      sampled: 0,
      sent: 0,
      waiting: 0,
      requests: 0,
      failedRequests: 0,
      inFlight: 0,
      dropped: mlDropped,
      alerts: { accepted: 0, refused: 0 },
      breaker: 'closed',
      connected: true,
    },
    webhook: { queued: 0, inFlight: 0, delivered: 0, retries: 0, dropped: { overflow: 0, refused: 0, failed: 0 } },
    sessions: { lookUps: 0, ended: 0 },
    connections: { refused: { unauthorized: 0, unavailable: 0, failures: 0, total: 0 } },
    process: { uptimeSeconds: 0, cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() },
  };
}
