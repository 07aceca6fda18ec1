import { v7 as uuidV7 } from 'uuid';
import { describe, expect, test } from 'vitest';
import { activeParts, fits, NO_FILTER } from '../../src/dashboard/wall/alert-filter.ts';
import { EMPTY_LOG, type LoggedAlert, MAX_ALERTS, withAlerts } from '../../src/dashboard/wall/alert-log.ts';
import { boxesOf } from '../../src/dashboard/wall/boxes.ts';
import { DrawLog } from '../../src/dashboard/wall/draw-log.ts';
import { decodedSize, jpegSize } from '../../src/dashboard/wall/jpeg-size.ts';
import { annotatedPicture, metadataRows } from '../../src/dashboard/wall/metadata.ts';
import { NoticePace, noticeWords } from '../../src/dashboard/wall/notice-pace.ts';
import { maxFpsOf } from '../../src/dashboard/wall/rate.ts';
import {
  KEEP_OFFLINE_MS,
  neighbour,
  type StreamEntry,
  tabStop,
  withNames,
  without,
  withoutEnded,
  withoutPin,
  withPinned,
  withStatus,
} from '../../src/dashboard/wall/stream-list.ts';
import { NO_TOASTS, withoutExpired, withoutToast, withToast } from '../../src/dashboard/wall/toast-queue.ts';
import {
  frameAgeWords,
  pictureNotice,
  sinceCaptureWords,
  spanWords,
  tileLabel,
} from '../../src/dashboard/wall/words.ts';
import { readWalk } from '../../src/demo/walk.ts';

const walk = readWalk();
const NOW_MS = Date.UTC(2026, 0, 31, 12);

function alertOf(number: number, more: Partial<LoggedAlert> = {}): LoggedAlert {
  const id = `a${String(number).padStart(6, '0')}`;
  const base = { id, streamId: 'gate', severity: 'low', message: 'Cat', metadata: {}, hasPicture: false } as const;
  return { ...base, timestamp: NOW_MS, ...more };
}

describe('boxes', () => {
  const box = { x: 120, y: 50, width: 180, height: 350 };
  const boxesIn = (metadata: Record<string, unknown>) => boxesOf({ metadata, message: 'Somebody' });

  test.each([
    ['bbox', { bbox: { x: 120, y: 50, w: 180, h: 350 } }],
    ['boundingBox', { boundingBox: box }],
    ['location', { location: box }],
    ['the result of an older service', { anomaly: { result: { bbox: { x: 120, y: 50, w: 180, h: 350 } } } }],
    ['a list', { detections: [{ bbox: { x: 120, y: 50, w: 180, h: 350 } }] }],
  ])('are found in %s', (_name, metadata) => {
    expect(boxesIn(metadata)).toEqual([{ ...box, label: 'Somebody' }]);
  });

  test.each([
    ['nothing', {}],
    ['a point', { location: { x: 120, y: 350 } }],
    ['the name of a place', { location: 'entrance' }],
    ['texts', { bbox: { x: '1', y: '2', w: '3', h: '4' } }],
    ['no extent', { bbox: { x: 1, y: 2, w: 0, h: 4 } }],
    ['what is no number', { bbox: { x: Number.NaN, y: 2, w: 3, h: Number.POSITIVE_INFINITY } }],
    ['nulls', { bbox: null, anomaly: { result: null }, detections: [null, 5, 'x'] }],
  ])('are not made of %s', (_name, metadata) => {
    expect(boxesIn(metadata)).toEqual([]);
  });

  test('say what was seen and how sure the service is; the same one twice is one, and a thousand are twenty', () => {
    const bbox = { x: 1, y: 2, w: 3, h: 4 };
    expect(boxesIn({ bbox, location: bbox, objectType: 'Person', confidence: 0.954 })).toMatchObject([
      { label: 'Person 95 %' },
    ]);
    expect(
      boxesIn({ bbox, anomaly: { result: { bbox, classification: 'Abnormal', confidence: 'High' } } }),
    ).toHaveLength(1);
    const many = Array.from({ length: 1_000 }, (_, x) => ({ bbox: { ...bbox, x }, label: `no. ${x}` }));
    expect(boxesIn({ detections: many })).toHaveLength(20);
  });
});

