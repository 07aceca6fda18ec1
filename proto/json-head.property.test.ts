import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProtocolError } from './errors.ts';
import { FrameView } from './frame.ts';

/** Most heads of JSON frames are read without `JSON.parse`. What is read so must be what `JSON.parse` would have read, fault for fault. */

const DATA = '/9j/4AAC';

/** Frames as encoders write them, and a little otherwise. */
const frames = fc
  .record({
    type: fc.constantFrom('"video-frame"', '"video-frame"', '"video\\u002dframe"', '"alert"', 'null'),
    streamId: fc.constantFrom('"door"', '"a.b:c-d_e"', '""', '"t\\u00fcr"', '"tür"', '"\\""', '7'),
    timestamp: fc.constantFrom('1729943200000', '0', '12.5', '-1', '1e3', '999999999999999', '9007199254740993', '"1"'),
    space: fc.constantFrom('', ' ', '\n\t', '\u00a0'),
    order: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
  })
  .map(({ type, streamId, timestamp, space, order }) => {
    const pairs = [
      `"type":${space}${type}`,
      `"streamId":${streamId}`,
      `"timestamp"${space}:${timestamp}`,
      `"data":"${DATA}"`,
    ];
    return `${space}{${order.map((index) => pairs[index]).join(`,${space}`)}${space}}${space}`;
  });

/** What bugs and bit flips do to them: single characters that go, come, or change. */
const edits = fc.array(
  fc.record({
    at: fc.nat(200),
    removed: fc.nat(2),
    inserted: fc.constantFrom(
      '',
      '',
      ',',
      '"',
      ':',
      '{',
      '}',
      '[',
      ']',
      '\\',
      '0',
      '9',
      '.',
      '-',
      'e',
      ' ',
      '\n',
      '\u0001',
      'x',
    ),
  }),
  { maxLength: 3 },
);

type Reading = 'no frame' | { streamId: string; timestamp: number };

function byFrameView(text: string): Reading {
  const view = new FrameView();
  try {
    if (!view.read(Buffer.from(text), 'json')) return 'no frame';
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return 'no frame';
  }
  return { streamId: view.streamId, timestamp: view.timestamp };
}

function byJsonParse(text: string): Reading {
  let message: Record<string, unknown>;
  try {
    message = JSON.parse(text);
  } catch {
    return 'no frame';
  }
  if (typeof message !== 'object' || message === null || message['type'] !== 'video-frame') return 'no frame';
  const { streamId, timestamp, data } = message;
  if (typeof streamId !== 'string' || streamId === '') return 'no frame';
  if (typeof timestamp !== 'number' || !Number.isFinite(timestamp)) return 'no frame';
  return data === DATA ? { streamId, timestamp } : 'no frame';
}

test('a frame’s head is read as JSON.parse reads it, and what that refuses is refused', () => {
  let taken = 0;
  fc.assert(
    fc.property(frames, edits, (frame, changes) => {
      let text = frame;
      for (const { at, removed, inserted } of changes) {
        const from = at % (text.length + 1);
        text = text.slice(0, from) + inserted + text.slice(from + removed);
      }
      // What happens inside the picture is looked at elsewhere, and a field that appears twice is refused here alone.
      fc.pre(text.includes(`"${DATA}"`));
      fc.pre(['"type"', '"streamId"', '"timestamp"', '"data"'].every((key) => text.split(key).length <= 2));
      const reading = byFrameView(text);
      expect(reading).toEqual(byJsonParse(text));
      if (reading !== 'no frame') taken += 1;
    }),
    { numRuns: 8_000 },
  );
  expect(taken).toBeGreaterThan(500);
});
