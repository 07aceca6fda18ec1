import type * as z from 'zod';

/** What a query says, or what is wrong with it: the problem starts with the parameter's name. */
export type QueryResult<T> = { kind: 'query'; query: T } | { kind: 'problem'; problem: string };

/**
 * Reads the parameters that `schema` knows; others are not looked at. A `+` is a plus, as in the time zones of ISO times that nobody escaped.
 * @param text without the leading `?`.
 */
export function readQuery<T>(text: string, schema: z.ZodObject & z.ZodType<T>): QueryResult<T> {
  const found: Record<string, string> = {};
  for (const pair of text.split('&')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    if (!Object.hasOwn(schema.shape, name)) continue;
    if (Object.hasOwn(found, name)) return { kind: 'problem', problem: `${name}: given more than once` };
    try {
      found[name] = decodeURIComponent(value);
    } catch {
      return { kind: 'problem', problem: `${name}: not percent-encoded UTF-8` };
    }
  }
  const result = schema.safeParse(found);
  if (result.success) return { kind: 'query', query: result.data };
  const issue = result.error.issues[0];
  return { kind: 'problem', problem: `${String(issue?.path[0])}: ${issue?.message ?? 'invalid'}` };
}
