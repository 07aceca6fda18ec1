import { type IncomingHttpHeaders, request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEncoder, openViewer } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

let router: TestRouter;
beforeAll(async () => {
  router = await startTestRouter();
});
afterAll(() => router.stop());

const FIVE = ['activeStreams', 'totalAlertConsumers', 'totalConnections', 'totalProducers', 'totalVideoConsumers'];

test('/health has the original shape and counts what is connected', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token);
  const viewer = await openViewer(router.wsUrl, token, streamId);
  const alertsOnly = await openViewer(router.wsUrl, token, streamId, { subscribe: { consumes: ['alert'] } });
  const response = await fetch(`${router.httpUrl}/health`);
  expect(response.status).toBe(200);
  const health = (await response.json()) as { timestamp: string; stats: object };
  expect(health).toMatchObject({ status: 'healthy' });
  expect(new Date(health.timestamp).toISOString()).toBe(health.timestamp);
  expect(Object.keys(health.stats).sort()).toEqual(FIVE);
  expect(health.stats).toEqual({
    totalProducers: 1,
    totalVideoConsumers: 1,
    totalAlertConsumers: 3,
    totalConnections: 3,
    activeStreams: [streamId],
  });
  await Promise.all([encoder.close(), viewer.close(), alertsOnly.close()]);
});

test('/stats has the original five fields at the top, and what became of frames beside them', async () => {
  const stats = await router.stats();
  for (const field of FIVE) expect(stats).toHaveProperty(field);
  const nothing = { received: 0, offered: 0, delivered: 0, dropped: { slow: 0, fps: 0, closed: 0 }, inFlight: 0 };
  expect(stats['frames']).toMatchObject(nothing);
  expect(stats['alerts']).toEqual({
    accepted: 0,
    refused: 0,
    suppressed: 0,
    repeated: 0,
    delivered: 0,
    undelivered: 0,
    replayed: 0,
  });
  expect(stats['webhook']).toBeNull();
});

test.each(['/health', '/health/live', '/health/ready', '/stats', '/', '/ops', '/camera'])(
  'GET %s answers 200, another method 405 with the allowed one',
  async (path) => {
    expect((await fetch(router.httpUrl + path)).status).toBe(200);
    const wrong = await fetch(router.httpUrl + path, { method: 'POST', body: '{}' });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('GET, HEAD');
    expect(await wrong.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } });
  },
);

test('an unknown path gets 404 in JSON, a WebSocket path without an upgrade 426', async () => {
  const unknown = await fetch(`${router.httpUrl}/nope`);
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toMatchObject({ error: { code: 'NOT_FOUND' } });
  for (const path of ['/streams/register', '/streams/subscribe']) {
    const response = await fetch(router.httpUrl + path);
    expect(response.status).toBe(426);
    expect(await response.json()).toMatchObject({ error: { code: 'UPGRADE_REQUIRED' } });
  }
});

test.each(['/', '/ops', '/camera'])(
  'the page %s may load nothing from elsewhere, run nothing inline, and pass no address on',
  async (path) => {
    const page = await fetch(`${router.httpUrl}${path}?token=secret`);
    expect(page.headers.get('content-security-policy')).toContain(
      "default-src 'none'; script-src 'self'; style-src 'self'",
    );
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(page.headers.get('permissions-policy')).toContain('camera=(self)');
    expect(await page.text()).not.toContain('secret');
  },
);

test('a page is asked for anew each time, and sent again only when it is another one; its scripts and styles are kept for good', async () => {
  const page = await fetch(`${router.httpUrl}/`);
  expect(page.headers.get('cache-control')).toBe('no-cache');
  const tag = page.headers.get('etag') ?? '';
  const again = await fetch(`${router.httpUrl}/`, { headers: { 'if-none-match': tag } });
  expect([again.status, await again.text()]).toEqual([304, '']);
  const other = await fetch(`${router.httpUrl}/ops`, { headers: { 'if-none-match': tag } });
  expect(other.status).toBe(200);

  const files = [...(await page.text()).matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, file]) => file ?? '');
  expect(files.length).toBeGreaterThanOrEqual(3);
  for (const file of files) {
    const answer = await fetch(`${router.httpUrl}/${file}`);
    expect(answer.status, file).toBe(200);
    expect(answer.headers.get('cache-control')).toContain('immutable');
    expect(answer.headers.get('content-type')).toMatch(/^(text\/(javascript|css); charset=utf-8|image\/svg\+xml)$/);
    // Asked without node's fetch, which unpacks by itself and always says that it can.
    for (const [accepted, encoding] of [
      ['gzip, br', 'gzip'],
      ['identity', undefined],
      ['br, gzip;q=0', undefined],
    ] as const) {
      const headers = await headersOf(`${router.httpUrl}/${file}`, accepted);
      expect(headers['content-encoding'], accepted).toBe(encoding);
    }
  }
  for (const name of ['nope.js', '..%2findex.html', '%2e%2e%2f%2e%2e%2fpackage.json']) {
    const answer = await fetch(`${router.httpUrl}/assets/${name}`);
    expect(answer.status, name).toBe(404);
  }
});

function headersOf(url: string, acceptEncoding: string): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { 'accept-encoding': acceptEncoding } }, (response) => {
      response.resume();
      resolve(response.headers);
    })
      .on('error', reject)
      .end();
  });
}
