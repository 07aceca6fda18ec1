import { describe, expect, test } from 'vitest';
import type { Encoder } from '../../src/client/index.ts';
import { Alarm } from '../../src/dashboard/camera/alarm.ts';
import { constraintsOf, restoreSettings } from '../../src/dashboard/camera/settings.ts';
import {
  alarmWords,
  cameraTrouble,
  type Filmed,
  paceWords,
  pageTrouble,
  sightTrouble,
  withLostAlarm,
} from '../../src/dashboard/camera/words.ts';

const WELL: Filmed = {
  sentFps: 15,
  replacedFps: 0,
  paceFps: 15,
  quality: 0.7,
  wantedFps: 15,
  wantedQuality: 0.7,
  throttledFps: Number.POSITIVE_INFINITY,
  throttledBy: undefined,
};

test.each<[string, Partial<Filmed>, RegExp]>([
  ['all is well', {}, /^Everything is sent/],
  ['a second was counted a little short', { sentFps: 14 }, /^Everything/],
  ['nobody watches', { throttledFps: 1, throttledBy: 'demand', sentFps: 1, paceFps: 1 }, /^Nobody watches just now/],
  ['thumbnails are watched', { throttledFps: 5, throttledBy: 'demand', sentFps: 5, paceFps: 5 }, /more than 5 frames/],
  [
    'the limit is lower',
    { throttledFps: 10, throttledBy: 'rate-limit', sentFps: 10, paceFps: 10 },
    /router takes at most 10/,
  ],
  ['the limit is higher', { throttledFps: 60, throttledBy: 'rate-limit' }, /^Everything/],
  ['frames were left out', { replacedFps: 3, sentFps: 12 }, /network is slow/],
  ['fewer are filmed', { paceFps: 8.4, sentFps: 8 }, /network is slow/],
  ['worse ones are filmed', { paceFps: 5, quality: 0.5, sentFps: 5 }, /network is slow/],
  ['the phone is old', { sentFps: 6 }, /This device/],
])('who films learns why so much is sent: %s', (_why, filmed, words) => {
  expect(paceWords({ ...WELL, ...filmed })).toMatch(words);
});

test.each([
  ['NotAllowedError', /Allow it/],
  ['NotFoundError', /no camera/],
  ['NotReadableError', /another program/],
  ['OverconstrainedError', /Choose another/],
  ['AbortError', /does not start: broken/],
])('a camera that cannot be had (%s) is explained with what to do', (name, words) => {
  expect(cameraTrouble(name, 'broken')).toMatch(words);
});

test('a camera that is on and gives nothing is explained, one that gives pictures is not', () => {
  expect(sightTrouble('moving')).toBeUndefined();
  for (const sight of ['muted', 'still'] as const) expect(sightTrouble(sight)).toMatch(/another app.*Nothing is sent/);
});

test('who raised an alarm knows whether it is on its way, there, or lost with the camera', () => {
  expect(alarmWords({ kind: 'none' })).toBeUndefined();
  expect(alarmWords({ kind: 'waiting' })).toMatch(/waits for the connection/);
  expect(alarmWords({ kind: 'sent', atMs: 0 })).toMatch(/^Alarm sent at /);
  expect(alarmWords({ kind: 'left-out' })).toMatch(/not taken/);
  expect(withLostAlarm(undefined)).toMatch(/^The alarm was not sent/);
  expect(withLostAlarm('A newer connection took the stream over')).toMatch(/over\. The alarm was not sent/);
});

test('a page without HTTPS says that this is why there is no camera', () => {
  expect(pageTrouble(false, false, 'http://10.0.0.7:3000')).toMatch(/HTTPS.*http:\/\/10\.0\.0\.7:3000/);
  expect(pageTrouble(true, false, '')).toMatch(/no camera/);
  expect(pageTrouble(true, true, '')).toBeUndefined();
});

describe('settings', () => {
  test('of last time are there again, and the stream keeps its name', () => {
    const kept = { name: 'Gate', streamId: 'gate', device: 'user', fps: 30, maxWidth: 640 };
    expect(restoreSettings(JSON.stringify(kept), '42')).toEqual(kept);
  });

  test.each([null, '', 'nonsense', '[]', 'null', '{"fps":1000,"maxWidth":"wide","name":7}'])(
    'that make no sense (%s) are those of a new device',
    (stored) => {
      const fresh = { name: '', streamId: 'camera-42', device: 'environment', fps: 15, maxWidth: 1280 };
      expect(restoreSettings(stored, '42')).toEqual(fresh);
    },
  );

  test('ask for a side of the phone, or for one camera and no other', () => {
    const settings = restoreSettings(null, '42');
    expect(constraintsOf(settings)).toMatchObject({ facingMode: { ideal: 'environment' }, width: { ideal: 1280 } });
    expect(constraintsOf({ ...settings, device: 'abc' })).toMatchObject({ deviceId: { exact: 'abc' } });
  });
});

test('an alarm that waits is lost with its camera also where a later one was not taken', () => {
  let hasRoom = true;
  const encoder = { waitingAlerts: 1, sendAlert: () => hasRoom } as Partial<Encoder> as Encoder;
  const alarm = new Alarm();
  alarm.raise(encoder, 'Help');
  hasRoom = false;
  alarm.raise(encoder, 'Help again');
  expect(alarm.state.value.kind).toBe('left-out');
  expect(alarm.stop()).toBe(true);
  expect(alarm.stop()).toBe(false);
});
