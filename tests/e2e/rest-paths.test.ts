import { request } from 'node:http';
import { connect } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { ListedRoute } from '../../src/gateways/http/routes.ts';
import { openEncoder } from '../support/client.ts';
import { noteSecret } from '../support/evidence.ts';
import { type AnnasStream, bearer, SERVICE_TOKEN, startTwoUsers, type TwoUsers } from '../support/two-users.ts';

const PAGE = 'https://app.example';

let two: TwoUsers;
let hers: AnnasStream;
beforeAll(async () => {
  two = await startTwoUsers({ ALLOWED_ORIGINS: PAGE });
  hers = await two.openStream();
});
afterAll(async () => {
  await hers.end(two);
  await two.stop();
});

/** A path of the table, about Anna and her stream. */
function filled({ path }: ListedRoute): string {
  return path.replace(':user', two.anna.userId).replace(':stream', hers.id).replace(':alert', 'some-alert');
}

const routes = () => two.router.app.routes;
const paths = () => [...new Set(routes().map(filled))];
const methodsOf = (path: string) => routes().flatMap((route) => (filled(route) === path ? [route.method] : []));
/** Without those that never end. */
const readable = () => routes().filter(({ method, path }) => method === 'GET' && !path.endsWith('.mjpeg'));

/** Sends `HEAD` and then `GET /health/live` on one connection, and answers what comes: header lines of the first, and all that follows them. */
function headThenGet(path: string, fields: Record<string, string>): Promise<{ head: string[]; rest: string }> {
  const lines = (method: string, of: string) =>
    [`${method} ${of} HTTP/1.1`, 'host: router', ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`)]
      .join('\r\n')
      .concat('\r\n\r\n');
  return new Promise((resolve, reject) => {
    const socket = connect(two.router.port, '127.0.0.1');
    let text = '';
    let isAsked = false;
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${text}`)));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!isAsked) {
        isAsked = true;
        socket.write(lines('GET', '/health/live'));
      }
      if (!text.endsWith('{"status":"live"}')) return;
      socket.removeAllListeners('close').destroy();
      resolve({ head: text.slice(0, end).toLowerCase().split('\r\n'), rest: text.slice(end + 4) });
    });
    socket.write(lines('HEAD', path));
  });
}

describe('every path', () => {
  test('answers HEAD as it answers GET, without the body, and the connection goes on', async () => {
    const fields = bearer(two.anna);
    expect(readable().length).toBeGreaterThan(10);
    // What they say changes by the millisecond.
    const unsteady = /^\/(health|stats|metrics|api\/(stats|connections))$/;
    for (const route of [...readable(), { method: 'GET', path: '/nope', needs: 'nothing' } as const]) {
      const path = filled(route);
      const { status, headers, body } = await two.ask(path, { headers: fields });
      const { head, rest } = await headThenGet(path, fields);
      expect([path, rest.slice(0, 15)]).toEqual([path, 'HTTP/1.1 200 OK']);
      expect([path, head[0]]).toEqual([path, expect.stringMatching(new RegExp(`^http/1.1 ${status} `))]);
      expect(head).toContain(`content-type: ${headers['content-type']?.toLowerCase()}`);
      const length = head.find((line) => line.startsWith('content-length: '))?.split(' ')[1];
      if (unsteady.test(path)) expect(Number(length)).toBeGreaterThan(0);
      else expect([path, length]).toEqual([path, `${body.length}`]);
    }
  });

  test('answers other methods with 405 and those that it knows, HEAD among them where GET is', async () => {
    for (const path of paths()) {
      const known = methodsOf(path).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
        if (known.includes(method)) continue;
        const { status, code, headers } = await two.ask(path, { method, headers: bearer(two.anna) });
        expect([method, path, status, code, headers.allow]).toEqual([
          method,
          path,
          405,
          'METHOD_NOT_ALLOWED',
          known.join(', '),
        ]);
      }
      if (known.includes('HEAD')) continue;
      const { head, rest } = await headThenGet(path, {});
      expect([path, head[0], rest.slice(0, 15)]).toEqual([path, 'http/1.1 405 method not allowed', 'HTTP/1.1 200 OK']);
    }
  });

  test('lets pages of allowed origins call it and read the answer, also that there is none', async () => {
    for (const path of [...paths(), '/nope', '/api/nope/deeper']) {
      const asked = { origin: PAGE, 'access-control-request-method': methodsOf(path)[0] ?? 'POST' };
      const preflight = await two.ask(path, { method: 'OPTIONS', headers: asked });
      expect([path, preflight.status, preflight.body.length]).toEqual([path, 204, 0]);
      expect(preflight.headers).not.toHaveProperty('content-length');
      expect(preflight.headers['access-control-allow-methods']).toContain(methodsOf(path)[0] ?? 'POST');
      expect(preflight.headers['access-control-allow-headers']).toMatch(/\bauthorization\b.*\bcontent-type\b/);
      for (const { headers } of [preflight, await two.ask(path, { method: 'PUT', headers: { origin: PAGE } })]) {
        expect(headers['access-control-allow-origin']).toBe(PAGE);
        expect(headers['access-control-allow-credentials']).toBe('true');
        expect(headers['access-control-expose-headers']).toMatch(/\bETag\b.*\bRetry-After\b/);
        expect(headers.vary).toContain('Origin');
      }
    }
  });

  test('lets no other page read anything', async () => {
    for (const origin of ['https://evil.example', 'null', `${PAGE}.evil.example`, PAGE.toUpperCase(), `${PAGE}/`]) {
      for (const path of [...paths(), '/nope']) {
        for (const method of ['OPTIONS', 'PUT']) {
          const { headers } = await two.ask(path, { method, headers: { origin } });
          expect(headers).not.toHaveProperty('access-control-allow-origin');
          expect(headers.vary).toContain('Origin');
        }
      }
    }
  });

  test('has one shape of errors, which nothing may keep or guess the type of', async () => {
    const post = { method: 'POST', headers: { ...bearer(two.anna), 'content-type': 'application/json' } };
    const asked = [
      await two.ask('/nope'),
      await two.ask('/api/alerts'),
      await two.ask('/api/alerts', { method: 'DELETE' }),
      await two.ask('/api/alerts?limit=x', { headers: bearer(two.anna) }),
      await two.ask(`/api/users/${two.bob.userId}`, { method: 'DELETE', headers: bearer(two.anna) }),
      await two.ask('/api/offer', post),
      await two.ask('/api/streams/register', { ...post, text: '{' }),
      await two.ask('/streams/register'),
    ];
    expect(asked.map(({ status }) => status)).toEqual([404, 401, 405, 400, 403, 501, 400, 426]);
    for (const { json, headers } of asked) {
      expect(json).toEqual({ error: { code: expect.stringMatching(/^[A-Z_]+$/), message: expect.any(String) } });
      expect(headers['content-type']).toBe('application/json; charset=utf-8');
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
    expect(asked[1]?.headers['www-authenticate']).toBe('Bearer');
  });
});

