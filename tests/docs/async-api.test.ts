import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { decodeControl, SUBPROTOCOLS } from '../../proto/codec.ts';
import { ErrorCode } from '../../proto/errors.ts';
import { FrameView } from '../../proto/frame.ts';
import { controlSchemas } from '../../proto/messages.ts';
import type { Account } from '../../src/demo/accounts.ts';
import { anomalyMessage, serverMessages } from '../../src/gateways/documents/server-messages.ts';
import { DOOR_PATHS } from '../../src/gateways/websocket/doors.ts';
import { frameOf, openEncoder, openViewer, TestClient, type TestMessage } from '../support/client.ts';
import { startTestMlService, type TestMlService } from '../support/ml-service.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';
import { DocumentSchemas, refsIn, resolved } from './json-documents.ts';
import { readDocument } from './markdown.ts';

let router: TestRouter;
let ml: TestMlService;
let anna: Account;
let document: TestMessage;
let schemas: DocumentSchemas;
beforeAll(async () => {
  ml = await startTestMlService(({ body }) => ({
    status: 200,
    body: { alerts: [{ streamId: body['frames'][0].streamId, severity: 'low', message: 'Cat', seq: 1 }] },
  }));
  router = await startTestRouter({ env: { ML_SERVICE_URL: ml.url, STREAM_MAX_FPS: '5' } });
  anna = await router.signUp();
  document = (await (await fetch(`${router.httpUrl}/asyncapi.json`)).json()) as TestMessage;
  schemas = new DocumentSchemas(document);
});
afterAll(() => ml.stop());

/** What is said at a door, by name. */
function messagesAt(path: string, action: 'receive' | 'send'): string[] {
  const name = Object.keys(document['channels']).find((key) => document['channels'][key].address === path);
  const operations = Object.values(document['operations'] as Record<string, TestMessage>);
  const operation = operations.find(
    ({ action: does, channel }) => does === action && channel.$ref.endsWith(`/${name}`),
  );
  const messages: TestMessage[] = operation?.['messages'].map((message: TestMessage) => twice(message)) ?? [];
  return [...new Set(messages.map((message) => message['name']))].sort();
}

/** A message of an operation is one of the channel, which is one of the components. */
function twice(message: TestMessage): TestMessage {
  return resolved(document, resolved(document, message));
}

test('/asyncapi.json describes every WebSocket door, and no other', () => {
  const addresses = Object.values(document['channels'] as Record<string, TestMessage>).map(({ address }) => address);
  const doors = DOOR_PATHS.map(({ path }) => path.replace(':user', '{user_id}'));
  expect(addresses.sort()).toEqual(doors.sort());
});

test('it knows every message that clients may send, and every one that a router sends', () => {
  const said = messagesAt('/ws', 'receive');
  expect(said).toEqual([...Object.keys(controlSchemas), 'video-frame'].sort());
  expect(messagesAt('/ws', 'send')).toEqual([...Object.keys(serverMessages), 'video-frame'].sort());
  expect(messagesAt('/streams/register', 'receive')).toContain('register');
  expect(messagesAt('/streams/subscribe', 'receive')).not.toContain('register');
  expect(messagesAt('/ws/alerts/{user_id}', 'send')).toContain('anomaly_detected');
  for (const name of Object.keys(SUBPROTOCOLS)) expect(document['info'].description).toContain(name);
});

test('every reference in it leads somewhere', () => {
  const refs = refsIn(document);
  expect(refs.length).toBeGreaterThan(80);
  expect(refs.filter(({ target }) => target === undefined)).toEqual([]);
});

test('it says what to do about every error code and every close code', () => {
  const { 'x-error-codes': errors, 'x-close-codes': closes } = document['info'];
  expect(errors.map(({ code }: TestMessage) => code)).toEqual(Object.values(ErrorCode));
  expect(closes.map(({ code }: TestMessage) => code)).toEqual(Object.values(CloseCode));
  const reconnect = closes.filter((close: TestMessage) => close['reconnect']).map(({ code }: TestMessage) => code);
  expect(reconnect).toEqual([1012, 1013, 4508, 4509]);
});

