import { describe, expect, test } from 'vitest';
import type { ConnectionRow, FedStream, Ready, Stats, WatchedStream } from '../../src/dashboard/ops/answers.ts';
import { quantile, readExposition } from '../../src/dashboard/ops/exposition.ts';
import { flowOf } from '../../src/dashboard/ops/flow.ts';
import { headline } from '../../src/dashboard/ops/headline.ts';
import { loneValues } from '../../src/dashboard/ops/lone-values.ts';
import { arranged, rowsOf } from '../../src/dashboard/ops/rows.ts';
import { type Look, recentSpan, withLook } from '../../src/dashboard/ops/samples.ts';
import { whySlow } from '../../src/dashboard/ops/why-slow.ts';

const START_MS = Date.UTC(2026, 0, 31, 14, 0);

const NO_DROPS = { slow: 0, fps: 0, closed: 0 };
const WATCHED: WatchedStream = {
  streamId: 'door',
  isLive: true,
  maxFps: null,
  window: null,
  offered: 0,
  delivered: 0,
  dropped: NO_DROPS,
  inFlight: 0,
  unackedForMs: null,
  lastDeliveredAgeMs: null,
};
const FED: FedStream = {
  streamId: 'door',
  status: 'streaming',
  receivedFrames: 0,
  rejected: { notYours: 0, rate: 0, invalid: 0 },
  limitFps: 60,
  askedFps: null,
  viewers: 1,
  lastFrameAgeMs: 30,
  arrivedAfterMs: 40,
};
const VIEWER: ConnectionRow = {
  id: '1',
  role: 'viewer',
  userId: 'anna',
  transport: 'websocket',
  path: '/streams/subscribe',
  encoding: 'msgpack',
  connectedAtMs: START_MS,
  waitingBytes: 0,
  rttMs: 20,
  subscriptions: [WATCHED],
  subscriptionCount: 1,
};
const { subscriptions: _none, subscriptionCount: _zero, ...BARE } = VIEWER;
const CAMERA: ConnectionRow = { ...BARE, role: 'encoder', stream: FED };

/** A viewer that was offered and got so much in the last two seconds. */
function viewer(watched: Partial<WatchedStream>, row: Partial<ConnectionRow> = {}) {
  const one = { ...WATCHED, ...watched };
  const before = { ...one, offered: 0, delivered: 0, dropped: NO_DROPS };
  return why({ ...VIEWER, ...row, subscriptions: [before] }, { ...VIEWER, ...row, subscriptions: [one] });
}

/** A camera that sent so much in the last two seconds. */
function camera(fed: Partial<FedStream>, row: Partial<ConnectionRow> = {}) {
  const stream = { ...FED, ...fed };
  const before = { ...stream, receivedFrames: 0, rejected: FED.rejected };
  return why({ ...CAMERA, ...row, stream: before }, { ...CAMERA, ...row, stream });
}

function why(before: ConnectionRow, now: ConnectionRow) {
  return whySlow({ atMs: 0, row: before }, { atMs: 2_000, row: now });
}