test('/api/stats is /stats, for everybody', async () => {
  const [old, same] = [await two.ask('/stats'), await two.ask('/api/stats')];
  expect([old.status, same.status]).toEqual([200, 200]);
  expect(Object.keys(same.json)).toEqual(Object.keys(old.json));
  expect(same.json['activeStreams']).toEqual([hers.id]);
});

describe('odd paths', () => {
  test('of no name, of one too many, or with a slash at the end lead nowhere', async () => {
    const { userId } = two.anna;
    for (const path of [
      '/api/users//streams',
      `/api/users/${userId}/streams/`,
      `/api/users/${userId}//streams`,
      `//api/users/${userId}/streams`,
      '/api/alerts/',
      '/api/streams/list/more',
      '/API/alerts',
      '/api%2Falerts',
    ]) {
      const { status, code } = await two.ask(path, { headers: bearer(two.anna) });
      expect([path, status, code]).toEqual([path, 404, 'NOT_FOUND']);
    }
  });

  test('with broken escapes are nobody’s and nothing’s, and do no harm', async () => {
    for (const name of ['%', '%zz', '%ff', '%E0%A4%A', '%00', '%0d%0a']) {
      const own = await two.ask(`/api/users/${two.anna.userId}/streams/${name}`, { headers: bearer(two.anna) });
      expect([name, own.status]).toEqual([name, 404]);
      expect((await two.ask(`/api/users/${name}/streams`, { headers: bearer(two.anna) })).status).toBe(403);
    }
  });

  test('name a user whose id has slashes, spaces and letters of any kind', async () => {
    const userId = 'team/anna b?ü%2F';
    const account = await two.router.signUp();
    const admin = new pg.Pool({ connectionString: inject('databases').url, max: 1 });
    await admin.query(
      `INSERT INTO "user" (id, name, email, "emailVerified", "createdAt", "updatedAt") VALUES ($1, 'A', $2, false, now(), now())`,
      [userId, `${account.userId}@odd.invalid`],
    );
    await admin.query('UPDATE session SET "userId" = $1 WHERE token = $2', [userId, account.token]);
    await admin.end();
    const { encoder, streamId } = await openEncoder(two.router.wsUrl, account.token, {
      register: { streamId: 'a:b.c' },
    });
    const path = `/api/users/${encodeURIComponent(userId)}`;
    const { status, json } = await two.ask(`${path}/streams/a%3Ab%2Ec`, { headers: bearer(account) });
    expect([status, json]).toMatchObject([200, { user_id: userId, stream_id: streamId }]);
    const end = await two.ask(path, { method: 'DELETE', headers: bearer(account) });
    expect(end.json).toEqual({ user_id: userId, deleted: [streamId] });
    await encoder.closed;
  });

  test('are cut in the answer when they are long, and refused when they are longer than a head may be', async () => {
    const long = await two.ask(`/${'y'.repeat(3_000)}`);
    expect([long.status, long.body.length]).toEqual([404, expect.any(Number)]);
    expect(long.body.length).toBeLessThan(300);
    for (const length of [10_000, 1_000_000]) expect(await statusOfLongPath(length)).toBe(431);
    expect((await two.ask('/health/live')).status).toBe(200);
  });
});

