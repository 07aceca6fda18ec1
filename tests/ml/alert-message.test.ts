import { encode } from '@msgpack/msgpack';
import { describe, expect, test } from 'vitest';
import { alertsInMessage } from '../../src/ml/alert-message.ts';

const MAX_BYTES = 4 * 1024 * 1024;

const FORMS = [
  { form: 'JSON', write: (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value)) },
  { form: 'MessagePack', write: (value: unknown): Uint8Array => encode(value) },
];

/** What a service may well say of one frame: some forty values. */
function richAlert(number: number) {
  const detections = ['person', 'dog', 'car'].map((label) => ({ label, score: 0.5, box: [1, 2, 3, number] }));
  return { streamId: 'door', severity: 'high', message: `${number}, here, there: all`, metadata: { detections } };
}

describe('an answer of more values than a thousand alerts have is refused before one of them is built', () => {
  // Cut off: whoever built its values first would complain of that.
  test('in JSON', () => {
    const text = `{"alerts":[${'{},'.repeat((MAX_BYTES - 11) / 3)}`;
    expect(() => alertsInMessage(Buffer.from(text))).toThrow('more than 100000 values');
    const deep = `{"alerts":${'['.repeat(MAX_BYTES - 10)}`;
    expect(() => alertsInMessage(Buffer.from(deep))).toThrow('more than 100000 values');
  });

  test('in MessagePack', () => {
    const emptyMaps = new Uint8Array(MAX_BYTES).fill(0x80);
    const head = Buffer.concat([Buffer.of(0x81), encode('alerts'), Buffer.from('dd00400000', 'hex')]);
    emptyMaps.set(head);
    expect(() => alertsInMessage(emptyMaps)).toThrow('more than 100000 values');
    const deep = new Uint8Array(MAX_BYTES).fill(0x91);
    expect(() => alertsInMessage(deep)).toThrow('more than 100000 values');
  });
});

describe.each(FORMS)('in $form', ({ write }) => {
  test('a large picture in an answer costs it nothing', () => {
    const anomaly = {
      type: 'anomaly_detected',
      stream_id: 'door',
      result: { classification: 'Fall' },
      annotated_frame: Buffer.alloc(3 * 1024 * 1024 - 1024, '/9j/4').toString('base64'),
    };
    const message = write({ alert: anomaly });
    expect(message.length).toBeGreaterThan(0.99 * MAX_BYTES);
    expect(message.length).toBeLessThan(MAX_BYTES);
    expect(alertsInMessage(message)).toEqual([anomaly]);
  });

  test('a thousand alerts that say much are all there', () => {
    const alerts = Array.from({ length: 1_000 }, (_, number) => richAlert(number));
    expect(alertsInMessage(write({ alerts }))).toEqual(alerts);
  });
});