describe('why a connection is slow', () => {
  const slow = { offered: 60, delivered: 16, dropped: { ...NO_DROPS, slow: 44 } };

  test.each([
    ['all is well', viewer({ offered: 60, delivered: 60 }), 'good', 'Fine.'],
    ['one frame missed', viewer({ offered: 120, delivered: 119, dropped: { ...NO_DROPS, slow: 1 } }), 'good', 'Fine.'],
    [
      'much waits for it',
      viewer(slow, { waitingBytes: 480 * 1024 }),
      'bad',
      'Its network is slow: 480 KiB wait for it, 22 of 30 frames a second are skipped. Fewer frames (maxFps) or smaller pictures would help.',
    ],
    [
      'a plain one skips, and has just drained',
      viewer(slow),
      'warn',
      'Its network is slow: 22 of 30 frames a second are skipped. Fewer frames (maxFps) or smaller pictures would help.',
    ],
    [
      'it acknowledges late',
      viewer({ ...slow, window: 1 }),
      'warn',
      'It acknowledges late: 22 of 30 frames a second are skipped; its network is slow, or the page is busy.',
    ],
    [
      'it is far away',
      viewer({ ...slow, window: 1 }, { rttMs: 300 }),
      'warn',
      'It acknowledges late: 22 of 30 frames a second are skipped; its round trip is 300 ms; a larger window would help.',
    ],
    [
      'a page that is silent',
      viewer({ ...slow, window: 2, unackedForMs: 4_000, inFlight: 2 }),
      'bad',
      'The page has acknowledged nothing for 4 s: a background tab, or its network is gone. It gets the newest picture when it answers.',
    ],
    [
      'an <img> that takes nothing',
      viewer({ ...slow, window: 1, unackedForMs: 4_000 }, { transport: 'mjpeg' }),
      'bad',
      'It has taken nothing for 4 s: a background tab, or its network is gone.',
    ],
    [
      'it wants fewer',
      viewer({ offered: 60, delivered: 10, dropped: { ...NO_DROPS, fps: 50 }, maxFps: 5 }),
      'note',
      'It asked for at most 5 fps: 25 of 30 frames a second are left out.',
    ],
    ['a slow camera', viewer({ offered: 12, delivered: 12 }), 'note', 'The camera itself sends only 6 fps.'],
    ['a still camera', viewer({}), 'note', 'No camera sends: the picture stands still.'],
    ['no camera', viewer({ isLive: false }), 'note', 'It waits: no such stream is live.'],
    [
      'no stream',
      viewer({}, { subscriptions: [] }) && why({ ...VIEWER, subscriptions: [] }, { ...VIEWER, subscriptions: [] }),
      'note',
      'It watches nothing.',
    ],
    [
      'a long way, and nothing else',
      viewer({ offered: 60, delivered: 60 }, { rttMs: 1_200 }),
      'note',
      'It is far away, or its line is full: its round trip is 1.2 s.',
    ],
  ])('a viewer: %s', (_what, reason, mood, words) => {
    expect(reason).toEqual({ mood, words });
  });

  test.each([
    ['all is well', camera({ receivedFrames: 60 }), 'good', 'Fine.'],
    [
      'over the limit of frames',
      camera({ receivedFrames: 140, rejected: { ...FED.rejected, rate: 20 } }),
      'warn',
      'Over the limit: 70 fps, 60 are let in (STREAM_MAX_FPS).',
    ],
    [
      'over the limit of bytes',
      camera({ receivedFrames: 60, rejected: { ...FED.rejected, rate: 40 } }),
      'warn',
      'Over the limit: 30 fps, 10 are let in: they are too large (STREAM_MAX_BYTES_PER_SECOND).',
    ],
    [
      'another’s stream',
      camera({ receivedFrames: 20, rejected: { ...FED.rejected, notYours: 20 } }),
      'bad',
      'It sends frames of a stream that it has not registered: 10 a second are refused.',
    ],
    [
      'no frames',
      camera({ receivedFrames: 20, rejected: { ...FED.rejected, invalid: 20 } }),
      'bad',
      'It sends what is no frame: 10 messages a second are refused. Its program must be mended.',
    ],
    ['nothing yet', camera({ lastFrameAgeMs: null, arrivedAfterMs: null }), 'warn', 'The camera has sent nothing yet.'],
    [
      'nothing any more',
      camera({ lastFrameAgeMs: 12_000 }),
      'warn',
      'The camera has sent nothing for 12 s: it is paused, or its network is gone.',
    ],
    [
      'old pictures',
      camera({ receivedFrames: 60, arrivedAfterMs: 3_200 }),
      'warn',
      'Its pictures are 3.2 s old when they come: its uplink is slow, or its clock is behind.',
    ],
    ['a clock ahead', camera({ receivedFrames: 60, arrivedAfterMs: -3_000 }), 'note', 'Its clock is 3 s ahead.'],
    [
      'throttled, unwatched',
      camera({ receivedFrames: 2, askedFps: 1, viewers: 0 }),
      'note',
      'The camera is throttled to 1 fps: nobody watches.',
    ],
    [
      'throttled, for ML alone',
      camera({ receivedFrames: 10, askedFps: 5, viewers: 0 }),
      'note',
      'The camera is throttled to 5 fps: nobody watches, the ML service has enough.',
    ],
    [
      'throttled, for thumbnails',
      camera({ receivedFrames: 4, askedFps: 2, viewers: 3 }),
      'note',
      'The camera is throttled to 2 fps: nobody asks for more.',
    ],
    ['few frames', camera({ receivedFrames: 12 }), 'note', 'The camera itself sends only 6 fps.'],
    [
      'no stream',
      why({ ...CAMERA, stream: null }, { ...CAMERA, stream: null }),
      'note',
      'It has registered no stream, or another connection took it over.',
    ],
  ])('a camera: %s', (_what, reason, mood, words) => {
    expect(reason).toEqual({ mood, words });
  });

  test('who only listens to alerts, or has said nothing yet', () => {
    const alerts: ConnectionRow = { ...BARE, role: 'alerts' };
    expect(why(alerts, alerts).words).toBe('Fine.');
    const behind = { ...alerts, waitingBytes: 200 * 1024 };
    expect(why(behind, behind)).toMatchObject({
      mood: 'bad',
      words: 'Its network is slow: 200 KiB of alerts wait for it.',
    });
    const unnamed: ConnectionRow = { ...BARE, role: 'unnamed' };
    expect(why(unnamed, unnamed).words).toBe('It has not said what it is for.');
  });

  test('at the first look only what is the case now is said, and no rates', () => {
    const row = { ...VIEWER, waitingBytes: 480 * 1024, subscriptions: [{ ...WATCHED, ...slow }] };
    expect(whySlow(undefined, { atMs: 0, row }).words).toBe(
      'Its network is slow: 480 KiB wait for it. Fewer frames (maxFps) or smaller pictures would help.',
    );
    expect(flowOf(undefined, { atMs: 0, row })).toBeUndefined();
  });

  test('a router that was started anew counts anew: no rates are made of two lives', () => {
    const before = { atMs: 0, row: { ...VIEWER, connectedAtMs: START_MS + 60_000 } };
    expect(flowOf(before, { atMs: 2_000, row: VIEWER })).toBeUndefined();
    const again = { ...VIEWER, subscriptions: [{ ...WATCHED, offered: 5, delivered: 5 }] };
    const long = { ...VIEWER, subscriptions: [{ ...WATCHED, offered: 500, delivered: 500 }] };
    expect(flowOf({ atMs: 0, row: long }, { atMs: 2_000, row: again })).toMatchObject({ in: 0, out: 0 });
  });
});

