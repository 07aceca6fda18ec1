import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { type Answer, ask as askPort, type Asked as Plainly } from './ask.ts';
import { frameOf, jpegOf, openEncoder, openViewer, TestClient, type TestMessage } from './client.ts';
import { numberedPicture, pictureNumber } from './pictures.ts';
import { startTestRouter, type TestRouter } from './router.ts';

export const SERVICE_TOKEN = 'the-ml-service-and-nobody-else';

const PICTURE_BYTES = 64;

export interface Asked extends Plainly {
  /** Of a `Doubler`; default: the router's. */
  port?: number;
}

/** Anna, whose streams they are, and Bob, who has a good session of his own and wants what is hers. */
export interface TwoUsers {
  router: TestRouter;
  anna: Account;
  bob: Account;
  /** A live stream of Anna's, with a picture in it and a viewer of hers. */
  openStream(): Promise<AnnasStream>;
  /** A connection with Bob's session that has not said anything yet. */
  openAsBob(path: 'register' | 'subscribe', query?: string): Promise<TestClient>;
  /** One plain request, its path just as it is written. */
  ask(path: string, asked?: Asked): Promise<Answer>;
  /** Buys a ticket. */
  ticketOf(account: Account): Promise<string>;
  /** `messages.unauthorized` of `/stats`. */
  unauthorized(): Promise<number>;
  stop(): Promise<void>;
}

/** One router for both of them. `env`: variables beside those they need. `databaseUrl`: default the database of all tests. */
export async function startTwoUsers(env: Record<string, string> = {}, databaseUrl?: string): Promise<TwoUsers> {
  const router = await startTestRouter({
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    env: {
      STREAM_MAX_FPS: '1000',
      STREAM_GRACE_MS: '600000',
      MAX_AUTH_FAILURES_PER_IP: '1000',
      ML_SERVICE_TOKEN: SERVICE_TOKEN,
      ...env,
    },
  });
  const anna = await router.signUp();
  const bob = await router.signUp();
  const ask = (path: string, asked: Asked = {}) => askPort(asked.port ?? router.port, path, asked);
  return {
    router,
    anna,
    bob,
    openStream: () => openAnnasStream(router, anna),
    openAsBob: (path, query = '') => TestClient.open(`${router.wsUrl}/streams/${path}?token=${bob.token}${query}`),
    ask,
    async ticketOf(account) {
      const { status, json } = await ask('/api/tickets', { method: 'POST', headers: bearer(account) });
      expect(status).toBe(201);
      return json['ticket'];
    },
    unauthorized: async () => (await router.stats())['messages'].unauthorized,
    stop: () => router.stop(),
  };
}

/** A stream of Anna's that shows whether anybody has touched it. */
export class AnnasStream {
  readonly id: string;
  readonly resumeToken: string;
  /** It may send alerts, and is sent those of its stream. */
  encoder: TestClient;
  readonly viewer: TestClient;
  #pictures = 0;

  constructor(registered: TestMessage, encoder: TestClient, viewer: TestClient) {
    this.id = registered['streamId'];
    this.resumeToken = registered['resumeToken'];
    this.encoder = encoder;
    this.viewer = viewer;
  }

