import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEvidenceRoom } from '../../src/ml/evidence.ts';
import { PICTURE_OVERHEAD_BYTES } from '../../src/ml/picture-bytes.ts';

const picture = (bytes: number, fill = 1) => ({
  streamId: 'door',
  ownerId: 'anna',
  jpeg: new Uint8Array(bytes).fill(fill),
});

test('pictures take so much memory with all that belongs to each and no more, and the newest ones are there', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 50 }), (sizes) => {
      const maxBytes = 300 + 5 * PICTURE_OVERHEAD_BYTES;
      const room = createEvidenceRoom(maxBytes);
      for (const [index, size] of sizes.entries()) {
        room.keep(String(index), picture(size));
        // Looking at an old one does not make it stay.
        room.find('0');
      }
      const kept = sizes.map((size, index) => ({ size, isKept: room.find(String(index)) !== undefined }));
      const bytes = kept.filter(({ isKept }) => isKept).map(({ size }) => size + PICTURE_OVERHEAD_BYTES);
      expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(maxBytes);
      const oldest = kept.findIndex(({ isKept }) => isKept);
      expect(kept.slice(oldest).every(({ isKept }) => isKept)).toBe(true);
      expect(oldest).not.toBe(-1);
    }),
  );
});

test('a picture stays as it was, though the stream writes its memory again', () => {
  const room = createEvidenceRoom(10_000);
  const evidence = picture(100, 7);
  room.keep('alert', evidence);
  evidence.jpeg.fill(9);
  expect(room.find('alert')?.jpeg.every((byte) => byte === 7)).toBe(true);
});

test('without memory none is kept', () => {
  const room = createEvidenceRoom(0);
  room.keep('alert', picture(1));
  expect(room.find('alert')).toBeUndefined();
});
