import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { documentedPath } from '../../src/gateways/documents/open-api.ts';
import { frameOf, openEncoder, type TestClient, type TestMessage } from '../support/client.ts';
import { startTestMlService, type TestMlService } from '../support/ml-service.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { hasTool } from '../support/tools.ts';
import { until } from '../support/until.ts';
import { type Block, blocksIn, blockWith, codeIn, readDocument, rowsIn, sectionOf } from './markdown.ts';

const api = readDocument('docs/API.md');
const blocks = blocksIn(api);

const SERVICE_TOKEN = 'the-ml-service-of-the-api-document';
const PAGE = 'https://app.example';

let router: TestRouter;
let ml: TestMlService;
let anna: Account;
let folder: string;
beforeAll(async () => {
  ml = await startTestMlService(() => ({ status: 200, body: { alerts: [] } }));
  const env = { ML_SERVICE_URL: ml.url, ML_SERVICE_TOKEN: SERVICE_TOKEN, ALLOWED_ORIGINS: PAGE, STREAM_GRACE_MS: '0' };
  router = await startTestRouter({ env });
  anna = await router.signUp();
  folder = mkdtempSync(join(tmpdir(), 'watchout-api-'));
  writeFileSync(join(folder, 'picture.jpg'), numberedPicture(1, 500));
});
afterAll(async () => {
  await router.stop();
  ml.stop();
  rmSync(folder, { recursive: true });
});