  /** Sends the next picture; answers with its number. */
  sendPicture(): number {
    this.#pictures += 1;
    this.encoder.send(frameOf(this.encoder, this.id, numberedPicture(this.#pictures, PICTURE_BYTES)));
    return this.#pictures;
  }

  /** Her encoder is connected, her stream lives, her viewer gets the next picture, and neither was told anything before. */
  async expectUntouched(): Promise<void> {
    expect(await toldUntilHeartbeat(this.encoder)).toEqual([]);
    await this.expectWatched();
  }

  /** Her viewer was told nothing; holds without an encoder, too. */
  async expectViewerUndisturbed(): Promise<void> {
    const told = await toldUntilHeartbeat(this.viewer);
    expect(told.filter((message) => !isQuietStatus(message))).toEqual([]);
  }

  /** What her viewer gets next is the next picture. */
  async expectWatched(): Promise<void> {
    const number = this.sendPicture();
    const next = await this.viewer.next((message) => !isQuietStatus(message));
    expect(next).toMatchObject({ type: 'video-frame', streamId: this.id });
    expect(pictureNumber(jpegOf(next))).toBe(number);
  }

  /** How many pictures were sent so far. */
  get pictures(): number {
    return this.#pictures;
  }

  /** Goes away, and every other stream of both users with it, so that the next test finds only its own. */
  async end({ anna, bob, ask }: TwoUsers): Promise<void> {
    for (const account of [anna, bob]) {
      const { status } = await ask(`/api/users/${account.userId}`, { method: 'DELETE', headers: bearer(account) });
      expect(status).toBe(200);
    }
    await Promise.all([this.encoder.close(), this.viewer.close()]);
  }
}

async function openAnnasStream(router: TestRouter, { token }: Account): Promise<AnnasStream> {
  const register = { produces: ['video-frame', 'alert'], metadata: { room: 'nursery' } };
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { register });
  const registered = encoder.messages[0] ?? {};
  const viewer = await openViewer(router.wsUrl, token, streamId);
  const stream = new AnnasStream(registered, encoder, viewer);
  stream.sendPicture();
  expect(await viewer.next('status')).toMatchObject({ streamId, status: 'streaming' });
  await viewer.next('video-frame');
  return stream;
}

/** A stream that waits for its next picture on a slow machine is `online` in between. */
function isQuietStatus({ type, status }: TestMessage): boolean {
  return type === 'status' && status !== 'offline';
}

/** What a connection was told since it was last looked at, up to the answer to a heartbeat. Fails when it is closed. */
export async function toldUntilHeartbeat(client: TestClient): Promise<TestMessage[]> {
  client.send({ type: 'heartbeat' });
  const told: TestMessage[] = [];
  for (;;) {
    const message = await client.next(() => true);
    if (message['type'] === 'heartbeat') return told;
    const { $raw, $binary, data, ...rest } = message;
    told.push(rest);
  }
}

/** The connection lives, and has been sent nothing of anybody's streams but of `own`, except refusals. */
export async function expectNothingOfOthers(client: TestClient, own: readonly string[] = []): Promise<void> {
  client.send({ type: 'heartbeat' });
  await client.next('heartbeat');
  const about = client.messages.filter(({ type, streamId }) => streamId !== undefined && type !== 'error');
  const others = about.filter(({ streamId }) => !own.includes(streamId));
  expect(others.map(({ type, streamId }) => ({ type, streamId }))).toEqual([]);
}

/** The next thing it is told is this refusal. */
export async function expectRefusal(client: TestClient, refusal: { code: string; streamId?: string }): Promise<void> {
  expect(await client.next(() => true)).toMatchObject({ type: 'error', ...refusal });
}

/** It is turned away at the door, in words a browser can read. */
export async function expectTurnedAway(client: TestClient): Promise<void> {
  await expectRefusal(client, { code: 'AUTH_REQUIRED' });
  expect(await client.closed).toEqual({ code: 1008, reason: 'Unauthorized' });
  expect(client.messages).toHaveLength(1);
}

export function subscribeTo(streamId: string, fields: object = {}): object {
  return { type: 'subscribe', clientType: 'dashboard', streamId, ...fields };
}

export function alertOf(streamId: string, fields: object = {}): object {
  return { type: 'alert', streamId, severity: 'high', message: 'The house is on fire', ...fields };
}

export function bearer({ token }: Account): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

export function cookieOf({ cookie }: Account): string {
  return `better-auth.session_token=${cookie}`;
}

export interface Doubler {
  port: number;
  stop(): Promise<void>;
}

/** Stands before the router and writes `x-second-cookie` as one more `cookie`: client libraries join headers of one name, attackers do not. */
export async function startDoubler(routerPort: number): Promise<Doubler> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(routerPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.once('data', (head: Buffer) => {
      upstream.write(head.toString('latin1').replaceAll(/\r\nx-second-/gi, '\r\n'), 'latin1');
      client.pipe(upstream);
    });
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a doubler listens on a port');
  return {
    port: address.port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
