// @redis/client, not ioredis: the one Redis recommends, typed, no dependencies, and it writes a Buffer without copying it into the command.
import { createClient, DisconnectsClientError } from '@redis/client';
import { OncePer } from '../router/once-per.ts';
import type { Clock, Log } from '../router/ports.ts';

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 15_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** How often each connection is asked whether it still lives: a peer that vanished without a word sends nothing. */
const HEARTBEAT_MS = 5_000;
/** Ends a connection whose login is never answered. Longer than the heartbeat, which keeps an idle connection from looking silent. */
const MAX_SILENCE_MS = 3 * HEARTBEAT_MS;
/** The library stops writing at a full buffer and goes on a turn later, frame by frame. What is under way is bounded by who asks. */
const ONE_WRITE_PER_BATCH = { highWaterMark: 64 * 1024 * 1024 };

type Client = ReturnType<typeof openClient>;

function openClient(url: string) {
  return createClient({
    url,
    // Known to every server, and AUTH is a command of its own: an old server repeats HELLO's arguments in its error, the password too.
    RESP: 2,
    maintNotifications: 'disabled',
    disableOfflineQueue: true,
    // `RedisLink.ask` has one deadline for a whole batch; this would be a timer a frame.
    commandOptions: { timeout: 0 },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: MAX_SILENCE_MS,
      reconnectStrategy: (retries) => Math.min(FIRST_PAUSE_MS * 2 ** retries, MAX_PAUSE_MS) * (0.5 + Math.random() / 2),
      ...ONE_WRITE_PER_BATCH,
    },
  });
}

export interface RedisLinkParts {
  url: string;
  address: RedisAddress;
  /** How long Redis may take to answer. */
  timeoutMs: number;
  log: Log;
  clock: Clock;
  /** Shown in the log: what the connection is for. */
  name: string;
  /** What a new connection needs before it counts as connected. Repeated with every heartbeat. */
  prepare: (client: Client) => Promise<unknown>;
}

/** One connection to Redis. The library makes it anew when it breaks, this class when Redis keeps it and does not answer. */
export class RedisLink {
  readonly #parts: RedisLinkParts;
  readonly #failureLine = new OncePer(1000);
  readonly #heartbeat = setInterval(() => void this.#check(), HEARTBEAT_MS).unref();
  /** Undefined: closed. */
  #client: Client | undefined;
  /** What the connection needs was done last time: a user may be let in, and not be allowed it. */
  #isPrepared = false;
  #isSaidConnected = false;

  constructor(parts: RedisLinkParts) {
    this.#parts = parts;
    this.#open();
  }

  get isConnected(): boolean {
    return this.#isPrepared && this.#client?.isReady === true;
  }

  /** Rejects at once without a connection, and with a short reason when Redis refuses or does not answer in time. */
  async ask<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = this.#client;
    if (!client?.isReady) throw new Error('not connected to Redis');
    const { timeoutMs } = this.#parts;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const error = new Error(`Redis did not answer within ${timeoutMs} ms`);
        reject(error);
        this.#replace(client, error);
      }, timeoutMs);
    });
    try {
      return await Promise.race([work(client), deadline]);
    } catch (error) {
      throw new Error(this.#reasonOf(error));
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    const client = this.#client;
    this.#client = undefined;
    clearInterval(this.#heartbeat);
    client?.destroy();
  }

  #open(): void {
    const client = openClient(this.#parts.url);
    this.#client = client;
    client.on('ready', () => {
      this.#isPrepared = false;
      void this.#check();
    });
    client.on('error', (error) => this.#failed(client, error));
    // The library forgets a socket that is being connected: one that arrives after the end must be ended again.
    client.on('connect', () => {
      if (client !== this.#client) client.destroy();
    });
    // Each failure was an event, too.
    client.connect().catch(() => undefined);
  }

  #replace(client: Client, error: Error): void {
    if (client !== this.#client) return;
    this.#failed(client, error);
    client.destroy();
    this.#open();
  }

  async #check(): Promise<void> {
    const client = this.#client;
    if (!client?.isReady) return;
    try {
      await this.ask(async () => {
        await this.#prepare(client);
        await client.ping();
      });
      this.#connected(client);
    } catch (error) {
      // Without a connection it was said already.
      if (client.isReady) this.#failed(client, error);
    }
  }

  async #prepare(client: Client): Promise<void> {
    let isPrepared = false;
    try {
      await this.#parts.prepare(client);
      isPrepared = true;
    } finally {
      if (client === this.#client) this.#isPrepared = isPrepared;
    }
  }

  #connected(client: Client): void {
    if (client !== this.#client || this.#isSaidConnected) return;
    this.#isSaidConnected = true;
    const { address, name, log } = this.#parts;
    log('info', { redis: address.host, channel: name }, 'connected to Redis');
  }

  #failed(client: Client, error: unknown): void {
    if (client !== this.#client) return;
    const { address, name, log, clock } = this.#parts;
    const times = this.#failureLine.due(clock.monotonicMs());
    if (times === 0) return;
    const message = this.#isSaidConnected ? 'connection to Redis lost' : 'Redis cannot be reached';
    this.#isSaidConnected = false;
    log('warn', { redis: address.host, channel: name, times, reason: this.#reasonOf(error) }, message);
  }

  #reasonOf(error: unknown): string {
    if (error instanceof DisconnectsClientError) return 'the connection to Redis was dropped';
    return this.#parts.address.secrets.reduce((text, secret) => text.replaceAll(secret, '***'), messageOf(error));
  }
}

interface RedisAddress {
  host: string;
  /** What no line and no error may hold: the password, as it is written in the URL and as it is. */
  secrets: string[];
}

/** @throws Error that does not repeat the URL, which may hold a password. */
export function addressOf(text: string): RedisAddress {
  try {
    const url = new URL(text);
    const isRedis = url.protocol === 'redis:' || url.protocol === 'rediss:';
    if (!isRedis || url.hostname === '' || !/^\/?\d*$/.test(url.pathname)) throw new Error('not of Redis');
    decodeURIComponent(url.username);
    const secrets = [url.password, decodeURIComponent(url.password)].filter((secret) => secret !== '');
    return { host: url.host, secrets };
  } catch {
    throw new Error('the URL of Redis must be redis://[user:password@]host[:port][/database], or rediss://');
  }
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A name with several addresses: the sum of their failures has a code and no message.
  return error.message || ('code' in error ? String(error.code) : error.name);
}
