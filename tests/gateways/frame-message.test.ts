import { decode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameView } from '../../proto/frame.ts';
import { FrameMessage } from '../../src/gateways/pictures/frame-message.ts';

const SOI = Buffer.from([0xff, 0xd8, 0xff, 0xe0]);

test('whatever pictures are written one after the other, each message is a frame with its very bytes', () => {
  const picture = fc.array(fc.uint8Array({ maxLength: 30_000 }), { maxLength: 6 });
  const streamId = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,128}$/);
  fc.assert(
    fc.property(
      streamId,
      fc.array(fc.tuple(picture, fc.double({ noNaN: true, noDefaultInfinity: true }))),
      (id, pictures) => {
        const message = new FrameMessage(id, 200_000);
        const view = new FrameView();
        for (const [pieces, timestamp] of pictures) {
          message.clear();
          for (const piece of [SOI, ...pieces]) message.add(piece);
          const bytes = message.complete(timestamp);
          const jpeg = Buffer.concat([SOI, ...pieces]);
          expect(decode(bytes)).toEqual({ type: 'video-frame', streamId: id, timestamp, data: jpeg });
          expect([view.read(bytes, 'msgpack'), view.streamId]).toEqual([true, id]);
          expect(view.jpeg().equals(jpeg)).toBe(true);
          expect(message.picture.equals(jpeg)).toBe(true);
        }
      },
    ),
  );
});

test('a picture of exactly the largest size is taken, a byte more is refused and forgotten', () => {
  const message = new FrameMessage('gate', 1_000);
  message.add(Buffer.alloc(999));
  message.add(Buffer.alloc(1));
  expect(message.picture).toHaveLength(1_000);
  expect(() => message.add(Buffer.alloc(1))).toThrow('A picture may have 1000 bytes');
  expect(message.picture).toHaveLength(0);
});
