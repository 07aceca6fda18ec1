import { BACKOFF_LIMITS, Backoff } from './backoff.ts';
import { verdictOn } from './close-policy.ts';
import { areRenewable, NotSignedIn, routerUrl, showCredentials } from './credentials.ts';
import { Line, type LineEvents } from './line.ts';
import type { ConnectionOptions } from './options.ts';
import type { ConnectionState, RouterError } from './types.ts';
import { findWebSocket } from './websocket.ts';
import type { Incoming } from './wire.ts';
import { REAL_WORLD, type World } from './world.ts';

/** What a connection is for. */
export interface Purpose {
  /** At the router: `/streams/register` or `/streams/subscribe`. */
  path: string;
  /** A line is open: what is said first. */
  greet(line: Line): void;
  /** All messages but `heartbeat`, `going-away` and the answer to `auth`. */
  receive(message: Incoming, line: Line): void;
  /** The line is gone; another one may follow. */
  lost(): void;
  changed(state: ConnectionState): void;
}

const CONNECT_TIMEOUT_MS = 15_000;
/** An `error` explains a close that follows it so soon, ms. */
const EXPLAINS_MS = 5_000;
/** No attempt that is hurried begins so soon after the last one did, ms: somebody may go from tab to tab, or press a button again and again. */
const HURRY_EVERY_MS = 1_000;
const CLOSED_HERE = 'Closed by the application';
const AUTH_ANSWER = 'Authentication successful';

/**
 * A connection that comes back: attempts, pauses between them, and the end. There is at most one line at a time, and at most one timer of its own.
 */
export class Connection {
  readonly #purpose: Purpose;
  readonly #options: ConnectionOptions;
  readonly #world: World;
  readonly #backoff: Backoff;
  readonly #endListening: (() => void)[] = [];
  #state: ConnectionState = { name: 'connecting', attempt: 1 };
  #attempts = 0;
  #line: Line | undefined;
  /** Calls off the next attempt, or the deadline of this one. */
  #stopTimer: () => void = () => undefined;
  #attemptedMs = Number.NEGATIVE_INFINITY;
  /** When the next attempt begins, while it waits for that. */
  #dueMs = 0;
  #openedMs: number | undefined;
  /** The last `error`, and when it came. */
  #refusal: { error: RouterError; atMs: number } | undefined;
  /** `auth` was sent and not answered yet. */
  #isIntroducing = false;
  /** The last credentials were refused, and these are fresh ones. */
  #isRenewed = false;
  /** When the router, which is going away, wants to see this client again. */
  #comeBackMs: number | undefined;

