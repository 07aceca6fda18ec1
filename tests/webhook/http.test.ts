import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeServerMessage } from '../../proto/codec.ts';
import type { AlertForwarder } from '../../src/gateways/webhook/forwarder.ts';
import { createWebhook, type WebhookParts } from '../../src/gateways/webhook/webhook.ts';
import { until } from '../support/until.ts';
import { alertOf } from './fakes.ts';

interface Arrival {
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

const SECRET = 'a secret of two';
const logLines: string[] = [];
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  logLines.length = 0;
});

async function listen(server: Server | TcpServer, port = 0): Promise<string> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A real receiver; `answer` gets each request once its body is there. */
async function startReceiver(answer: (arrival: Arrival, response: ServerResponse, number: number) => void, port = 0) {
  const arrivals: Arrival[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const arrival = { path: request.url ?? '', headers: request.headers, body };
    arrivals.push(arrival);
    answer(arrival, response, arrivals.length);
  });
  const url = await listen(server, port);
  const stop = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
  ends.push(stop);
  return { url, arrivals, stop };
}

function afterReal(delayMs: number, action: () => void): () => void {
  const timer = setTimeout(action, delayMs);
  return () => clearTimeout(timer);
}

/** A forwarder with real timers, which tries again at once. */
function forwardTo(url: string, parts: Partial<WebhookParts> = {}): AlertForwarder {
  const forwarder = createWebhook({
    url,
    secret: undefined,
    clock: { epochMs: () => Date.now(), monotonicMs: () => performance.now() },
    log: (...line) => void logLines.push(JSON.stringify(line)),
    after: afterReal,
    random: () => 0,
    ...parts,
  });
  ends.push(() => forwarder.close(0));
  return forwarder;
}

const ok = (_: Arrival, response: ServerResponse) => void response.end('{"status":"ok"}');
const delivered = (forwarder: AlertForwarder, count: number) =>
  until(`${count} alerts delivered`, () => forwarder.stats.delivered === count);

test('the receiver gets the alert as viewers get it, with its id, under the path and query it was told', async () => {
  const { url, arrivals } = await startReceiver(ok);
  const forwarder = forwardTo(`${url}/api/alerts?key=k%201`);
  const alert = alertOf('door1', 'Größe 😀');
  forwarder.take(alert);
  await delivered(forwarder, 1);
  expect(arrivals).toHaveLength(1);
  expect(arrivals[0]).toMatchObject({
    path: '/api/alerts?key=k%201',
    body: encodeServerMessage(alert, 'json'),
    headers: { 'content-type': 'application/json', 'x-watchout-alert-id': 'door1' },
  });
  expect(arrivals[0]?.headers).not.toHaveProperty('x-watchout-signature');
});

test('a receiver that knows the secret can verify every attempt, repeats with a time of their own', async () => {
  const { url, arrivals } = await startReceiver((_, response, number) =>
    response.writeHead(number === 1 ? 503 : 200).end(),
  );
  let nowMs = 1_700_000_000_000;
  const clock = { epochMs: () => nowMs++, monotonicMs: () => performance.now() };
  const forwarder = forwardTo(url, { secret: SECRET, clock });
  forwarder.take(alertOf('door1', 'Größe 😀'));
  await delivered(forwarder, 1);
  expect(forwarder.stats).toMatchObject({ retries: 1, queued: 0, inFlight: 0 });
  for (const { headers, body } of arrivals) {
    const expected = createHmac('sha256', SECRET).update(`${headers['x-watchout-timestamp']}.${body}`, 'utf8');
    expect(headers['x-watchout-signature']).toBe(`sha256=${expected.digest('hex')}`);
  }
  const times = arrivals.map(({ headers }) => Number(headers['x-watchout-timestamp']));
  expect(times[0]).toBe(1_700_000_000_000);
  expect(times[1]).toBeGreaterThan(1_700_000_000_000);
});

test('the Retry-After of a real answer is honoured', async () => {
  const { url } = await startReceiver((_, response) => response.writeHead(429, { 'retry-after': '7' }).end());
  const delays: number[] = [];
  const forwarder = forwardTo(url, {
    after: (delayMs, action) => {
      delays.push(delayMs);
      return afterReal(delayMs, action);
    },
  });
  forwarder.take(alertOf('door1'));
  await until('a wait', () => delays.length > 0);
  expect(delays).toEqual([7_000]);
});

test('a redirect is not followed, and counted as refused', async () => {
  const { url, arrivals } = await startReceiver((_, response) => response.writeHead(307, { location: '/else' }).end());
  const forwarder = forwardTo(`${url}/alerts`);
  forwarder.take(alertOf('door1'));
  await until('refused', () => forwarder.stats.dropped.refused === 1);
  expect(arrivals.map(({ path }) => path)).toEqual(['/alerts']);
});

