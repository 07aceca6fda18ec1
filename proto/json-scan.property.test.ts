import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from './errors.ts';
import { findFrameFields, hasMoreValuesThan, JsonSpans } from './json-scan.ts';
import { MAX_CONTROL_BYTES } from './limits.ts';
import { checkWellFormed } from './msgpack-scan.ts';
import type { Fields } from './property-outcomes.ts';
import { anyBytes, inAnyOrder, jsonStyles, jsonValues, trickyText, writeJson } from './property-support.ts';

describe('the picture in a JSON message', () => {
  const values: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      trickyText,
      fc.constantFrom(null, true, false, 0, -1.5e-7, 1e21),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(trickyText, fc.constantFrom('data', '__proto__')), tie('value'), { maxKeys: 4 }),
    ),
  })).value;
  const objects = fc.dictionary(trickyText, values, { maxKeys: 6 });

  it('is found wherever it stands, whatever is beside it', () => {
    fc.assert(
      fc.property(
        objects.chain((fields) =>
          fc
            .tuple(trickyText, jsonStyles)
            .chain(([data, style]) => fc.tuple(inAnyOrder({ ...fields, data }), fc.constant(style))),
        ),
        ([object, style]) => {
          const bytes = Buffer.from(writeJson(object, style));
          const found = findData(bytes);
          const parsed = JSON.parse(bytes.toString()) as Fields;
          expect(found).toBeDefined();
          if (found === undefined) return;
          expect(JSON.parse(`"${bytes.toString('utf8', found.start, found.end)}"`)).toBe(parsed['data']);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('is not found in a nested map, in a string, or in a message without one', () => {
    fc.assert(
      fc.property(objects, jsonStyles, (fields, style) => {
        const { data, ...others } = fields;
        const find = (text: string) => findData(Buffer.from(text));
        expect(find(writeJson(others, style))).toBeUndefined();
        expect(find(writeJson([{ data: 'x' }, others], style))).toBeUndefined();
        expect(find(JSON.stringify(JSON.stringify({ ...others, data: 'x' })))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('is looked for in any text without an error but the typed one', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        let found: ReturnType<typeof findData>;
        try {
          found = findData(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          return;
        }
        if (found === undefined) return;
        expect(bytes[found.start - 1]).toBe(0x22);
        expect(bytes[found.end]).toBe(0x22);
        expect(found.end).toBeGreaterThanOrEqual(found.start);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the values of a message', () => {
  const filled = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(
        trickyText,
        jsonValues.filter((value) => typeof value !== 'object'),
      ),
      fc.array(tie('value'), { minLength: 1, maxLength: 4 }),
      fc.dictionary(trickyText, tie('value'), { minKeys: 1, maxKeys: 4 }),
    ),
  })).value;

  it('are counted before they are built, keys included, and what a string holds is none', () => {
    fc.assert(
      fc.property(filled, jsonStyles, (value, style) => {
        const count = countValues(value);
        const json = Buffer.from(writeJson(value, style));
        expect([count - 1, count].map((limit) => hasMoreValuesThan(json, limit))).toEqual([true, false]);
        const msgpack = encode(value);
        checkWellFormed(msgpack, count);
        // A single one is always let through.
        if (count > 1) expect(() => checkWellFormed(msgpack, count - 1)).toThrow(`more than ${count - 1} values`);
      }),
      { numRuns: 300 },
    );
  });
});

function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  const inside = Object.values(value).reduce<number>((sum, item) => sum + countValues(item), 1);
  return Array.isArray(value) ? inside : inside + Object.keys(value).length;
}

function findData(bytes: Buffer): { start: number; end: number } | undefined {
  const spans = new JsonSpans();
  return findFrameFields(bytes, MAX_CONTROL_BYTES, spans) ? { start: spans.dataStart, end: spans.dataEnd } : undefined;
}
