import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { decodeControl } from '../../proto/codec.ts';
import { ErrorCode } from '../../proto/errors.ts';
import { FrameView } from '../../proto/frame.ts';
import { controlSchemas } from '../../proto/messages.ts';
import { ENVIRONMENT_VARIABLES } from '../../src/config.ts';
import { anomalyMessage, serverMessages } from '../../src/gateways/documents/server-messages.ts';
import { DOOR_PATHS } from '../../src/gateways/websocket/doors.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { blocksIn, codeIn, readDocument, rowsIn, sectionOf } from './markdown.ts';

const api = readDocument('docs/API.md');
const refusals = rowsIn(sectionOf(api, '## When something is refused'));

/** Every refusal over HTTP that the sources know: its status and code. */
function refusalsInSources(): { status: string; code: string }[] {
  const folder = new URL('src/gateways/', PROJECT_FOLDER);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  return files.flatMap((path) => {
    const source = readDocument(`src/gateways/${path}`);
    const calls = source.matchAll(/\b(?:error|replyError|refuse)\((?:res, )?\s*(\d{3}),\s*'([A-Z_]+)'/g);
    const tables = source.matchAll(/status: (\d{3}),\s*code: '([A-Z_]+)'/g);
    return [...calls, ...tables].map(([, status = '', code = '']) => ({ status, code }));
  });
}

test('the API document explains every error code with its status, and no other', () => {
  const inSources = refusalsInSources();
  expect(inSources.length).toBeGreaterThan(20);
  const documented = new Map(
    refusals.flatMap(([code = '', http = '']) => (/^`[A-Z]/.test(code) ? [[code.slice(1, -1), http]] : [])),
  );
  const codes = new Set([...Object.values(ErrorCode), ...inSources.map(({ code }) => code)]);
  expect([...documented.keys()].sort()).toEqual([...codes].sort());
  for (const { status, code } of inSources) expect(`${code} ${documented.get(code)}`).toContain(status);
});

test('the API document says after which close codes a client may reconnect', () => {
  const rows = refusals.filter(([code]) => /^\d{4}$/.test(code ?? ''));
  expect(rows.map(([code]) => Number(code))).toEqual(Object.values(CloseCode));
  for (const [code = '', , reconnect = ''] of rows) {
    const isFinal = code === '1008' || /^44/.test(code);
    expect(`${code} ${reconnect}`).toMatch(isFinal ? / no\b/ : / (yes|with)\b/);
  }
});

test('the API document lists every WebSocket door, and no other', () => {
  const section = sectionOf(api, '## WebSocket');
  const doors = rowsIn(section).flatMap(([paths = '']) => codeIn(paths).filter((path) => path.startsWith('/')));
  expect(doors).toEqual(DOOR_PATHS.map(({ path }) => path.replace(':user', '{user_id}')));
});

test('the API document lists every message with all of its fields', () => {
  const rows = rowsIn(sectionOf(api, '## WebSocket'));
  const fromClients = rows.findIndex(([head]) => head === 'from clients');
  const fromRouter = rows.findIndex(([head]) => head === 'from the router');
  const table = (from: number, to?: number) =>
    rows.slice(from + 1, to).map(([type = '', ...cells]) => ({ type, cells }));
  const shapes = (schemas: Readonly<Record<string, { shape: object }>>) =>
    Object.entries(schemas).map(([type, { shape }]): [string, string[]] => [`\`${type}\``, Object.keys(shape)]);
  const frame: [string, string[]] = ['`video-frame`', []];
  const clients = new Map([...shapes(controlSchemas), frame]);
  const router = new Map([...shapes({ ...serverMessages, anomaly_detected: anomalyMessage }), frame]);
  const documented = table(fromClients, fromRouter);
  const documentedOfRouter = table(fromRouter);
  expect(documented.map(({ type }) => type).sort()).toEqual([...clients.keys()].sort());
  expect(documentedOfRouter.map(({ type }) => type).sort()).toEqual([...router.keys()].sort());
  for (const { type, cells } of documented) {
    const named = codeIn(cells.join(' ')).map((code) => code.replace(/[?:].*/, ''));
    for (const field of clients.get(type) ?? []) if (field !== 'type') expect(`${type} ${named}`).toContain(field);
  }
  // In the older words an alert has all of its own fields as well.
  const alertFields = Object.keys(serverMessages.alert.shape);
  for (const { type, cells } of documentedOfRouter) {
    const named = codeIn(cells.join(' ')).map((code) => code.replace('?', ''));
    const known = type === '`anomaly_detected`' ? [...named, ...alertFields] : named;
    for (const field of router.get(type) ?? []) if (field !== 'type') expect([type, ...known]).toContain(field);
  }
});

test('the messages in the API document are such as a router takes and sends', () => {
  const messages = blocksIn(api).flatMap(({ language, code }) => {
    if (language !== 'json') return [];
    const value = JSON.parse(code) as Record<string, unknown>;
    return typeof value['type'] === 'string' ? [{ code, value, type: value['type'] }] : [];
  });
  expect(messages.length).toBeGreaterThanOrEqual(6);
  for (const { code, value, type } of messages) {
    if (type === 'video-frame') {
      expect(new FrameView().read(Buffer.from(code), 'json', undefined)).toBe(true);
    } else if (type in serverMessages && 'timestamp' in value) {
      expect(serverMessages[type as keyof typeof serverMessages].strict().parse(value)).toEqual(value);
    } else expect(decodeControl(Buffer.from(code), 'json').type).toBe(type);
  }
});

test('the API document names every variable that limits a client or lets it in, and none that is not there', () => {
  const prose = api.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
  const named = new Set(codeIn(prose).flatMap((code) => code.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? []));
  const others = new Set([...refusals.flatMap(([code = '']) => codeIn(code))]);
  for (const name of named) if (!others.has(name)) expect(ENVIRONMENT_VARIABLES).toContain(name);
  const about =
    /^(MAX_|STREAM_MAX|STREAM_ACCESS|STREAM_GRACE|AUTH_|SESSION_|ALLOW|TRUSTED|ML_SERVICE_TOKEN|ALERT_COOLDOWN|EVIDENCE|VIEWER_)/;
  for (const name of ENVIRONMENT_VARIABLES) if (about.test(name)) expect([...named]).toContain(name);
});