/** The router closes as soon as it has seen enough, so writing may fail. */
function statusOfLongPath(length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(two.router.port, '127.0.0.1');
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('close', () => {
      const status = /^HTTP\/1.1 (\d{3}) /.exec(text)?.[1];
      if (status === undefined) reject(new Error(`no status in ${text}`));
      else resolve(Number(status));
    });
    socket.write(`GET /${'z'.repeat(length)} HTTP/1.1\r\nhost: router\r\n\r\n`);
  });
}

/** The paths that take JSON, with what opens them and how much they take. */
const doors: [string, () => Record<string, string>, number][] = [
  ['/api/streams/register', () => bearer(two.anna), 128 * 1024],
  ['/alerts', () => ({ authorization: `Bearer ${SERVICE_TOKEN}` }), 1024 * 1024],
];

describe.each(doors)('a body for %s', (path, credentials, maxBytes) => {
  const send = (text: string | Buffer, fields: Record<string, string> = {}) =>
    two.ask(path, { method: 'POST', headers: { ...credentials(), ...fields }, text });

  test('may be as large as it may be, and not a byte larger, whether its size is announced or not', async () => {
    const spaces = (bytes: number) => `{}${' '.repeat(bytes - 2)}`;
    expect((await send(spaces(maxBytes))).status).toBeLessThan(300);
    const refused = await send(spaces(maxBytes + 1));
    expect([refused.status, refused.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const chunked = await sendChunked(path, credentials(), spaces(3 * maxBytes));
    expect(chunked).toBe(413);
    expect((await send('{}')).status).toBeLessThan(300);
  });

  test.each(['{', 'undefined', '{"a":1}}', '\u0000', Buffer.from('{"deviceName":"\xff"}', 'latin1')])(
    'must be JSON in UTF-8: %j',
    async (text) => {
      const { status, code } = await send(text);
      expect([status, code]).toEqual([400, 'INVALID_MESSAGE']);
    },
  );

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/msgpack', 'application/jsonx', 'json'])(
    'that says it is %s is not read',
    async (type) => {
      const { status, code, message } = await send('{}', { 'content-type': type });
      expect([status, code]).toEqual([415, 'INVALID_MESSAGE']);
      expect(message).toContain('application/json');
    },
  );

  test.each(['application/json', 'Application/JSON; charset=utf-8', 'application/vnd.camera+json'])(
    'may say that it is %s',
    async (type) => {
      expect((await send('{}', { 'content-type': type })).status).toBeLessThan(300);
    },
  );

  test('is read for nobody without credentials, and who sends one is told so', async () => {
    for (const text of ['{}', '{', '']) {
      const { status } = await two.ask(path, { method: 'POST', headers: { authorization: 'Bearer nobody' }, text });
      expect(status).toBe(401);
    }
  });

  test('that breaks off leaves the router as it was', async () => {
    await new Promise<void>((resolve) => {
      const headers = { ...credentials(), 'content-length': '1000' };
      const asked = request({ port: two.router.port, host: '127.0.0.1', path, method: 'POST', headers, agent: false });
      asked.on('error', () => resolve());
      asked.write('{"deviceName":', () => asked.destroy());
    });
    expect((await send('{}')).status).toBeLessThan(300);
    expect(two.router.logLines.filter((line) => line.includes('could not be answered'))).toEqual([]);
  });
});

/** In chunks, without a length. Answers the status; the router need not take all of it. */
function sendChunked(path: string, headers: Record<string, string>, text: string): Promise<number> {
  noteSecret(...Object.values(headers));
  return new Promise((resolve, reject) => {
    const asked = request({ port: two.router.port, host: '127.0.0.1', path, method: 'POST', headers, agent: false });
    asked.on('response', (response) => {
      resolve(response.statusCode ?? 0);
      response.resume();
    });
    asked.on('error', reject);
    for (let start = 0; start < text.length; start += 50_000) asked.write(text.slice(start, start + 50_000));
    asked.end();
  });
}
