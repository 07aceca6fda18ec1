import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alertFieldsOf, anomalyOf } from './anomaly.ts';
import { parseReportedAlert } from './codec.ts';
import type { DeliveredAlert } from './messages.ts';

const ANOMALY = {
  type: 'anomaly_detected',
  user_id: 'user123',
  stream_id: 'cam-1',
  result: {
    person_id: 1,
    frame_number: 245,
    score: -2.456,
    is_abnormal: true,
    classification: 'Abnormal',
    confidence: 'High',
    bbox: { x: 120, y: 50, w: 180, h: 350 },
  },
  annotated_frame: '/9j/4AAQSkZJRg==',
  frame_format: 'jpeg',
  seq: 812,
};

const delivered = (fields: object): DeliveredAlert =>
  ({ type: 'alert', id: '1', metadata: {}, timestamp: 5, ...fields }) as DeliveredAlert;

describe('an anomaly of an older service', () => {
  it('is an alert that says what and how bad, with all the rest in its metadata', () => {
    expect(parseReportedAlert(ANOMALY)).toMatchObject({
      streamId: 'cam-1',
      severity: 'high',
      message: 'Abnormal, person 1',
      metadata: { anomaly: { result: ANOMALY.result, annotated_frame: '/9j/4AAQSkZJRg==', frame_format: 'jpeg' } },
    });
  });

  it('comes out again as it went in, the picture in it included', () => {
    const { severity, message, metadata } = parseReportedAlert(ANOMALY);
    expect(anomalyOf(delivered({ streamId: 'cam-1', severity, message, metadata }), 'user123')).toMatchObject(ANOMALY);
  });

  it('names its frame by number as any alert may; what can be none of ours is remembered, and nothing more', () => {
    expect(parseReportedAlert(ANOMALY).seq).toBe(812);
    for (const seq of [0, -1, 1.5, '812', null]) {
      const alert = parseReportedAlert({ ...ANOMALY, seq });
      expect(alert).toMatchObject({ streamId: 'cam-1', metadata: { anomaly: { seq } } });
      expect(alert.seq).toBeUndefined();
    }
  });

  it('may name its stream in camel case, and is sent on with the older name alone', () => {
    const { stream_id: streamId, ...others } = ANOMALY;
    const { severity, message, metadata } = parseReportedAlert({ ...others, streamId });
    const sentOn = anomalyOf(delivered({ streamId, severity, message, metadata }), 'user123');
    expect(sentOn).toMatchObject(ANOMALY);
    expect(sentOn).not.toHaveProperty('streamId');
  });

  it('without a result, a stream or a map at all is refused with a word that names it', () => {
    expect(() => parseReportedAlert({ ...ANOMALY, result: 'x' })).toThrow('result: required');
    expect(() => parseReportedAlert({ ...ANOMALY, stream_id: undefined })).toThrow('streamId');
    expect(() => parseReportedAlert({ ...ANOMALY, stream_id: 'no/good' })).toThrow('streamId');
  });

  it.each([
    ['Low', 'low'],
    ['Critical', 'critical'],
    ['Whatever', 'medium'],
    [undefined, 'medium'],
  ])('of confidence %s is an alert of severity %s', (confidence, severity) => {
    expect(parseReportedAlert({ ...ANOMALY, result: { confidence } })).toMatchObject({ severity, message: 'Anomaly' });
  });
});

it('any alert survives the older words: it comes back as it was', () => {
  const alerts = fc.record({
    severity: fc.constantFrom('low', 'medium', 'high', 'critical'),
    message: fc.string({ minLength: 1 }).map((text) => text.toWellFormed()),
    timestamp: fc.nat(),
    metadata: fc.dictionary(fc.constantFrom('score', 'zone', 'count'), fc.oneof(fc.nat(), fc.constant('a'))),
  });
  fc.assert(
    fc.property(alerts, (alert) => {
      const fields = alertFieldsOf(anomalyOf(delivered({ streamId: 'cam-1', ...alert }), 'anna'));
      const { anomaly: _anomaly, ...metadata } = fields['metadata'] as Record<string, unknown>;
      expect({ ...fields, metadata }).toEqual({ streamId: 'cam-1', id: '1', ...alert });
    }),
  );
});
