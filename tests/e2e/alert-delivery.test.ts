import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decode } from '@msgpack/msgpack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { frameOf, openEncoder, type TestMessage } from '../support/client.ts';
import { auditFrames, type FrameAccount } from '../support/frame-account.ts';
import { numberedPicture } from '../support/pictures.ts';
import { startTestRouter } from '../support/router.ts';
import { SlowLink } from '../support/slow-link.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { nowMs, Watcher } from '../support/watcher.ts';

/** `FULL=1`: as slow as it is judged. Otherwise lines ten times as fast, and alerts ten times as close. */
const { bitsPerSecond, alertsPerSecond, waitMs } =
  process.env['FULL'] === '1'
    ? { bitsPerSecond: 100_000, alertsPerSecond: 10, waitMs: 240_000 }
    : { bitsPerSecond: 1_000_000, alertsPerSecond: 100, waitMs: 60_000 };
const ALERTS = 1_000;
const FPS = 30;
const FRAME_BYTES = 34_000;
const CUTS = 5;
const WEBHOOK_SECRET = 'a secret of two';

/** An alert as its encoder knows it. */
interface Raised {
  id: string;
  /** From then on the router certainly had sent it to whoever was there: the encoder, which is told last, had it back. */
  knownMs: number;
}

interface Subscription {
  streamId: string;
  since: string;
  window?: number;
}

interface Posted {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A dashboard behind a slow line. It comes back whenever its connection ends, with the last alert that it has seen. */
class Dashboard {
  readonly connections: Watcher[] = [];
  readonly link: SlowLink;
  readonly #path: string;
  readonly #subscribe: Subscription;
  #linkBytesBefore = 0;
  #isLeaving = false;
  /** Of each cut, the bytes that had come of a message that was not complete. */
  readonly lostBytes: number[] = [];

  constructor(link: SlowLink, path: string, subscribe: Subscription) {
    this.link = link;
    this.#path = path;
    this.#subscribe = subscribe;
    this.#connect();
  }

  /** Numbers of all alerts that came, in the order in which they came. */
  get alertNumbers(): number[] {
    return this.connections.flatMap(({ alerts }) => alerts.map(({ metadata }) => metadata['number']));
  }

  get seenAlerts(): number {
    return this.connections.reduce((sum, { alerts }) => sum + alerts.length, 0);
  }

  /** How much has come of a message that is not complete yet. */
  get incompleteBytes(): number {
    return this.link.forwardedBytes - this.#linkBytesBefore - this.#connection.receivedBytes;
  }

  async cut(): Promise<void> {
    const connection = this.#connection;
    this.lostBytes.push(this.incompleteBytes);
    this.link.cut();
    await connection.closed;
    await until('it is back', () => this.#connection.success !== undefined, waitMs);
  }

  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.link.close();
    await this.#connection.closed;
  }

  get #connection(): Watcher {
    return this.connections.at(-1) as Watcher;
  }

  #connect(): void {
    const last = this.connections.findLast(({ alerts }) => alerts.length > 0)?.alerts.at(-1);
    const since = last?.id ?? this.#subscribe.since;
    this.#linkBytesBefore = this.link.forwardedBytes;
    const connection = new Watcher(`ws://127.0.0.1:${this.link.port}${this.#path}`, { ...this.#subscribe, since });
    this.connections.push(connection);
    void connection.closed.then(() => {
      if (!this.#isLeaving) this.#connect();
    });
  }
}

let windowed: Dashboard;
let plain: Dashboard;
let outrun: Dashboard;
/** By number. Number 0 comes before all dashboards, which begin as ones that have been here before: it is the last that they have seen. */
const raised: Raised[] = [];
const posted: Posted[] = [];
let account: FrameAccount;
let webhookStats: TestMessage;

/** A service that keeps alerts; now and then it has a bad moment. */
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  posted.push({ headers: request.headers, body });
  response.writeHead(posted.length % 300 === 0 ? 503 : 200).end();
});