describe('the size of a picture', () => {
  test('is read from its header, behind whatever comes before, and not made up where there is none', () => {
    expect(jpegSize(walk[0] as Buffer)).toEqual({ width: 768, height: 576 });
    const exif = [0xff, 0xd8, 0xff, 0xe1, 0, 6, 1, 2, 3, 4, 0xff];
    const progressive = [0xff, 0xc2, 0, 11, 8, 0x02, 0xd0, 0x05, 0x00, 1];
    expect(jpegSize(new Uint8Array([...exif, ...progressive]))).toEqual({ width: 1280, height: 720 });
    for (const bytes of [[], [0xff, 0xd8], [0xff, 0xd8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], exif]) {
      expect(jpegSize(new Uint8Array(bytes))).toBeUndefined();
    }
  });

  test('is decoded in full, to a half or a quarter, but never to less than is shown', () => {
    const size = { width: 768, height: 576 };
    expect(decodedSize(size, { width: 900, height: 600 })).toEqual(size);
    expect(decodedSize(size, { width: 440, height: 288 })).toEqual({ width: 384, height: 288 });
    expect(decodedSize(size, { width: 440, height: 289 })).toEqual(size);
    expect(decodedSize({ width: 1921, height: 1080 }, { width: 300, height: 200 })).toEqual({
      width: 481,
      height: 270,
    });
  });
});

describe('the list of streams', () => {
  const status = (streams: readonly StreamEntry[], streamId: string, news: StreamEntry['status'], nowMs = NOW_MS) =>
    withStatus(streams, { streamId, status: news, name: undefined }, nowMs);
  const idsOf = (streams: readonly StreamEntry[]) => streams.map(({ streamId }) => streamId);

  test('is in the order of names, numbers as numbers, and a change of status moves nothing', () => {
    let streams: readonly StreamEntry[] = [];
    for (const id of ['cam-10', 'cam-2', 'Back', 'alley']) streams = status(streams, id, 'streaming');
    expect(idsOf(streams)).toEqual(['alley', 'Back', 'cam-2', 'cam-10']);
    expect(idsOf(status(streams, 'cam-2', 'offline'))).toEqual(idsOf(streams));
    streams = withNames(streams, new Map([['cam-10', 'Aisle']]));
    expect(idsOf(streams)).toEqual(['cam-10', 'alley', 'Back', 'cam-2']);
    expect(withNames(streams, new Map([['cam-10', 'Aisle']]))).toBe(streams);
  });

  test('keeps a camera that is gone for ten minutes, and says since when', () => {
    const gone = status(status([], 'gate', 'streaming'), 'gate', 'offline', NOW_MS);
    expect(gone).toMatchObject([{ status: 'offline', offlineSinceMs: NOW_MS }]);
    expect(withoutEnded(gone, NOW_MS + KEEP_OFFLINE_MS - 1)).toBe(gone);
    expect(withoutEnded(gone, NOW_MS + KEEP_OFFLINE_MS)).toEqual([]);
    const back = status(gone, 'gate', 'streaming', NOW_MS + 1);
    expect(withoutEnded(back, NOW_MS + KEEP_OFFLINE_MS)).toMatchObject([{ offlineSinceMs: undefined }]);
  });

  test('has no stream that never was there, unless the address names it; that one stays', () => {
    expect(status([], 'nobody', 'offline')).toEqual([]);
    const pinned = withPinned([], 'nobody');
    expect(withoutEnded(status(pinned, 'nobody', 'offline'), NOW_MS * 2)).toHaveLength(1);
    expect(without(pinned, 'nobody')).toEqual([]);
  });

  test('keeps what was open as it keeps all others: not for ever, and not at all what was never live', () => {
    expect(withoutPin(withPinned([], 'nobody'), 'nobody')).toEqual([]);
    const live = withoutPin(withPinned(status([], 'gate', 'streaming'), 'gate'), 'gate');
    expect(live).toMatchObject([{ streamId: 'gate', status: 'streaming', isPinned: false }]);
    const gone = withoutPin(status(withPinned(live, 'gate'), 'gate', 'offline', NOW_MS), 'gate');
    expect(withoutEnded(gone, NOW_MS + KEEP_OFFLINE_MS - 1)).toHaveLength(1);
    expect(withoutEnded(gone, NOW_MS + KEEP_OFFLINE_MS)).toEqual([]);
    expect(withoutPin(gone, 'gate')).toBe(gone);
  });

  test('is one stop for the Tab key: the tile that had the focus last, or the first that has no buttons of its own', () => {
    const streams = ['a', 'b', 'c'].reduce<readonly StreamEntry[]>((all, id) => status(all, id, 'streaming'), []);
    expect(tabStop(streams, undefined, undefined)).toBe('a');
    expect(tabStop(streams, 'b', undefined)).toBe('b');
    expect(tabStop(streams, 'gone', undefined)).toBe('a');
    expect([tabStop(streams, 'b', 'b'), tabStop(streams, undefined, 'a')]).toEqual(['a', 'b']);
    expect(tabStop([], 'a', undefined)).toBeUndefined();
  });

  test('goes round with the arrow keys', () => {
    const streams = ['a', 'b', 'c'].reduce<readonly StreamEntry[]>((all, id) => status(all, id, 'streaming'), []);
    expect(['a', 'b', 'c'].map((id) => neighbour(streams, id, 1))).toEqual(['b', 'c', 'a']);
    expect(['a', 'b', 'c'].map((id) => neighbour(streams, id, -1))).toEqual(['c', 'a', 'b']);
    expect(neighbour([], 'a', 1)).toBeUndefined();
  });
});

