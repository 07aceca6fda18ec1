import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HTTP_BODIES } from '../../src/gateways/documents/http-bodies.ts';
import { documentedPath, OPERATIONS } from '../../src/gateways/documents/open-api.ts';
import type { ListedRoute } from '../../src/gateways/http/routes.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import type { Answer, Asked } from '../support/ask.ts';
import type { TestMessage } from '../support/client.ts';
import { startTestMlService, type TestMlService } from '../support/ml-service.ts';
import { numberedPicture } from '../support/pictures.ts';
import { type AnnasStream, bearer, SERVICE_TOKEN, startTwoUsers, type TwoUsers } from '../support/two-users.ts';
import { until } from '../support/until.ts';
import { DocumentSchemas, refsIn, resolved } from './json-documents.ts';

let two: TwoUsers;
let hers: AnnasStream;
let ml: TestMlService;
let alertId: string;
let document: TestMessage;
let schemas: DocumentSchemas;
beforeAll(async () => {
  ml = await startTestMlService(() => ({ status: 200, body: { alerts: [] } }));
  two = await startTwoUsers({ ML_SERVICE_URL: ml.url, MAX_STREAMS_PER_USER: '3' });
  hers = await two.openStream();
  await until('a frame is analysed', () => ml.requests.length > 0);
  await two.ask('/alerts', { method: 'POST', headers: SERVICE, body: alertOfHers() });
  alertId = (await hers.viewer.next('alert'))['id'];
  document = (await two.ask('/openapi.json')).json;
  schemas = new DocumentSchemas(document);
});
afterAll(async () => {
  await hers.end(two);
  await two.stop();
  ml.stop();
});

const SERVICE = { authorization: `Bearer ${SERVICE_TOKEN}` };
const JPEG = { 'content-type': 'image/jpeg' };
const METHODS = ['get', 'post', 'delete', 'put', 'patch', 'head', 'options', 'trace'];

function alertOfHers(): object {
  return { streamId: hers.id, severity: 'high', message: 'Person', seq: 1 };
}

interface Described {
  name: string;
  route: ListedRoute;
  operation: TestMessage;
}

function described(): Described[] {
  return two.router.app.routes.map((route) => {
    const name = `${route.method} ${route.path}`;
    const operation = document['paths'][documentedPath(route.path)]?.[route.method.toLowerCase()];
    return { name, route, operation: operation ?? {} };
  });
}

test('/openapi.json describes every path and method of the router, and no other', () => {
  const paths = Object.entries(document['paths'] as Record<string, object>);
  const documented = paths.flatMap(([path, item]) => Object.keys(item).map((key) => `${key.toUpperCase()} ${path}`));
  const routes = two.router.app.routes.map(({ method, path }) => `${method} ${documentedPath(path)}`);
  expect(documented.sort()).toEqual(routes.sort());
  for (const [, item] of paths) for (const key of Object.keys(item)) expect(METHODS).toContain(key);
});

test('every operation is in words, and none is left over of a path that is gone', () => {
  expect(Object.keys(OPERATIONS).sort()).toEqual(
    described()
      .map(({ name }) => name)
      .sort(),
  );
  const ids = described().map(({ operation }) => operation['operationId']);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { name, operation } of described()) expect(`${name}: ${operation['summary']}`).toMatch(/: .{4,}/);
});

test('every reference in it leads somewhere, and every body it knows is used', () => {
  const refs = refsIn(document);
  expect(refs.length).toBeGreaterThan(50);
  expect(refs.filter(({ target }) => target === undefined)).toEqual([]);
  const used = new Set(refs.map(({ ref }) => ref));
  for (const name of Object.keys(HTTP_BODIES)) {
    if (name !== 'ConnectionStats') expect([...used]).toContain(`#/components/schemas/${name}`);
  }
});

test('every variable part of a path is a parameter', () => {
  for (const [path, item] of Object.entries(document['paths'] as Record<string, TestMessage>)) {
    const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const { parameters = [] } of Object.values(item) as { parameters?: TestMessage[] }[]) {
      const inPath = parameters.filter((parameter) => parameter['in'] === 'path');
      expect(inPath.map(({ name, required }) => [name, required])).toEqual(parts.map((name) => [name, true]));
    }
  }
});

