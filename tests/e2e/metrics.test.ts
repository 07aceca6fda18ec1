import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { VERSION } from '../../src/project.ts';
import { frameOf, jpegOf, openEncoder, openViewer, TestClient, type TestMessage } from '../support/client.ts';
import { noteSecret } from '../support/evidence.ts';
import { type Family, parseExposition, type Sample, seriesIn } from '../support/exposition.ts';
import { startTestMlService, type TestMlService } from '../support/ml-service.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';
import { openSite, type Site } from '../support/web-app.ts';

let router: TestRouter;
let ml: TestMlService;
let keeper: Site;

beforeAll(async () => {
  ml = await startTestMlService(({ body }) => ({
    status: 200,
    body: { alerts: [{ streamId: body['frames'][0].streamId, severity: 'high', message: 'Person' }] },
  }));
  keeper = await openSite();
  keeper.serve((_request, response) => void response.end());
  router = await startTestRouter({
    env: {
      ML_SERVICE_URL: ml.url,
      ML_FPS: '1000',
      ALERT_WEBHOOK_URL: `http://127.0.0.1:${keeper.port}/alerts`,
      STREAM_ACCESS: 'authenticated',
      STREAM_MAX_FPS: '1000',
    },
  });
  await makeTraffic();
});
afterAll(async () => {
  await router.stop();
  ml.stop();
  keeper.close();
});

async function scrape(): Promise<ReadonlyMap<string, Family>> {
  return parseExposition(await (await fetch(`${router.httpUrl}/metrics`)).text());
}

/** `/stats`, without what changes by itself. */
async function countedStats(): Promise<TestMessage> {
  const { process: _, frameAgeMs: _age, ...stats } = await router.stats();
  return stats;
}

/** Both at a moment when nothing moves. */
async function scrapeAtRest(): Promise<{ stats: TestMessage; families: ReadonlyMap<string, Family> }> {
  for (;;) {
    const before = await countedStats();
    const families = await scrape();
    const stats = await countedStats();
    if (JSON.stringify(before) === JSON.stringify(stats)) return { stats, families };
  }
}

/** A camera, viewers of every kind, alerts, and some who are turned away. */
async function makeTraffic(): Promise<void> {
  const [anna, bob] = [await router.signUp(), await router.signUp()];
  const { encoder, streamId } = await openEncoder(router.wsUrl, anna.token, { encoding: 'msgpack' });
  const plain = await openViewer(router.wsUrl, anna.token, streamId, { encoding: 'msgpack' });
  await openViewer(router.wsUrl, bob.token, streamId, { encoding: 'json' });
  await openViewer(router.wsUrl, anna.token, streamId, { encoding: 'msgpack', subscribe: { maxFps: 1 } });
  // It acknowledges nothing, so all but the first are held back.
  await openViewer(router.wsUrl, anna.token, streamId, { encoding: 'msgpack', subscribe: { window: 1 } });
  for (let number = 1; number <= 130; number += 1) {
    encoder.send(frameOf(encoder, streamId, numberedPicture(number, 64)));
    expect(jpegOf(await plain.next('video-frame'))).toHaveLength(64);
  }
  encoder.send(frameOf(encoder, 'another-stream', numberedPicture(1, 64)));
  encoder.send({ type: 'video-frame' });
  await encoder.next('alert');
  await new TestClient(`${router.wsUrl}/streams/subscribe?token=nobody-has-this`).closed;
  await until('the alert is kept', async () => (await router.stats())['webhook'].delivered > 0);
}