test('its examples are such as a router takes, and fit their own schemas', () => {
  const messages = Object.entries(document['components'].messages as Record<string, TestMessage>);
  const examples = messages.flatMap(([name, { payload, examples: given = [] }]) =>
    (given as TestMessage[]).map((example) => ({ name, payload, example: example['payload'] })),
  );
  expect(examples.length).toBeGreaterThan(8);
  for (const { name, payload, example } of examples) {
    expect([name, ...schemas.faultsIn(example, payload)]).toEqual([name]);
    const bytes = Buffer.from(JSON.stringify(example));
    const isFrame = new FrameView().read(bytes, 'json', undefined);
    if (!isFrame) expect(decodeControl(bytes, 'json').type).toBe(example['type']);
  }
  for (const [name, { examples: given = [], ...schema }] of Object.entries(
    document['components'].schemas as Record<string, TestMessage>,
  )) {
    for (const example of given) expect([name, ...schemas.faultsIn(example, schema)]).toEqual([name]);
  }
});

test('what the golden vectors hold valid is valid by its schemas, too', () => {
  const vectors = JSON.parse(readDocument('proto/vectors/valid.json')) as TestMessage[];
  const texts = vectors.flatMap(({ name, json = [] }) => json.map((text: string) => ({ name, text })));
  expect(texts.length).toBeGreaterThan(50);
  for (const { name, text } of texts) {
    const message = JSON.parse(text) as TestMessage;
    const faults = schemas.faultsIn(message, { $ref: `#/components/schemas/client.${message['type']}` });
    // Fields that are not described may come: a router ignores them.
    expect([name, ...faults.filter((fault) => !fault.includes('Unrecognized key'))]).toEqual([name]);
  }
});

test('what a router says is what it describes, every message of it', async () => {
  const clients: TestClient[] = [];
  const { encoder, streamId } = await openEncoder(router.wsUrl, anna.token, {
    subprotocol: 'watchout.v1.json',
    register: { streamId: 'gate' },
  });
  const viewer = await openViewer(router.wsUrl, anna.token, streamId, {
    subprotocol: 'watchout.v1.json',
    subscribe: { since: '0' },
  });
  const listener = await TestClient.open(`${router.wsUrl}/ws/alerts/${anna.userId}?token=${anna.token}`);
  clients.push(encoder, viewer, listener);
  onTestFinished(() => {
    for (const { socket } of clients) socket.terminate();
  });
  viewer.send({ type: 'heartbeat' });
  viewer.send({ type: 'unsubscribe', streamId: 'none' });
  await viewer.next('error');
  encoder.send(frameOf(encoder, streamId, numberedPicture(1, 64)));
  await viewer.next('video-frame');
  await viewer.next('alert');
  await listener.next('anomaly_detected');
  await until('the router takes no more', () => {
    for (let count = 0; count < 20; count += 1) encoder.send(frameOf(encoder, streamId, numberedPicture(2, 64)));
    return encoder.messages.some(({ reason }) => reason === 'rate-limit');
  });
  await router.stop();
  await Promise.all(clients.map(({ closed }) => closed));

  const doors = ['/streams/register', '/streams/subscribe', '/ws/alerts/{user_id}'];
  for (const [index, { messages }] of clients.entries()) {
    const sends = messagesAt(doors[index] ?? '', 'send');
    for (const { type } of messages) expect(sends).toContain(type);
  }
  const said = clients.flatMap(({ messages }) => messages);
  const types = new Set(said.map(({ type }) => type));
  expect([...types].sort()).toEqual(
    [...Object.keys(serverMessages), ...anomalyMessage.shape.type.values, 'video-frame'].sort(),
  );
  for (const { $raw, $binary, ...message } of said) {
    const name = message['type'] === 'video-frame' ? 'client.video-frame' : `router.${message['type']}`;
    const faults = schemas.faultsIn(message, { $ref: `#/components/schemas/${name}` });
    expect([message['type'], ...faults]).toEqual([message['type']]);
  }
  const withFrame = said.filter(({ type, frame }) => type === 'alert' && frame !== undefined);
  expect(withFrame.length).toBeGreaterThan(0);
});