test('automatic is full rate for up to four tiles, thumbnails above, and always full for the one that is open', () => {
  const facts = { choice: 'automatic', isOpen: false, isAnotherOpen: false, visibleTiles: 4 } as const;
  expect(maxFpsOf(facts)).toBeUndefined();
  expect(maxFpsOf({ ...facts, visibleTiles: 5 })).toBe(5);
  expect(maxFpsOf({ ...facts, visibleTiles: 9, isOpen: true })).toBeUndefined();
  expect(maxFpsOf({ ...facts, isAnotherOpen: true })).toBe(2);
  expect(maxFpsOf({ ...facts, choice: 'full', visibleTiles: 50 })).toBeUndefined();
  expect(maxFpsOf({ ...facts, choice: '15' })).toBe(15);
  expect(maxFpsOf({ ...facts, choice: '1', isOpen: true })).toBeUndefined();
  expect(maxFpsOf({ ...facts, choice: '1', isAnotherOpen: true })).toBe(1);
});

describe('the log of what was drawn', () => {
  test('knows the rate of the last seconds, the newest age and the 95th percentile', () => {
    const log = new DrawLog();
    expect([log.fps(0), log.lastAgeMs, log.ageP95Ms, log.lastReceivedMs]).toEqual([0, undefined, undefined, undefined]);
    for (let frame = 0; frame < 1_000; frame += 1)
      log.note(frame < 700 ? 9_999 : frame % 100, frame * 40, frame * 40 - 5);
    expect(log.drawn).toBe(1_000);
    expect(log.fps(999 * 40)).toBeCloseTo(25);
    // Of the last 300: each of 0 to 99 three times.
    expect([log.lastAgeMs, log.ageP95Ms]).toEqual([99, 94]);
    expect(log.fps(999 * 40 + 10_000)).toBe(0);
  });

  test('does not take a picture that is drawn once more for a new one', () => {
    const log = new DrawLog();
    log.note(5, 1_000, 995);
    log.note(3_600_005, 3_601_000, 995);
    expect(log.lastReceivedMs).toBe(995);
  });

  test('does not take two frames close together for a high rate', () => {
    const log = new DrawLog();
    log.note(5, 1_000, 1_000);
    log.note(5, 1_010, 1_010);
    expect(log.fps(1_010)).toBeLessThan(5);
  });
});