/** By path in `/stats`: which series has the number. `{cause}`: one series for each field of the object. */
const METRICS: Readonly<Record<string, string>> = {
  totalConnections: 'watchout_connections',
  totalProducers: 'watchout_encoders',
  totalVideoConsumers: 'watchout_frame_subscriptions',
  totalAlertConsumers: 'watchout_alert_subscriptions',
  activeStreams: 'watchout_streams',
  'frames.received': 'watchout_frames_received_total',
  'frames.rejected': 'watchout_frames_rejected_total{cause}',
  'frames.offered': 'watchout_frames_offered_total',
  'frames.delivered': 'watchout_frames_delivered_total',
  'frames.dropped': 'watchout_frames_dropped_total{cause}',
  'frames.inFlight': 'watchout_frames_in_flight',
  'alerts.accepted': 'watchout_alerts_accepted_total',
  'alerts.refused': 'watchout_alerts_refused_total',
  'alerts.suppressed': 'watchout_alerts_suppressed_total',
  'alerts.repeated': 'watchout_alerts_repeated_total',
  'alerts.delivered': 'watchout_alerts_delivered_total',
  'alerts.undelivered': 'watchout_alerts_undelivered_total',
  'alerts.replayed': 'watchout_alerts_replayed_total',
  messages: 'watchout_messages_refused_total{cause}',
  'streams.refused': 'watchout_streams_refused_total',
  'streams.reserved': 'watchout_streams_reserved',
  'viewers.refused': 'watchout_viewers_refused_total',
  'ml.sampled': 'watchout_ml_frames_sampled_total',
  'ml.sent': 'watchout_ml_frames_sent_total',
  'ml.waiting': 'watchout_ml_streams_waiting',
  'ml.requests': 'watchout_ml_requests_total',
  'ml.failedRequests': 'watchout_ml_requests_failed_total',
  'ml.dropped': 'watchout_ml_frames_dropped_total{cause}',
  'ml.alerts.accepted': 'watchout_ml_alerts_accepted_total',
  'ml.alerts.refused': 'watchout_ml_alerts_refused_total',
  'ml.inFlight': 'watchout_ml_requests_in_flight',
  'ml.breaker': 'watchout_ml_breaker_state{state}',
  'ml.connected': 'watchout_ml_connected',
  'webhook.queued': 'watchout_webhook_alerts_queued',
  'webhook.inFlight': 'watchout_webhook_alerts_in_flight',
  'webhook.delivered': 'watchout_webhook_alerts_delivered_total',
  'webhook.retries': 'watchout_webhook_retries_total',
  'webhook.dropped': 'watchout_webhook_alerts_dropped_total{cause}',
  'sessions.lookUps': 'watchout_session_lookups_total',
  'sessions.ended': 'watchout_sessions_ended_total',
  'connections.refused': 'watchout_connections_refused_total{cause}',
};

/** Every number of `/stats` and the series that must have it; what is listed counts as its length, a state as the series that says 1. */
function expectedSeries(value: unknown, path = ''): [string, number][] {
  const metric = METRICS[path];
  const [, name, label] = /^(\w+)(?:\{(\w+)\})?$/.exec(metric ?? '') ?? [];
  if (name !== undefined && label === undefined) return [[name, Array.isArray(value) ? value.length : Number(value)]];
  if (name !== undefined && typeof value === 'string') return [[`${name}{${label}="${value}"}`, 1]];
  if (typeof value !== 'object' || value === null) throw new Error(`/stats says ${path}, and no metric does`);
  return Object.entries(value).flatMap(([field, inner]) =>
    name === undefined
      ? expectedSeries(inner, path === '' ? field : `${path}.${field}`)
      : [[`${name}{${label}="${field}"}`, inner] as [string, number]],
  );
}

test('every number of /stats is a metric, and says the same', async () => {
  const { stats, families } = await scrapeAtRest();
  const series = seriesIn(families);
  const expected = expectedSeries(stats);
  expect(Object.fromEntries(expected.map(([name]) => [name, series.get(name)]))).toEqual(Object.fromEntries(expected));
  // And not because nothing had happened.
  const some = ['frames_received_total', 'frames_dropped_total{cause="slow"}', 'frames_dropped_total{cause="fps"}'];
  const others = [
    'frames_in_flight',
    'ml_requests_total',
    'alerts_delivered_total',
    'messages_refused_total{cause="invalid"}',
  ];
  const refused = ['connections_refused_total{cause="unauthorized"}', 'frames_rejected_total{cause="notYours"}'];
  for (const name of [...some, ...others, ...refused, 'webhook_alerts_delivered_total', 'session_lookups_total']) {
    expect(series.get(`watchout_${name}`), name).toBeGreaterThan(0);
  }
});