/** A thousand alerts during video; all that the tests look at happens here. */
beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const router = await startTestRouter({
    env: {
      ALERT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/alerts`,
      ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET,
      // A camera that was held up by a busy machine catches up.
      STREAM_MAX_FPS: '1000',
    },
  });
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, {
    encoding: 'msgpack',
    register: { produces: ['video-frame', 'alert'], consumes: ['alert'] },
  });
  encoder.socket.on('message', (data: Buffer) => {
    const message = decode(data) as TestMessage;
    if (message['type'] !== 'alert') return;
    raised[message['metadata'].number] = { id: message['id'], knownMs: nowMs() };
  });
  const raise = (number: number, afterFrame: number) => {
    const metadata = { number, afterFrame, raisedMs: nowMs() };
    encoder.send({ type: 'alert', streamId, severity: 'high', message: 'Person at the gate', metadata });
  };
  raise(0, 0);
  const { id: since } = await encoder.next('alert');

  const path = `/streams/subscribe?token=${token}`;
  const dashboard = async (window?: number) => {
    const link = await SlowLink.open(router.port, bitsPerSecond);
    return new Dashboard(link, path, { streamId, since, ...(window === undefined ? {} : { window }) });
  };
  // Three dashboards, one window of 1. An ended connection may be noticed a little later than the next one begins.
  account = auditFrames(() => router.stats(), 2 * (3 + 1));

  let frames = 0;
  const sendFrame = () => {
    frames += 1;
    encoder.send(frameOf(encoder, streamId, numberedPicture(frames, FRAME_BYTES)));
  };
  outrun = await dashboard();
  await until('it watches', () => outrun.connections[0]?.success !== undefined);
  // The kernel takes several MB on the way to a viewer; then frames begin to wait in the router.
  const endFlood = steadily(10 * FPS, sendFrame);
  await until('frames are skipped', async () => (await router.stats())['frames'].dropped.slow > 0);
  endFlood();

  windowed = await dashboard(1);
  plain = await dashboard();
  const all = [windowed, plain, outrun];
  await until('all watch', () => all.every(({ connections: [first] }) => first?.success !== undefined));
  const endVideo = steadily(FPS, sendFrame);
  let alerts = 0;
  const endAlerts = steadily(alertsPerSecond, () => {
    if (alerts === ALERTS) return;
    alerts += 1;
    raise(alerts, frames);
  });
  const hasRaised = (count: number) => until(`${count} alerts raised`, () => alerts >= count, waitMs);

  /** Moments spread over the alerts, at random; every other one in the middle of a picture. */
  const cutNowAndThen = async (victim: Dashboard, cuts: number) => {
    await until('it has seen an alert', () => victim.seenAlerts > 0, waitMs);
    for (let cut = 0; cut < cuts; cut += 1) {
      await hasRaised(100 + (cut + Math.random() * 0.7) * ((ALERTS - 100) / CUTS));
      if (cut % 2 === 0) await until('half a picture', () => victim.incompleteBytes > FRAME_BYTES / 2, waitMs);
      await victim.cut();
    }
  };
  await Promise.all([
    cutNowAndThen(windowed, CUTS),
    // Once more when all alerts were raised: without a window the last ones are behind more video than the line carries in a minute.
    cutNowAndThen(plain, CUTS - 1)
      .then(() => hasRaised(ALERTS))
      .then(() => plain.cut()),
    // By then more alerts wait for it than the router keeps; now it hears of it.
    hasRaised(ALERTS * 0.7).then(() => {
      outrun.link.bitsPerSecond = Number.POSITIVE_INFINITY;
    }),
  ]);
  await until('everybody has all alerts', () => all.every(({ seenAlerts }) => seenAlerts >= ALERTS), waitMs);
  await until('so has the webhook', async () => (await router.stats())['webhook'].delivered === raised.length, waitMs);
  endAlerts();
  endVideo();
  webhookStats = (await router.stats())['webhook'];
  await Promise.all([encoder.close(), ...all.map((one) => one.leave())]);
  await until('nothing is on its way any more', async () => (await router.stats())['frames'].inFlight === 0);
  await account.stop();
  await router.stop();
}, 2 * waitMs);

afterAll(() => void receiver.close().closeAllConnections());

const everyNumber = Array.from({ length: ALERTS }, (_, index) => index + 1);

describe.each([
  { who: 'a viewer with a window whose line breaks five times', of: () => windowed },
  { who: 'a plain viewer whose line breaks five times', of: () => plain },
  { who: 'a plain viewer that was too far behind', of: () => outrun },
])('$who', ({ of }) => {
  test('gets every alert once, in order, and none that it said it had', () => {
    expect(of().alertNumbers).toEqual(everyNumber);
    const ids = of().connections.flatMap(({ alerts }) => alerts.map(({ id }) => id));
    expect(ids).toEqual(raised.slice(1).map(({ id }) => id));
    expect(ids).toEqual([...new Set(ids)].sort());
    for (const { errors } of of().connections) expect(errors).toEqual([]);
  });

  test('is told that nothing was forgotten', () => {
    const answers = of().connections.flatMap(({ success }) => success?.['alerts'] ?? []);
    expect(answers.length).toBeGreaterThan(1);
    expect(new Set(answers)).toEqual(new Set(['complete']));
  });

  // An alert that was raised after the answer to `subscribe` is a live one for certain.
  test('sees no picture that is newer than an alert before that alert', () => {
    let live = 0;
    for (const { seen, success } of of().connections) {
      let newest = 0;
      for (const one of seen) {
        if (one.type === 'video-frame') newest = one.number;
        if (one.type !== 'alert' || success === undefined || one.metadata['raisedMs'] <= success.atMs) continue;
        live += 1;
        expect(newest).toBeLessThanOrEqual(one.metadata['afterFrame']);
      }
    }
    expect(live).toBeGreaterThan(0);
  });

  test('has missed alerts right after the newest picture when it is back', () => {
    let missed = 0;
    for (const { seen, openedMs } of of().connections) {
      let pictures = 0;
      for (const one of seen) {
        if (one.type === 'video-frame') pictures += 1;
        if (one.type !== 'alert' || knownMs(one.id) > openedMs) continue;
        missed += 1;
        expect(pictures).toBeLessThanOrEqual(1);
      }
    }
    expect(missed).toBeGreaterThan(0);
  });
});

/**
 * At the moment `knownMs` the router had sent the alert, so all that may still come before it is what was on its way then: one picture, by the window. Any further one
 * would have been sent before an alert that was there first.
 */
test('to a viewer with a window of 1 no alert comes behind more than the one picture that was on its way', () => {
  for (const { seen } of windowed.connections) {
    for (const [index, one] of seen.entries()) {
      if (one.type !== 'alert') continue;
      const before = seen.slice(0, index).filter(({ type, atMs }) => type === 'video-frame' && atMs > knownMs(one.id));
      expect(before.length).toBeLessThanOrEqual(1);
    }
  }
});

test('the lines did break, also in the middle of a picture, and the router did send the one away that was too far behind', () => {
  for (const { lostBytes, connections } of [windowed, plain]) {
    expect(lostBytes).toHaveLength(CUTS);
    expect(lostBytes.filter((bytes) => bytes > FRAME_BYTES / 2).length).toBeGreaterThanOrEqual(2);
    expect(connections.slice(0, -1).every(({ closeCode }) => closeCode === 1006)).toBe(true);
  }
  expect(outrun.connections.map(({ closeCode }) => closeCode)).toContain(4508);
  const pictures = windowed.connections.reduce((sum, { frames }) => sum + frames.length, 0);
  say(`window 1: ${pictures} pictures beside ${ALERTS} alerts, alert age ${ages(windowed)}`);
  say(`plain: alert age ${ages(plain)}; too far behind: ${ages(outrun)}`);
});

test('the webhook gets the same alerts, in order, each attempt signed', () => {
  const once = new Map<unknown, Posted>();
  for (const one of posted) {
    const { headers, body } = one;
    const digest = createHmac('sha256', WEBHOOK_SECRET).update(`${headers['x-watchout-timestamp']}.${body}`);
    expect(headers['x-watchout-signature']).toBe(`sha256=${digest.digest('hex')}`);
    once.set(headers['x-watchout-alert-id'], one);
  }
  expect([...once.keys()]).toEqual(raised.map(({ id }) => id));
  const bodies = [...once.values()].map(({ body }) => JSON.parse(body));
  expect(bodies.map(({ id }) => id)).toEqual([...once.keys()]);
  expect(bodies.map(({ metadata }) => metadata.number)).toEqual([0, ...everyNumber]);
  expect(webhookStats).toEqual({
    queued: 0,
    inFlight: 0,
    delivered: raised.length,
    retries: posted.length - raised.length,
    dropped: { overflow: 0, refused: 0, failed: 0, shutdown: 0 },
  });
});

test('all the while `/stats` accounts for every frame that a viewer was offered', () => {
  expect(account.wrong).toEqual([]);
  expect(account.samples.length).toBeGreaterThan(20);
  const last = account.samples.at(-1)?.['frames'];
  expect(last?.dropped.slow).toBeGreaterThan(0);
  expect(last?.delivered).toBeGreaterThan(0);
});

function knownMs(id: string): number {
  return raised.find((one) => one.id === id)?.knownMs ?? Number.NaN;
}

function ages({ connections }: Dashboard): string {
  const all = connections.flatMap(({ alerts }) => alerts.map(({ atMs, metadata }) => atMs - metadata['raisedMs']));
  all.sort((a, b) => a - b);
  const [half, p95, max] = [0.5, 0.95, 1].map((part) => `${Math.round(all[Math.ceil(all.length * part) - 1] ?? 0)} ms`);
  return `p50 ${half}, p95 ${p95}, max ${max}`;
}

function say(line: string): void {
  process.stdout.write(`${bitsPerSecond / 1e6} Mbit/s, ${line}\n`);
}