test('every operation says what its errors are', () => {
  for (const { name, route, operation } of described()) {
    const statuses = Object.keys(operation['responses']);
    const ofSessions = ['401', '429', '503'];
    const expected = {
      nothing: [],
      session: ofSessions,
      'service token': ['401', '429'],
      'session or ops token': ofSessions,
    }[route.needs];
    expect(`${name} ${statuses}`).toContain('default');
    for (const status of expected) expect(`${name} ${statuses}`).toContain(status);
    if (route.path.includes(':user')) expect(`${name} ${statuses}`).toContain('403');
    for (const status of statuses) {
      const isError = !/^[23]/.test(status);
      const answer = resolved(document, operation['responses'][status]);
      const isHealth = route.path.startsWith('/health');
      if (isError && !isHealth) expect(answer['content']['application/json'].schema).toEqual(ERROR);
    }
  }
});

const ERROR = { $ref: '#/components/schemas/Error' };

describe('what a router answers is what it describes', () => {
  /** Fails unless the status is described for the operation, by itself, and the body is as described. */
  function expectDescribed(name: string, { status, headers, json, body }: Answer): void {
    const { operation } = described().find((one) => one.name === name) ?? {};
    const found = operation?.['responses'][status];
    expect(`${name} ${status} ${found === undefined ? 'is not described' : ''}`).toBe(`${name} ${status} `);
    const { content } = resolved(document, found);
    if (content === undefined) {
      expect(body).toHaveLength(0);
      return;
    }
    const contentType = headers['content-type'] ?? '';
    const [documented = ''] = Object.keys(content);
    if (documented !== '*/*') expect(contentType.startsWith(documented)).toBe(true);
    const { schema } = content[documented];
    if (schema !== undefined) expect(schemas.faultsIn(json, schema)).toEqual([]);
  }

  /** The path, about Anna and her stream. */
  function filled(path: string, { user = two.anna.userId, stream = hers.id, alert = alertId } = {}): string {
    const [file = ''] = readdirSync(new URL('dist/dashboard/assets/', PROJECT_FOLDER));
    return path.replace(':user', user).replace(':stream', stream).replace(':alert', alert).replace(':file', file);
  }

  function ask(name: string, asked: Asked = {}, about: Parameters<typeof filled>[1] = {}): Promise<Answer> {
    const [method = '', path = ''] = name.split(' ');
    return two.ask(filled(path, about), { method, ...asked });
  }

  const readable = Object.keys(OPERATIONS).filter((name) => name.startsWith('GET ') && !name.endsWith('.mjpeg'));

  test.each(readable)('%s, to its owner', async (name) => {
    const answer = await ask(name, { headers: bearer(two.anna) });
    expect(answer.status).toBe(200);
    expectDescribed(name, answer);
  });

  const guarded = Object.entries(OPERATIONS).filter(([, { tag }]) => !['Status', 'Pages', 'Documents'].includes(tag));

  test.each(guarded.map(([name]) => name))('%s, to somebody without a session', async (name) => {
    const answer = await ask(name);
    expect(answer.status).toBe(401);
    expectDescribed(name, answer);
  });

  const ofOthers = guarded.map(([name]) => name).filter((name) => name.includes('/:'));

  test.each(ofOthers)('%s, to another user', async (name) => {
    const answer = await ask(name, { headers: { ...bearer(two.bob), ...JPEG }, text: numberedPicture(1, 100) });
    expect(answer.status).toBe(403);
    expectDescribed(name, answer);
  });

  const RESERVE = 'POST /api/streams/register';
  const REPORT = 'POST /alerts';
  const POST = 'POST /streams/:stream/frames';
  const anna = () => bearer(two.anna);
  const unchanged = async (path: string) => ({
    ...anna(),
    'if-none-match': (await two.ask(path, { headers: anna() })).headers.etag ?? '',
  });

  test.each<[string, string, number, () => Asked | Promise<Asked>, { stream?: string }?]>([
    ['a ticket', 'POST /api/tickets', 201, () => ({ headers: anna() })],
    ['a name', RESERVE, 201, () => ({ headers: anna(), body: { deviceName: 'Door' } })],
    ['a bad name', RESERVE, 400, () => ({ headers: anna(), body: { deviceName: 7 } })],
    ['a large body', RESERVE, 413, () => ({ headers: anna(), text: 'x'.repeat(200_000) })],
    ['no JSON', RESERVE, 415, () => ({ headers: { ...anna(), 'content-type': 'text/plain' }, text: 'x' })],
    ['an offer', 'POST /api/offer', 501, () => ({ headers: anna() })],
    ['an alert', REPORT, 200, () => ({ headers: SERVICE, body: [alertOfHers(), {}] })],
    ['no alert', REPORT, 400, () => ({ headers: SERVICE, text: '{' })],
    ['large alerts', REPORT, 413, () => ({ headers: SERVICE, text: 'x'.repeat(2_000_000) })],
    ['no JSON', REPORT, 415, () => ({ headers: { ...SERVICE, 'content-type': 'text/plain' }, text: 'x' })],
    ['no such limit', 'GET /api/alerts?limit=0', 400, () => ({ headers: anna() })],
    ['no such fps', 'GET /streams/:stream/live.mjpeg?fps=0', 400, () => ({ headers: anna() })],
    ['the same document', 'GET /openapi.json', 304, () => unchanged('/openapi.json').then((headers) => ({ headers }))],
    [
      'the same document',
      'GET /asyncapi.json',
      304,
      () => unchanged('/asyncapi.json').then((headers) => ({ headers })),
    ],
    [
      'the same picture',
      'GET /streams/:stream/snapshot.jpg',
      304,
      async () => ({ headers: await unchanged(`/streams/${hers.id}/snapshot.jpg`) }),
    ],
    [
      'a picture',
      POST,
      204,
      () => ({ headers: { ...anna(), ...JPEG }, text: numberedPicture(1, 100) }),
      { stream: 'p' },
    ],
    ['no picture', POST, 400, () => ({ headers: { ...anna(), ...JPEG }, text: 'no JPEG' }), { stream: 'p' }],
    [
      'a page',
      POST,
      415,
      () => ({ headers: { ...anna(), 'content-type': 'text/html' }, text: '<p>' }),
      { stream: 'p' },
    ],
    ['no stream', 'GET /streams/:stream/snapshot.jpg', 404, () => ({ headers: anna() }), { stream: 'none' }],
    ['no stream', 'GET /streams/:stream/live.mjpeg', 404, () => ({ headers: anna() }), { stream: 'none' }],
    ['no stream', 'GET /api/users/:user/streams/:stream', 404, () => ({ headers: anna() }), { stream: 'none' }],
    ['no stream', 'DELETE /api/users/:user/streams/:stream', 404, () => ({ headers: anna() }), { stream: 'none' }],
    ['a stream', 'DELETE /api/users/:user/streams/:stream', 200, () => ({ headers: anna() }), { stream: 'p' }],
    ['one too many', RESERVE, 429, reserveAll],
  ])('%s: %s answers %i', async (_what, name, status, asked, about) => {
    const answer = await ask(name, await asked(), about ?? {});
    expect(answer.status).toBe(status);
    expectDescribed(name.replace(/\?.*/, ''), answer);
  });

  test('a posted series of pictures, and all streams deleted', async () => {
    const text = Buffer.concat([numberedPicture(1, 100), numberedPicture(2, 100)].map(whole));
    const headers = { ...bearer(two.bob), 'content-type': 'video/x-motion-jpeg' };
    const posted = await ask(POST, { headers, text }, { stream: 'of-bob' });
    expect(posted.json['frames']).toMatchObject({ received: 2, accepted: 2 });
    expectDescribed(POST, posted);
    const deleted = await ask('DELETE /api/users/:user', { headers: bearer(two.bob) }, { user: two.bob.userId });
    expect(deleted.json['deleted']).toEqual(['of-bob']);
    expectDescribed('DELETE /api/users/:user', deleted);
  });

  /** As many as there may be; answers with one more. */
  async function reserveAll(): Promise<Asked> {
    const asked: Asked = { headers: anna(), body: {} };
    while ((await ask(RESERVE, asked)).status === 201);
    return asked;
  }

  /** A JPEG as far as its segments go: from its beginning to its end. */
  function whole(picture: Buffer): Buffer {
    const comment = picture.subarray(8);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(comment.length + 2);
    return Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xfe]), length, comment, Buffer.from([0xff, 0xd9])]);
  }
});