  /** The first attempt begins when the current turn is over. @throws TypeError for an address that is none. */
  constructor(purpose: Purpose, options: ConnectionOptions) {
    routerUrl(options.url, purpose.path);
    this.#purpose = purpose;
    this.#options = options;
    this.#world = options.world ?? REAL_WORLD;
    this.#backoff = new Backoff(options.backoff ?? BACKOFF_LIMITS, () => this.#world.random());
    const { signal } = options;
    const abort = () => this.close();
    signal?.addEventListener('abort', abort, { once: true });
    this.#endListening.push(
      () => signal?.removeEventListener('abort', abort),
      this.#world.whenBack(() => this.#back()),
    );
    // Not at once: a page may close it in the same turn, as React's strict mode does, and would have opened a socket for nothing.
    queueMicrotask(() => (signal?.aborted ? this.close() : this.#attempt()));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The line, when the router has let it in. */
  get openLine(): Line | undefined {
    return this.#state.name === 'open' ? this.#line : undefined;
  }

  /** The router has let this line in. */
  ready(): void {
    if (this.#line === undefined || this.#state.name !== 'connecting') return;
    this.#stopTimer();
    this.#openedMs = this.#world.nowMs();
    this.#attempts = 0;
    this.#refusal = undefined;
    this.#isRenewed = false;
    this.#enter({ name: 'open' });
  }

  /** Ends this line, and comes back later. */
  retry(reason: string): void {
    this.#dropLine();
    this.#wait(reason, undefined);
  }

  /** Does not wait for the rest of a pause. A line that seems open has to show within seconds that it is. */
  hurry(): void {
    if (this.#state.name === 'open') this.#line?.probe();
    if (this.#state.name !== 'waiting') return;
    const nowMs = this.#world.nowMs();
    const mayMs = Math.max(nowMs, this.#attemptedMs + HURRY_EVERY_MS);
    this.#attemptIn(Math.min(mayMs, this.#dueMs) - nowMs);
  }

  /** Ends it for good. `code`: of the WebSocket, if that was closed by the router. */
  close(reason = CLOSED_HERE, code?: number): void {
    if (this.#state.name === 'closed') return;
    for (const end of this.#endListening.splice(0)) end();
    this.#stopTimer();
    this.#dropLine();
    this.#enter({ name: 'closed', reason, ...(code === undefined ? {} : { code }) });
  }

  async #attempt(): Promise<void> {
    if (this.#state.name === 'closed') return;
    this.#attempts += 1;
    this.#attemptedMs = this.#world.nowMs();
    this.#comeBackMs = undefined;
    this.#openedMs = undefined;
    this.#refusal = undefined;
    const state: ConnectionState = { name: 'connecting', attempt: this.#attempts };
    this.#enter(state);
    // The application may have closed it when it heard that.
    if (this.#state !== state) return;
    const timeoutMs = this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#stopTimer = this.#world.after(timeoutMs, () => this.retry('The router did not answer in time'));
    try {
      const Socket = findWebSocket(this.#options.WebSocket);
      const { url, token } = await showCredentials(this.#purpose.path, this.#options);
      if (this.#state === state) this.#line = new Line(new Socket(url), this.#world, this.#eventsOf(token));
    } catch (error) {
      if (this.#state !== state) return;
      if (error instanceof NotSignedIn) this.close(error.message);
      else this.retry(error instanceof Error ? error.message : 'There were no credentials');
    }
  }

  #eventsOf(token: string | undefined): LineEvents {
    return {
      opened: () => {
        const line = this.#line;
        if (line === undefined) return;
        this.#isIntroducing = token !== undefined;
        if (token !== undefined) line.send({ type: 'auth', token });
        this.#purpose.greet(line);
      },
      message: (message: Incoming) => this.#receive(message),
      closed: (code: number, reason: string) => this.#closed(code, reason),
    };
  }

  #receive(message: Incoming): void {
    if (message.type === 'going-away') this.#comeBackMs = this.#world.nowMs() + message.reconnectAfterMs;
    else if (message.type === 'success' && message.message === AUTH_ANSWER) this.#isIntroducing = false;
    else {
      if (message.type === 'error') {
        this.#refusal = { error: message, atMs: this.#world.nowMs() };
        // The page has the cookie of somebody else, whose connection this is now.
        if (this.#isIntroducing && message.code === 'UNAUTHORIZED' && message.streamId === undefined) {
          this.close(`Not signed in: ${message.message}`);
          return;
        }
      }
      if (this.#line !== undefined) this.#purpose.receive(message, this.#line);
    }
  }

  #closed(code: number, reason: string): void {
    const mayRenew = areRenewable(this.#options) && !this.#isRenewed;
    const isNews = this.#refusal !== undefined && this.#world.nowMs() - this.#refusal.atMs < EXPLAINS_MS;
    const verdict = verdictOn({ code, reason, refusal: isNews ? this.#refusal?.error : undefined, mayRenew });
    this.#dropLine();
    if (verdict.kind === 'stop') {
      this.close(verdict.reason, code);
      return;
    }
    if (verdict.kind === 'renew') this.#isRenewed = true;
    this.#wait(verdict.reason, code);
  }

  #wait(reason: string, code: number | undefined): void {
    if (this.#state.name === 'closed') return;
    const nowMs = this.#world.nowMs();
    const pauseMs = this.#backoff.next(this.#openedMs === undefined ? 0 : nowMs - this.#openedMs);
    const retryInMs = Math.round(this.#comeBackMs === undefined ? pauseMs : Math.max(0, this.#comeBackMs - nowMs));
    this.#attemptIn(retryInMs);
    this.#enter({ name: 'waiting', retryInMs, reason, ...(code === undefined ? {} : { code }) });
  }

  #attemptIn(ms: number): void {
    this.#stopTimer();
    this.#dueMs = this.#world.nowMs() + ms;
    this.#stopTimer = this.#world.after(ms, () => void this.#attempt());
  }

  /** The network is back, or the page is looked at again. A pause that the router named is kept. */
  #back(): void {
    if (this.#comeBackMs === undefined) this.hurry();
  }

  #dropLine(): void {
    const line = this.#line;
    this.#line = undefined;
    if (line === undefined) return;
    line.drop();
    this.#purpose.lost();
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#purpose.changed(state);
  }
}