describe('the rows of the table', () => {
  const table = (connections: ConnectionRow[], at: number) => ({
    connections,
    total: connections.length,
    more: false,
    at,
  });
  const rows = rowsOf({
    before: undefined,
    now: table(
      [
        { ...VIEWER, id: '1', userId: 'anna', waitingBytes: 10 },
        { ...CAMERA, id: '2', userId: 'bob', address: '192.0.2.7' },
        { ...VIEWER, id: '3', userId: 'carl', waitingBytes: 900 * 1024 },
      ],
      0,
    ),
  });
  const idsOf = (shown: ReturnType<typeof rowsOf>) => shown.map(({ row }) => row.id);

  test('the filter finds every word, in users, streams, roles, addresses and reasons', () => {
    const find = (filter: string) => idsOf(arranged(rows, filter, { column: 'who', isDescending: false }));
    expect(find('')).toEqual(['1', '2', '3']);
    expect(find('camera')).toEqual(['2']);
    expect(find('192.0.2')).toEqual(['2']);
    expect(find('DOOR viewer')).toEqual(['1', '3']);
    expect(find('network slow')).toEqual(['3']);
    expect(find('nobody-like-that')).toEqual([]);
  });

  test('columns sort both ways, numbers as numbers, and reasons by how bad they are', () => {
    const by = (column: Parameters<typeof arranged>[2]['column'], isDescending: boolean) =>
      idsOf(arranged(rows, '', { column, isDescending }));
    expect(by('waiting', true)).toEqual(['3', '1', '2']);
    expect(by('waiting', false)).toEqual(['2', '1', '3']);
    expect(by('who', true)).toEqual(['3', '2', '1']);
    expect(by('why', true)[0]).toBe('3');
  });
});

