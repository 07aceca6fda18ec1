import { expect, test } from 'vitest';
import * as z from 'zod';
import { readQuery } from '../../src/gateways/http/query.ts';

const schema = z.object({ name: z.string().min(1, 'must not be empty').optional(), count: z.string().optional() });

test('a query is read as it stands: percent-decoded, a plus is a plus, and others’ parameters are not looked at', () => {
  const read = (text: string) => readQuery(text, schema);
  expect(read('')).toEqual({ kind: 'query', query: {} });
  expect(read('name=%C3%BCber%20+%2B=a&token=x&token=y&count=1')).toEqual({
    kind: 'query',
    query: { name: 'über ++=a', count: '1' },
  });
  expect(read('&&toString=1&__proto__=2&constructor=3')).toEqual({ kind: 'query', query: {} });
});

test('what is wrong with a query begins with the name of the parameter', () => {
  const problemIn = (text: string) => {
    const result = readQuery(text, schema);
    return result.kind === 'problem' ? result.problem : 'none';
  };
  expect(problemIn('name=a&name=a')).toBe('name: given more than once');
  expect(problemIn('count=1&name=%FF')).toBe('name: not percent-encoded UTF-8');
  expect(problemIn('name=%')).toBe('name: not percent-encoded UTF-8');
  expect(problemIn('name=')).toBe('name: must not be empty');
  expect(problemIn('name')).toBe('name: must not be empty');
});