test('the API document lists every path of the router with who may call it, and no other', () => {
  const rows = rowsIn(sectionOf(api, '## HTTP')).filter(([path]) => /^`(GET|POST|DELETE) /.test(path ?? ''));
  const documented = rows.map(([path = '', needs]) => `${codeIn(path)[0]} ${needs}`);
  const everybody = {
    nothing: 'everybody',
    session: 'session',
    'service token': 'service token',
    'session or ops token': 'session, or `OPS_TOKEN`',
  };
  const routes = router.app.routes.map(({ method, path, needs }) => {
    return `${method} ${documentedPath(path)} ${everybody[needs]}`;
  });
  expect(documented.sort()).toEqual(routes.sort());
});

test('the API document says which headers pages of other origins may send and read', async () => {
  const section = codeIn(sectionOf(api, '## Pages of other origins, and caches')).map((name) => name.toLowerCase());
  const headers = { origin: PAGE, 'access-control-request-method': 'POST' };
  const preflight = await fetch(`${router.httpUrl}/api/tickets`, { method: 'OPTIONS', headers });
  const answer = await fetch(`${router.httpUrl}/health`, { headers });
  const named = (response: Response, name: string) => response.headers.get(name)?.toLowerCase().split(', ') ?? [];
  const allowed = named(preflight, 'access-control-allow-headers');
  const exposed = named(answer, 'access-control-expose-headers');
  expect([allowed.length, exposed.length]).not.toContain(0);
  expect(section).toEqual(expect.arrayContaining([...allowed, ...exposed]));
});

/** What the examples speak of: a stream that streams, and an alert with its picture. */
interface World {
  encoder: TestClient;
  streamId: string;
  alertId: string;
}

const RESERVATION = { deviceName: 'Front door', deviceType: 'mobile', metadata: { resolution: '1280x720' } };

async function ask(path: string, body: unknown, token = anna.token): Promise<TestMessage> {
  const response = await fetch(router.httpUrl + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as TestMessage;
}

async function openWorld(): Promise<World> {
  const { streamId } = await ask('/api/streams/register', RESERVATION);
  const { encoder } = await openEncoder(router.wsUrl, anna.token, { register: { streamId } });
  encoder.send(frameOf(encoder, streamId, numberedPicture(1, 500)));
  await until('the frame is analysed', () => ml.requests.some(({ body }) => isAbout(body, streamId)));
  const alert = { streamId, severity: 'high', message: 'Person at the gate', metadata: { confidence: 0.95 }, seq: 1 };
  expect(await ask('/alerts', alert, SERVICE_TOKEN)).toEqual({ accepted: 1, refused: [] });
  return { encoder, streamId, alertId: (await encoder.next('alert'))['id'] };
}

/** Its encoder is sent away, its name is given up. */
async function endWorld(): Promise<void> {
  const headers = { authorization: `Bearer ${anna.token}` };
  const { status } = await fetch(`${router.httpUrl}/api/users/${anna.userId}`, { method: 'DELETE', headers });
  expect(status).toBe(200);
}

const hasCurl = hasTool('curl', 'curl', ['--version']) && hasTool('bash', 'bash', ['--version']);

describe.skipIf(!hasCurl)('the examples for the shell', () => {
  /** An example, and the block that shows its answer, if there is one. */
  const examples = blocks.flatMap((block, index) => {
    const isExample = block.language === 'sh' && block.code.includes('curl');
    return isExample ? [{ code: block.code, next: blocks[index + 1] }] : [];
  });

  test('there is one for most paths', () => expect(examples.length).toBeGreaterThanOrEqual(15));

  test.each(examples)('$code', async ({ code, next }) => {
    const { encoder, streamId, alertId } = await openWorld();
    const camera = setInterval(() => encoder.send(frameOf(encoder, streamId, numberedPicture(2, 500))), 50);
    onTestFinished(async () => {
      clearInterval(camera);
      await endWorld();
    });
    const { status, body } = await runInShell(code, {
      ROUTER: router.httpUrl,
      TOKEN: anna.token,
      STREAM_ID: streamId,
      USER_ID: anna.userId,
      ALERT_ID: alertId,
      SERVICE_TOKEN,
      ALLOWED_ORIGIN: PAGE,
    });
    const answer = next?.before ?? '';
    const [, documented] = /^\s*Answers (\d{3})/.exec(answer) ?? [];
    if (documented !== undefined) expect(`${status} ${body}`).toContain(`${documented} `);
    if (documented === undefined || next?.language === 'text') expect(pattern(body)).toEqual(pattern(next?.code ?? ''));
    else if (belongs(next)) expect(shapeOf(JSON.parse(body))).toEqual(shapeOf(JSON.parse(next?.code ?? '')));
  });

  /** Whether a block shows the answer of the example before it: it follows with nothing but a sentence or two in between. */
  function belongs(next: Block | undefined): boolean {
    return next?.language === 'json' && /^\s*Answers [^\n]*\n+$/.test(next.before);
  }

  async function runInShell(code: string, env: Record<string, string>): Promise<{ status: string; body: string }> {
    const curl = `curl() { command curl --silent --show-error --max-time 20 --write-out '\\n%{http_code}' "$@"; }`;
    const shell = spawn('bash', ['--norc', '-c', `${curl}\n${code}`], {
      env: { PATH: process.env['PATH'], ...env },
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [printed, complaints] = await Promise.all([text(shell.stdout), text(shell.stderr)]);
    const [, body, status = ''] = /^([\s\S]*)\n(\d{3})$/.exec(printed) ?? [];
    // Of a pipe that is cut curl says so.
    if (status !== '') expect(complaints).toBe('');
    return { status, body: body ?? printed };
  }

  /** Its lines, with any number for a number. */
  function pattern(printed: string): string[] {
    return printed.trim().replaceAll('\r', '').replaceAll(/\d+/g, '0').split('\n');
  }
});

describe('the examples for JavaScript', () => {
  interface Shown {
    pictures: string[];
    notices: unknown[][];
    errors: string[];
  }

  async function runInPage(code: string, { streamId }: World): Promise<Shown> {
    const shown: Shown = { pictures: [], notices: [], errors: [] };
    const page = {
      ROUTER: router.httpUrl,
      TOKEN: anna.token,
      STREAM_ID: streamId,
      USER_ID: anna.userId,
      WebSocket,
      console: { error: (...said: string[]) => shown.errors.push(said.join(' ')) },
      show: (picture: string) => shown.pictures.push(picture),
      notify: (...said: unknown[]) => shown.notices.push(said),
    };
    const AsyncFunction = (async () => undefined).constructor as FunctionConstructor;
    const socket = await new AsyncFunction(...Object.keys(page), `${code}; return { socket };`)(...Object.values(page));
    onTestFinished(() => void socket.socket.close());
    return shown;
  }

  test('the page that watches shows picture after picture, and the alerts', async () => {
    const world = await openWorld();
    onTestFinished(endWorld);
    const shown = await runInPage(blockWith(api, 'js', 'window: 2'), world);
    await until('the first picture is shown', () => shown.pictures.length === 1);
    for (let count = 2; count <= 6; count += 1) {
      world.encoder.send(frameOf(world.encoder, world.streamId, numberedPicture(count, 500)));
      await until('the picture is shown', () => shown.pictures.length === count);
    }
    const last = numberedPicture(6, 500).toString('base64');
    expect(shown.pictures.at(-1)).toBe(`data:image/jpeg;base64,${last}`);
    await ask('/alerts', { streamId: world.streamId, severity: 'low', message: 'Cat' }, SERVICE_TOKEN);
    await until('the alert is shown', () => shown.notices.length === 1);
    expect(shown.notices).toMatchObject([[{ type: 'alert', message: 'Cat' }]]);
    expect(shown.errors).toEqual([]);
  });

  test('the older front end is told of alerts in its own words', async () => {
    const world = await openWorld();
    onTestFinished(endWorld);
    const shown = await runInPage(blockWith(api, 'js', 'anomaly_detected'), world);
    await until('an alert is shown', async () => {
      await ask('/alerts', { streamId: world.streamId, severity: 'high', message: 'Abnormal' }, SERVICE_TOKEN);
      return shown.notices.length > 0;
    });
    const result = { classification: 'Abnormal', confidence: 'High', is_abnormal: true };
    expect(shown.notices[0]).toEqual([world.streamId, result]);
  });
});

function isAbout(batch: TestMessage, streamId: string): boolean {
  return (batch['frames'] as TestMessage[]).some((frame) => frame['streamId'] === streamId);
}

/** What is the same whenever it is asked. */
const STEADY = ['code', 'message', 'source', 'status', 'severity', 'type', 'deviceName', 'device_name', 'unusedForMs'];

/** The names and types in a value, and what is steady as it is; of a list that of its first. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  const parts = Object.entries(value).map(([name, part]) => [name, STEADY.includes(name) ? part : shapeOf(part)]);
  return Object.fromEntries(parts);
}