test('how old frames are when they come is in /stats and in the metrics, for the middle and the worst stream', async () => {
  const { token } = await router.signUp();
  const ages = [100, 3_000, 60_000];
  for (const ageMs of ages) {
    const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
    const frame = { type: 'video-frame', streamId, data: numberedPicture(1, 64), timestamp: Date.now() - ageMs };
    const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
    encoder.send(frame);
    await viewer.next('video-frame');
  }
  const { frameAgeMs } = await router.stats();
  const series = seriesIn(await scrape());
  expect(frameAgeMs.worst).toBeGreaterThanOrEqual(60_000);
  expect(frameAgeMs.worst).toBeLessThan(65_000);
  expect(series.get('watchout_newest_frame_age_worst_seconds')).toBeCloseTo(frameAgeMs.worst / 1000, 1);
  expect(series.get('watchout_newest_frame_age_median_seconds')).toBeCloseTo(frameAgeMs.median / 1000, 1);
});

test('what the process uses is there under the names that every exporter has', async () => {
  const before = (await router.stats())['process'];
  const series = seriesIn(await scrape());
  const after = (await router.stats())['process'];
  const cpuSeconds = series.get('process_cpu_seconds_total') ?? 0;
  expect(cpuSeconds).toBeGreaterThanOrEqual(before.cpuSeconds);
  expect(cpuSeconds).toBeLessThanOrEqual(after.cpuSeconds);
  expect((series.get('process_resident_memory_bytes') ?? 0) / after.residentBytes).toBeCloseTo(1, 0);
  const upSeconds = Date.now() / 1000 - (series.get('process_start_time_seconds') ?? 0);
  expect(Math.abs(upSeconds - after.uptimeSeconds)).toBeLessThan(3);
  expect(series.get('nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000);
  expect(series.get('watchout_event_loop_active_seconds_total')).toBeGreaterThan(0);
});

test.skipIf(process.platform !== 'linux')(
  'sockets count among the open files, so their limit can be watched',
  async () => {
    const { token } = await router.signUp();
    const before = seriesIn(await scrape());
    const { streamId } = await openEncoder(router.wsUrl, token);
    const viewers = await Promise.all(Array.from({ length: 50 }, () => openViewer(router.wsUrl, token, streamId)));
    const during = seriesIn(await scrape());
    // Each twice: its other end is in this process, too.
    expect((during.get('process_open_fds') ?? 0) - (before.get('process_open_fds') ?? 0)).toBeGreaterThan(90);
    expect(during.get('process_max_fds')).toBeGreaterThan(during.get('process_open_fds') ?? 0);
    await Promise.all(viewers.map((viewer) => viewer.close()));
  },
);

test('how long things took is known: frames, requests to the ML service, alerts, look-ups', async () => {
  const { families } = await scrapeAtRest();
  const series = seriesIn(families);
  expect(series.get('watchout_ml_request_duration_seconds_count{outcome="answered"}')).toBe(
    series.get('watchout_ml_requests_total'),
  );
  expect(series.get('watchout_alert_delay_seconds_count')).toBe(series.get('watchout_ml_alerts_accepted_total'));
  // Of 130 of one stream; no other one has had so many.
  expect(series.get('watchout_frame_handling_seconds_count')).toBe(2);
  const lookUps = ['session', 'refused', 'unavailable'].map(
    (outcome) => series.get(`watchout_session_lookup_duration_seconds_count{outcome="${outcome}"}`) ?? Number.NaN,
  );
  expect(lookUps.reduce((sum, count) => sum + count)).toBe(series.get('watchout_session_lookups_total'));
  expect(lookUps[1]).toBeGreaterThan(0);
  for (const name of ['ml_request_duration_seconds_sum{outcome="answered"}', 'frame_handling_seconds_sum']) {
    expect(series.get(`watchout_${name}`)).toBeGreaterThan(0);
    expect(series.get(`watchout_${name}`)).toBeLessThan(60);
  }
});

test('it says which version runs, that it is ready, what is degraded, and how many may connect', async () => {
  const series = seriesIn(await scrape());
  expect(series.get(`watchout_build_info{version="${VERSION}"}`)).toBe(1);
  expect(series.get('watchout_ready')).toBe(1);
  expect(series.get('watchout_degraded{part="ml"}')).toBe(0);
  expect(series.get('watchout_connections_limit')).toBe(50_000);
});

test('Prometheus needs no session, and is told the format; HEAD is answered, other methods get 405', async () => {
  const response = await fetch(`${router.httpUrl}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  const head = await fetch(`${router.httpUrl}/metrics`, { method: 'HEAD' });
  expect(head.status).toBe(200);
  expect(await head.text()).toBe('');
  const post = await fetch(`${router.httpUrl}/metrics`, { method: 'POST', body: 'x' });
  expect(post.status).toBe(405);
  expect(post.headers.get('allow')).toContain('GET');
});

test('200 streams and 200 users make no series more, and nobody’s name is in them', async () => {
  const before = seriesIn(await scrape());
  const users = await insertUsers(200);
  const clients: TestClient[] = [];
  for (const { token } of users) {
    const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack' });
    const viewer = await openViewer(router.wsUrl, token, streamId, { encoding: 'msgpack' });
    encoder.send(frameOf(encoder, streamId, numberedPicture(1, 64)));
    await viewer.next('video-frame');
    clients.push(encoder, viewer);
  }
  const text = await (await fetch(`${router.httpUrl}/metrics`)).text();
  const after = seriesIn(parseExposition(text));
  expect([...after.keys()]).toEqual([...before.keys()]);
  expect(after.get('watchout_streams')).toBe((before.get('watchout_streams') ?? 0) + 200);
  const { activeStreams } = await router.stats();
  for (const name of [...(activeStreams as string[]), ...users.map(({ userId }) => userId), '127.0.0.1']) {
    expect(text).not.toContain(name);
  }
  await Promise.all(clients.map((client) => client.close()));
});

test('a scrape that nobody waits for any more does no harm', async () => {
  for (let times = 0; times < 20; times += 1) {
    const giveUp = new AbortController();
    const scraping = fetch(`${router.httpUrl}/metrics`, { signal: giveUp.signal });
    giveUp.abort();
    await expect(scraping).rejects.toThrow();
  }
  const families = await Promise.all(Array.from({ length: 20 }, scrape));
  const streams = ({ samples }: Family = { name: '', help: '', type: '', samples: [] }): Sample[] => samples;
  expect(new Set(families.map((family) => streams(family.get('watchout_streams'))[0]?.value)).size).toBe(1);
});

test('a router without ML service and webhook has no numbers of them', async () => {
  const small = await startTestRouter();
  const families = parseExposition(await (await fetch(`${small.httpUrl}/metrics`)).text());
  const names = [...families.keys()];
  expect(names.filter((name) => /webhook|^watchout_ml_(?!request_duration)/.test(name))).toEqual([]);
  expect(names).toContain('watchout_frames_received_total');
  await small.stop();
});

/** As signing up makes them, but for the password, which takes a tenth of a second each. */
async function insertUsers(count: number): Promise<{ userId: string; token: string }[]> {
  const database = new pg.Client({ connectionString: inject('databases').url });
  await database.connect();
  const users = Array.from({ length: count }, () => ({
    userId: randomBytes(16).toString('hex'),
    token: randomBytes(16).toString('hex'),
  }));
  noteSecret(...users.map(({ token }) => token));
  const [ids, tokens] = [users.map(({ userId }) => userId), users.map(({ token }) => token)];
  await database.query(
    `INSERT INTO "user" (id, name, email, "emailVerified", "createdAt", "updatedAt")
     SELECT id, 'somebody', id || '@example.invalid', false, now(), now() FROM unnest($1::text[]) AS id`,
    [ids],
  );
  await database.query(
    `INSERT INTO session (id, token, "userId", "expiresAt", "createdAt", "updatedAt")
     SELECT 'session-' || "userId", token, "userId", now() + interval '1 day', now(), now()
     FROM unnest($1::text[], $2::text[]) AS new ("userId", token)`,
    [ids, tokens],
  );
  await database.end();
  return users;
}
