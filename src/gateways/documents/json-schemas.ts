import * as z from 'zod';

/** A piece of a document that is served as JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** How the schema of that name is referred to. */
export function schemaRef(name: string): { $ref: string } {
  return { $ref: schemaUri(name) };
}

/**
 * JSON Schemas of named schemas, as what is sent must be: what is left out may be left out. One that stands in another is referred to.
 * @param dialect OpenAPI 3.1 takes the newer one, AsyncAPI 3.0 the older.
 */
export function jsonSchemasOf(
  named: Readonly<Record<string, z.ZodType>>,
  dialect: 'draft-2020-12' | 'draft-7',
): Record<string, Json> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    target: dialect,
    io: 'input',
    uri: schemaUri,
    // What only a function can check is said in words.
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // The one there is, `metadata`, is a map of anything.
      if (zodSchema._zod.def.type === 'custom') jsonSchema.type = 'object';
    },
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _dialect, $id: _uri, ...schema }]) => [name, schema]),
  );
}

/** The same schema, with words for its fields. */
export function withWords(schema: Json, words: Readonly<Record<string, string>>): Json {
  const properties = schema['properties'] as Readonly<Record<string, Json>>;
  const described = Object.entries(properties).map(([field, property]) => {
    const description = words[field];
    return [field, description === undefined ? property : { ...property, description }];
  });
  return { ...schema, properties: Object.fromEntries(described) };
}

function schemaUri(name: string): string {
  return `#/components/schemas/${name}`;
}
