import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestMessage } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { readDocument } from './markdown.ts';

/** What is used of `@hyperjump/json-schema`. */
interface Validator {
  registerSchema: (schema: unknown, uri: string) => void;
  validate: (uri: string, value: unknown, format: 'BASIC') => Promise<Outcome>;
}

interface Outcome {
  valid: boolean;
  errors?: { instanceLocation: string; absoluteKeywordLocation: string }[];
}

const PACKAGE = '@hyperjump/json-schema';
const openApiValidator = await load('openapi-3-1');
const asyncApiValidator = await load('draft-07');

if (openApiValidator === undefined) {
  process.stderr.write(`\n${PACKAGE} is missing: documents are not checked against their standards.\n\n`);
}

/** Undefined: the package is not installed. */
async function load(dialect: string): Promise<Validator | undefined> {
  try {
    return (await import(`${PACKAGE}/${dialect}`)) as Validator;
  } catch {
    return undefined;
  }
}

/** The package knows OpenAPI's own schema; AsyncAPI's is beside this file. */
const OPEN_API = 'https://spec.openapis.org/oas/3.1/schema-base';
const ASYNC_API = 'https://watchout.invalid/asyncapi-3.0.0';

let router: TestRouter;
beforeAll(async () => {
  router = await startTestRouter();
  asyncApiValidator?.registerSchema(JSON.parse(readDocument('tests/docs/asyncapi-3.0.0.schema.json')), ASYNC_API);
});
afterAll(() => router.stop());

async function served(path: string): Promise<TestMessage> {
  return (await (await fetch(`${router.httpUrl}${path}`)).json()) as TestMessage;
}

/** Where a document is not what the standard wants. */
async function faultsIn(document: TestMessage, uri: string, validator: Validator): Promise<string[]> {
  const { valid, errors = [] } = await validator.validate(uri, document, 'BASIC');
  if (valid) return [];
  return ['the document', ...errors.map(({ instanceLocation }) => instanceLocation)];
}

describe.skipIf(openApiValidator === undefined)('/openapi.json', () => {
  test('is OpenAPI 3.1', async () => {
    const document = await served('/openapi.json');
    const check = (value: TestMessage) => faultsIn(value, OPEN_API, openApiValidator as Validator);
    expect(await check(document)).toEqual([]);
    delete document['paths']['/health'].get.responses['200'].description;
    expect(await check(document)).toContain('#/paths/~1health/get/responses/200');
  });
});

describe.skipIf(asyncApiValidator === undefined)('/asyncapi.json', () => {
  test('is AsyncAPI 3.0', async () => {
    const document = await served('/asyncapi.json');
    const check = (value: TestMessage) => faultsIn(value, ASYNC_API, asyncApiValidator as Validator);
    expect(await check(document)).toEqual([]);
    delete document['operations']['ws.send'].action;
    expect(await check(document)).toContain('#/operations/ws.send');
  });
});