const STATS: Stats = {
  activeStreams: ['a', 'b', 'c'],
  totalProducers: 3,
  totalVideoConsumers: 12,
  totalConnections: 15,
  frames: { received: 0, rejected: { rate: 0 }, offered: 0, delivered: 0, dropped: NO_DROPS, inFlight: 0 },
  frameAgeMs: { median: 0, worst: 0 },
  alerts: { accepted: 0, delivered: 0, undelivered: 0 },
  ml: null,
  webhook: null,
  connections: { refused: {} },
  process: { uptimeSeconds: 100, cpuSeconds: 1, residentBytes: 1 },
};
const READY: Ready = { status: 'ready', degraded: [] };

interface Moment {
  stats?: Partial<Stats>;
  ready?: Partial<Ready>;
  activeSeconds?: number;
}

/** Looks, one a second; undefined where the router does not answer. */
function history(...moments: (Moment | undefined)[]): readonly Look[] {
  return moments.map((moment, index) => {
    const atMs = START_MS + index * 1_000;
    if (moment === undefined) return { atMs, sample: undefined };
    const { stats, ready, activeSeconds = 0 } = moment;
    const metrics = readExposition(`watchout_event_loop_active_seconds_total ${activeSeconds}\n`);
    return { atMs, sample: { atMs, stats: { ...STATS, ...stats }, ready: { ...READY, ...ready }, metrics } };
  });
}

function said(looks: readonly Look[], laterMs = 0) {
  return headline({ looks, nowMs: (looks.at(-1)?.atMs ?? START_MS) + laterMs, timeZone: 'UTC' });
}

describe('the line on top', () => {
  const frames = (fields: Partial<Stats['frames']>) => ({ stats: { frames: { ...STATS.frames, ...fields } } });

  test.each<[string, readonly Look[], string, string]>([
    ['nothing asked yet', [], 'unknown', 'Asking the router…'],
    ['all is well', history({}, {}), 'good', 'Everything is delivered. 3 streams, 12 viewers.'],
    [
      'nobody there',
      history({ stats: { activeStreams: [], totalVideoConsumers: 0 } }),
      'good',
      'All is well, and no camera is connected. 0 streams, 0 viewers.',
    ],
    ['it never answered', history(undefined), 'bad', 'Router does not answer: trying again.'],
    [
      'it shuts down',
      history({ ready: { status: 'draining' } }),
      'warn',
      'The router shuts down: it takes no new connections, and sends away who is there. 3 streams, 12 viewers.',
    ],
    [
      'ML away, as it came',
      history({}, ...Array.from({ length: 3 }, () => ({ ready: { degraded: ['ml'] } }))),
      'warn',
      'The ML service does not answer since 14:00: frames are still routed, but not analysed. 3 streams, 12 viewers.',
    ],
    [
      'ML away from the beginning',
      history({ ready: { degraded: ['ml'] } }),
      'warn',
      'The ML service does not answer since 14:00 or earlier: frames are still routed, but not analysed. 3 streams, 12 viewers.',
    ],
    [
      'slow viewers',
      history(frames({}), frames({ offered: 120, delivered: 98, dropped: { ...NO_DROPS, slow: 22 } })),
      'warn',
      'Some viewers are slow: 22 frames a second of 120 are skipped for them, the others get all. 3 streams, 12 viewers.',
    ],
    [
      'viewers that want fewer',
      history(frames({}), frames({ offered: 120, delivered: 20, dropped: { ...NO_DROPS, fps: 100 } })),
      'good',
      'Everything is delivered. 3 streams, 12 viewers.',
    ],
    [
      'refused frames',
      history(frames({}), frames({ rejected: { rate: 10 } })),
      'warn',
      'Cameras send more than is let in, or what is not theirs: 10 frames a second are refused. 3 streams, 12 viewers.',
    ],
    [
      'too busy',
      history({ activeSeconds: 5 }, { activeSeconds: 5.97 }),
      'bad',
      'The router is busy 97 % of its time, so frames may be late. 3 streams, 12 viewers.',
    ],
    [
      'alerts wait',
      history({}, { stats: { webhook: { queued: 120, inFlight: 1, delivered: 0, retries: 3, dropped: {} } } }),
      'warn',
      '120 alerts wait for the service that keeps them. 3 streams, 12 viewers.',
    ],
  ])('%s', (_what, looks, mood, words) => {
    expect(said(looks)).toMatchObject({ words, state: { mood } });
  });

  test('a router that is gone was last seen some time ago, and what screen readers are told does not change with every second', () => {
    const looks = history({}, undefined, undefined);
    expect(said(looks, 10_000).words).toBe('Router does not answer: last seen 12 s ago, trying again.');
    expect(said(looks, 11_000).state).toEqual(said(looks, 10_000).state);
    expect(said(looks, 11_000).words).not.toBe(said(looks, 10_000).words);
  });

  test('a restart is no trouble: its counters begin anew', () => {
    const busy = { frames: { ...STATS.frames, offered: 9e6, dropped: { ...NO_DROPS, slow: 9e6 } } };
    const anew = { process: { ...STATS.process, uptimeSeconds: 1 } };
    expect(said(history({ stats: busy }, undefined, { stats: anew })).state.mood).toBe('good');
  });
});