describe('the list of alerts', () => {
  const idsOf = (alerts: readonly LoggedAlert[]) => alerts.map(({ id }) => id);

  test('has each once, the newest first, whether it came live or from the history', () => {
    const live = withAlerts(EMPTY_LOG, [alertOf(5)]);
    const all = withAlerts(live, [alertOf(3), alertOf(5), alertOf(4)]);
    expect(idsOf(all.alerts)).toEqual(['a000005', 'a000004', 'a000003']);
    expect(withAlerts(all, [alertOf(4)])).toBe(all);
  });

  test('is bounded, also where services send pictures in each of them', () => {
    const picture = 'x'.repeat(100_000);
    const metadata = { anomaly: { annotated_frame: picture, result: { score: 1 } } };
    const log = withAlerts(
      EMPTY_LOG,
      Array.from({ length: 800 }, (_, number) => alertOf(number, { metadata })),
    );
    expect([log.alerts.length, log.isCut, log.alerts[0]?.id]).toEqual([MAX_ALERTS, true, 'a000799']);
    expect(JSON.stringify(log).length).toBeLessThan(4_000_000);
    expect(log.alerts[0]?.metadata).toEqual(metadata);
    expect(log.alerts.at(-1)?.metadata).toMatchObject({ anomaly: { result: { score: 1 } } });
  });

  test('is filtered by severity, stream, text and time', () => {
    const nameOf = (streamId: string) => (streamId === 'gate' ? 'Front Gate' : streamId);
    const passes = (alert: LoggedAlert, filter: object) => fits(alert, { ...NO_FILTER, ...filter }, nameOf, NOW_MS);
    const alert = alertOf(1, { severity: 'high', message: 'Person seen', timestamp: NOW_MS - 30 * 60_000 });
    expect(passes(alert, {})).toBe(true);
    expect(passes(alert, { severities: new Set(['low']) })).toBe(false);
    expect([passes(alert, { streamId: 'gate' }), passes(alert, { streamId: 'yard' })]).toEqual([true, false]);
    for (const text of ['PERSON', ' front', 'gate']) expect(passes(alert, { text }), text).toBe(true);
    expect(passes(alert, { text: 'dog' })).toBe(false);
    expect(passes(alert, { span: 'the last hour' })).toBe(true);
    expect(passes(alert, { span: 'the last 15 minutes' })).toBe(false);
    expect(activeParts({ ...NO_FILTER, text: ' ', span: 'the last hour' })).toBe(1);
  });

  test('takes the time from the router, though the camera’s clock is years off', () => {
    const idAt = (ms: number) => uuidV7({ msecs: ms });
    const passes = (id: string, nowMs: number) =>
      fits(alertOf(1, { id, timestamp: 5 }), { ...NO_FILTER, span: 'the last 15 minutes' }, (name) => name, nowMs);
    const [id, minuteMs] = [idAt(NOW_MS), 60_000];
    expect([14, 16].map((minutes) => passes(id, NOW_MS + minutes * minuteMs))).toEqual([true, false]);
    // One whose id says nothing of a time has but its own.
    expect(passes('a1', NOW_MS)).toBe(false);
  });
});

describe('desktop notifications', () => {
  const severe = (severity: LoggedAlert['severity'], number = 1) =>
    alertOf(number, { severity, message: `no. ${number}` });

  test('say several alerts at once, the worst by its words, and name the others in a number', () => {
    const pace = new NoticePace();
    expect(pace.add(severe('low', 1), 0)).toBe(500);
    // A thousand that were missed while there was no connection.
    for (let number = 2; number <= 1_000; number += 1) expect(pace.add(severe('low', number), 1)).toBe(500);
    pace.add(severe('high', 1_001), 2);
    pace.add(severe('low', 1_002), 2);
    const gathered = pace.take(500);
    expect(gathered && noticeWords(gathered, 'Gate')).toEqual({
      title: 'HIGH: no. 1001',
      body: 'Gate, and 1001 other alerts',
    });
    expect(pace.take(501)).toBeUndefined();
    expect(noticeWords({ alert: severe('low'), count: 1 }, 'Gate').body).toBe('Gate');
    expect(noticeWords({ alert: severe('low'), count: 2 }, 'Gate').body).toBe('Gate, and 1 other alert');
  });

  test('come once in ten seconds from a service that reports five times a second, but at once for what is worse', () => {
    const pace = new NoticePace();
    const raised: string[] = [];
    let dueMs = Number.POSITIVE_INFINITY;
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
      if (nowMs >= dueMs) {
        raised.push(`${nowMs} ${pace.take(nowMs)?.alert.severity}`);
        dueMs = Number.POSITIVE_INFINITY;
      }
      if (nowMs % 200 === 0) dueMs = pace.add(severe('medium'), nowMs);
      if (nowMs === 33_000) dueMs = pace.add(severe('critical'), nowMs);
    }
    expect(raised).toEqual([
      '500 medium',
      '10500 medium',
      '20500 medium',
      '30500 medium',
      '33500 critical',
      '43500 medium',
      '53500 medium',
    ]);
  });

  test('say nothing of what was seen on the page', () => {
    const pace = new NoticePace();
    pace.add(severe('high'), 0);
    pace.clear();
    expect(pace.take(500)).toBeUndefined();
  });
});

describe('toasts', () => {
  const push = (queue: typeof NO_TOASTS, alert: LoggedAlert) => withToast(queue, alert, NOW_MS, 4);

  test('are at most four, the others are counted, and a harmless one never takes the place of a critical one', () => {
    let queue = push(NO_TOASTS, alertOf(0, { severity: 'critical' }));
    for (let number = 1; number <= 15; number += 1) queue = push(queue, alertOf(number));
    expect(queue.toasts.map(({ alert }) => alert.id)).toEqual(['a000015', 'a000014', 'a000013', 'a000000']);
    expect(queue.more).toBe(12);
  });

  test('go by themselves, the severe ones later, and the count with the last of them', () => {
    let queue = push(NO_TOASTS, alertOf(0, { severity: 'critical' }));
    for (let number = 1; number <= 5; number += 1) queue = push(queue, alertOf(number));
    expect(withoutExpired(queue, NOW_MS)).toBe(queue);
    const later = withoutExpired(queue, NOW_MS + 10_000);
    expect(later.toasts.map(({ alert }) => alert.id)).toEqual(['a000000']);
    expect(later.more).toBe(2);
    expect(withoutToast(later, 'a000000')).toBe(NO_TOASTS);
  });
});