describe('a receiver that misbehaves', () => {
  test('one that hangs is asked again after the deadline, and other streams go past it', async () => {
    const { url, arrivals } = await startReceiver(({ headers }, response, number) => {
      if (headers['x-watchout-alert-id'] !== 'hanging1' || number > 2) response.end();
    });
    const forwarder = forwardTo(url, { timeoutMs: 1_000 });
    forwarder.take(alertOf('hanging1'));
    await until('it hangs', () => arrivals.length === 1);
    forwarder.take(alertOf('door1'));
    await delivered(forwarder, 1);
    expect(forwarder.stats.queued + forwarder.stats.inFlight).toBe(1);
    await delivered(forwarder, 2);
    expect(forwarder.stats.retries).toBeGreaterThan(0);
  });

  test('one that says 200 and drips its answer for ever has the alert; its slot is free after the deadline', async () => {
    const { url } = await startReceiver((_, response) => {
      const drip = setInterval(() => response.write(' '), 20);
      response
        .on('close', () => clearInterval(drip))
        .writeHead(200)
        .write('{');
    });
    const forwarder = forwardTo(url, { timeoutMs: 1_000 });
    for (let stream = 0; stream < 9; stream += 1) forwarder.take(alertOf(`s${stream}x1`));
    await delivered(forwarder, 9);
    expect(forwarder.stats.retries).toBe(0);
  });

  test.each([false, true])('an answer of 100 MB is not read (length announced: %s)', async (isAnnounced) => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const left: number[] = [];
    const { url } = await startReceiver((_, response) => {
      let chunks = 1_600;
      response.writeHead(200, isAnnounced ? { 'content-length': chunks * chunk.length } : {});
      const more = () => {
        while (chunks > 0 && !response.destroyed) {
          chunks -= 1;
          if (!response.write(chunk)) return;
        }
      };
      response.on('drain', more).on('close', () => left.push(chunks));
      more();
    });
    const forwarder = forwardTo(url);
    forwarder.take(alertOf('door1'));
    forwarder.take(alertOf('door2'));
    await delivered(forwarder, 2);
    await until('both connections are cut', () => left.length === 2);
    // What fits into the kernel's buffers is gone before the router can say no.
    for (const chunks of left) expect(chunks).toBeGreaterThan(800);
  });

  test('one that answers garbage, or dies in the middle, is asked again', async () => {
    const answers = ['garbage\r\n\r\n', '', 'HTTP/1.1 200 OK\r\ncontent-le', 'HTTP/1.1 204 No Content\r\n\r\n'];
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => void socket.end(answers.shift() ?? ''));
    });
    const url = await listen(server);
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    const forwarder = forwardTo(url);
    forwarder.take(alertOf('door1'));
    await delivered(forwarder, 1);
    expect(forwarder.stats.retries).toBe(3);
  });

  test('one that is down gets the alerts in order when it is back', async () => {
    const first = await startReceiver(ok);
    await first.stop();
    const forwarder = forwardTo(first.url, { random: () => 1 });
    forwarder.take(alertOf('door1'));
    forwarder.take(alertOf('door2'));
    await until('refused', () => logLines.some((line) => line.includes('ECONNREFUSED')));
    const second = await startReceiver(ok, Number(new URL(first.url).port));
    await delivered(forwarder, 2);
    expect(second.arrivals.map(({ headers }) => headers['x-watchout-alert-id'])).toEqual(['door1', 'door2']);
  });
});

test('a receiver that hangs does not keep the router from ending; the log says what was lost, and no key', async () => {
  const { url, arrivals } = await startReceiver(() => undefined);
  const forwarder = forwardTo(`${url}/alerts?key=hidden`, { secret: SECRET });
  for (const id of ['door1', 'door2', 'yard1']) forwarder.take(alertOf(id));
  await until('two hang', () => arrivals.length === 2);
  await forwarder.close(20);
  expect(forwarder.stats).toMatchObject({ queued: 0, inFlight: 0, dropped: { shutdown: 3 } });
  expect(logLines.join()).toContain(`"count":3,"url":"${url}"`);
  expect(logLines.join()).not.toMatch(/hidden|secret/);
});

test('alerts that wait are delivered before the router ends', async () => {
  const { url, arrivals } = await startReceiver((_, response, number) =>
    response.writeHead(number === 1 ? 503 : 200, { 'retry-after': '60' }).end(),
  );
  const forwarder = forwardTo(url);
  for (const id of ['door1', 'door2', 'door3']) forwarder.take(alertOf(id));
  await until('told to wait', () => arrivals.length === 1 && forwarder.stats.inFlight === 0);
  await forwarder.close(20_000);
  expect(forwarder.stats).toMatchObject({ delivered: 3, dropped: { shutdown: 0 } });
});
