import { registerSchema } from '@hyperjump/json-schema/draft-07';
import { type SchemaObject, validate } from '@hyperjump/json-schema/openapi-3-1';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestMessage } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { readDocument } from './markdown.ts';

/** The package knows OpenAPI's own schema; AsyncAPI's is beside this file. */
const OPEN_API = 'https://spec.openapis.org/oas/3.1/schema-base';
const ASYNC_API = 'https://watchout.invalid/asyncapi-3.0.0';

let router: TestRouter;
beforeAll(async () => {
  router = await startTestRouter();
  registerSchema(JSON.parse(readDocument('tests/docs/asyncapi-3.0.0.schema.json')) as SchemaObject, ASYNC_API);
});
afterAll(() => router.stop());

async function served(path: string): Promise<TestMessage> {
  return (await (await fetch(`${router.httpUrl}${path}`)).json()) as TestMessage;
}

/** Where a document is not what the standard wants. */
async function faultsIn(document: TestMessage, uri: string): Promise<string[]> {
  const output = await validate(uri, document as never, 'BASIC');
  if (output.valid) return [];
  return ['the document', ...(output.errors ?? []).map(({ instanceLocation }) => instanceLocation)];
}

test('/openapi.json is OpenAPI 3.1', async () => {
  const document = await served('/openapi.json');
  expect(await faultsIn(document, OPEN_API)).toEqual([]);
  delete document['paths']['/health'].get.responses['200'].description;
  expect(await faultsIn(document, OPEN_API)).toContain('#/paths/~1health/get/responses/200');
});

test('/asyncapi.json is AsyncAPI 3.0', async () => {
  const document = await served('/asyncapi.json');
  expect(await faultsIn(document, ASYNC_API)).toEqual([]);
  delete document['operations']['ws.send'].action;
  expect(await faultsIn(document, ASYNC_API)).toContain('#/operations/ws.send');
});