describe('words', () => {
  test('for spans of time', () => {
    expect([0, 12_400, 90_000, 7_200_000, 3 * 86_400_000].map(spanWords)).toEqual([
      '0 s',
      '12 s',
      '2 min',
      '2 h',
      '3 days',
    ]);
  });

  test('for ages, and for clocks that differ', () => {
    expect([-3, 34.4, 1_250, 31_000, -5_000].map(frameAgeWords)).toEqual([
      '0 ms',
      '34 ms',
      '1.3 s',
      'camera’s clock differs',
      'camera’s clock differs',
    ]);
    expect([28, 2_500, -60_000].map(sinceCaptureWords)).toEqual([
      'Seen 28 ms after the camera took the picture',
      'Seen 2.5 s after the camera took the picture',
      undefined,
    ]);
  });

  const facts = {
    status: 'streaming',
    isConnected: true,
    nowMs: NOW_MS,
    watchingSinceMs: NOW_MS - 60_000,
    lastReceivedMs: NOW_MS - 30,
    offlineSinceMs: undefined,
  } as const;

  test('say when a picture is not live, and why', () => {
    expect(pictureNotice(facts)).toBeUndefined();
    expect(pictureNotice({ ...facts, lastReceivedMs: undefined })).toBe('Waiting for the first picture');
    expect(pictureNotice({ ...facts, lastReceivedMs: NOW_MS - 12_000 })).toBe('No picture for 12 s');
    expect(pictureNotice({ ...facts, isConnected: false, lastReceivedMs: NOW_MS - 12_000 })).toBe(
      'No connection: 12 s old',
    );
    expect(pictureNotice({ ...facts, status: 'offline', offlineSinceMs: NOW_MS })).toMatch(
      /^Offline since .*\d\d:\d\d/,
    );
  });

  test('do not call a picture old because nobody asked for a newer one', () => {
    const lastReceivedMs = NOW_MS - 600_000;
    expect(pictureNotice({ ...facts, lastReceivedMs, watchingSinceMs: undefined })).toBeUndefined();
    expect(pictureNotice({ ...facts, lastReceivedMs, watchingSinceMs: NOW_MS - 1_000 })).toBeUndefined();
    expect(pictureNotice({ ...facts, lastReceivedMs, watchingSinceMs: NOW_MS - 6_000 })).toBe('No picture for 10 min');
  });

  test('for who cannot see a tile do not change with each frame', () => {
    expect(tileLabel('Gate', 'streaming', 29, undefined)).toBe('Gate, streaming, about 30 frames a second');
    expect(tileLabel('Gate', 'streaming', 31.2, undefined)).toBe('Gate, streaming, about 30 frames a second');
    expect(tileLabel('Gate', 'offline', 0, 'Offline since 12:00')).toBe('Gate, offline since 12:00');
  });

  test('for metadata: names in words, maps taken apart, what is long cut, pictures left out', () => {
    const metadata = {
      confidence: 0.95321,
      objectType: 'Person',
      bbox: { x: 1, y: 2, w: 3, h: 4 },
      anomaly: { annotated_frame: 'AAAA', result: { is_abnormal: true, person_id: 7, note: null } },
      text: 'x'.repeat(5_000),
    };
    const rows = metadataRows(metadata);
    expect(rows.slice(0, 5)).toEqual([
      { name: 'confidence', value: '0.953' },
      { name: 'object type', value: 'Person' },
      { name: 'bbox', value: 'x 1, y 2, w 3, h 4' },
      { name: 'anomaly › result › is abnormal', value: 'yes' },
      { name: 'anomaly › result › person id', value: '7' },
    ]);
    expect(rows[5]?.value.length).toBeLessThan(400);
    expect(metadataRows(Object.fromEntries(Array.from({ length: 500 }, (_, key) => [`k${key}`, key])))).toHaveLength(
      40,
    );
    expect(annotatedPicture(metadata)).toBe('AAAA');
    expect(annotatedPicture({ anomaly: { annotated_frame: '"><script>' } })).toBeUndefined();
  });
});