describe('samples', () => {
  test('five minutes are kept, and no more', () => {
    const looks = Array.from({ length: 1_000 }, (_, index) => ({ atMs: index * 1_000, sample: undefined }));
    const kept = looks.reduce<readonly Look[]>((all, look) => withLook(all, look), []);
    expect([kept.length, kept[0]?.atMs]).toEqual([301, 699_000]);
  });

  test('what is recent goes back ten seconds, over a gap, too', () => {
    const looks = history({}, {}, undefined, {});
    expect(recentSpan(looks, 10)?.seconds).toBe(3);
    expect(recentSpan(looks, 1)).toBeUndefined();
  });
});

test('a value with none beside it is drawn as a dot, where a line of it would be nothing', () => {
  expect(loneValues([7, null, 3, 4, null, 0, undefined, 5, 6])).toEqual([0, 5]);
  expect(loneValues([1])).toEqual([0]);
  expect(loneValues([])).toEqual([]);
});

describe('what Prometheus is told', () => {
  const text = (counts: number[]) =>
    [
      '# HELP t_seconds of something',
      '# TYPE t_seconds histogram',
      ...['0.1', '0.2', '0.4', '+Inf'].map(
        (le, index) => `t_seconds_bucket{le="${le}",outcome="answered"} ${counts[index]}`,
      ),
      `t_seconds_bucket{le="0.1",outcome="failed"} 0`,
      't_seconds_sum{outcome="answered"} 3.5',
      'up_total{a="b"} 2',
      'up_total{a="c"} 3',
    ].join('\n');
  const buckets = (counts: number[]) => readExposition(text(counts)).histograms.get('t_seconds');

  test('values of one name are summed, buckets are in order', () => {
    expect(readExposition(text([1, 2, 3, 4])).values.get('up_total')).toBe(5);
    expect(buckets([1, 2, 3, 4])?.map(({ upTo }) => upTo)).toEqual([0.1, 0.2, 0.4, Number.POSITIVE_INFINITY]);
  });

  test.each([
    [[0, 0, 0, 0], [10, 10, 10, 10], 0.5, 0.05],
    [[5, 5, 5, 5], [5, 15, 15, 15], 0.5, 0.15],
    [[0, 0, 0, 0], [90, 95, 100, 100], 0.95, 0.2],
    [[0, 0, 0, 0], [0, 0, 0, 10], 0.5, 0.4],
  ])('from %j to %j the quantile %d is %d s', (before, now, share, seconds) => {
    expect(quantile(buckets(before), buckets(now), share)).toBeCloseTo(seconds, 6);
  });

  test('where nothing came, or the router began anew, there is none', () => {
    expect(quantile(buckets([1, 1, 1, 1]), buckets([1, 1, 1, 1]), 0.5)).toBeNull();
    expect(quantile(buckets([5, 5, 5, 5]), buckets([1, 1, 1, 1]), 0.5)).toBeNull();
    expect(quantile(undefined, buckets([1, 1, 1, 1]), 0.5)).toBeNull();
  });
});
