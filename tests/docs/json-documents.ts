import * as z from 'zod';
import type { TestMessage } from '../support/client.ts';

/** Every `$ref` in a document, with the value it leads to; undefined: it leads nowhere. */
export function refsIn(document: TestMessage): { ref: string; target: unknown }[] {
  const found: { ref: string; target: unknown }[] = [];
  const search = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { $ref: ref } = value as { $ref?: unknown };
    if (typeof ref === 'string') found.push({ ref, target: targetOf(document, ref) });
    for (const part of Object.values(value)) search(part);
  };
  search(document);
  return found;
}

function targetOf(document: TestMessage, ref: string): TestMessage | undefined {
  if (!ref.startsWith('#/')) return undefined;
  let value: unknown = document;
  for (const part of ref.slice(2).split('/')) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    value = (value as Record<string, unknown> | undefined)?.[key];
  }
  return value as TestMessage | undefined;
}

/** What `$ref` leads to, or the value itself. */
export function resolved(document: TestMessage, value: TestMessage): TestMessage {
  return typeof value['$ref'] === 'string' ? (targetOf(document, value['$ref']) ?? {}) : value;
}

type Definitions = Record<string, z.core.JSONSchema.JSONSchema>;

/** The schemas of a document, to check values with. A field that is not described is a fault unless the schema says that others may come. */
export class DocumentSchemas {
  readonly #definitions: Definitions;

  constructor(document: TestMessage) {
    this.#definitions = rewritten(document['components']['schemas']) as Definitions;
  }

  /** What is wrong with a value: nothing, or a line for each fault. `schema`: as it stands in the document. */
  faultsIn(value: unknown, schema: TestMessage): string[] {
    const whole = { ...(rewritten(schema) as object), $defs: this.#definitions };
    const result = z.fromJSONSchema(whole).safeParse(value);
    return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  }
}

/** Local, and closed. */
function rewritten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewritten);
  if (typeof value !== 'object' || value === null) return value;
  const parts = Object.entries(value).map(([key, part]) => {
    if (key === '$ref') return [key, String(part).replace('#/components/schemas/', '#/$defs/')];
    // Not schemas.
    return key === 'examples' || key === 'enum' || key === 'required' ? [key, part] : [key, rewritten(part)];
  });
  const schema = Object.fromEntries(parts) as Record<string, unknown>;
  const isObject = schema['type'] === 'object' && 'properties' in schema;
  return isObject && !('additionalProperties' in schema) ? { ...schema, additionalProperties: false } : schema;
}
