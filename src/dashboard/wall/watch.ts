import { batch, type Signal, signal } from '@preact/signals';
import { type ConnectionState, type Frame, type MaxFps, Viewer } from '../../client/index.ts';
import { askJson } from '../common/api.ts';
import { connectionOptions } from '../common/connection-options.ts';
import type { Credentials } from '../common/session.ts';
import { Alerts } from './alerts.ts';
import { clock } from './clock.ts';
import { isPageShown } from './on-screen.ts';
import {
  type StreamEntry,
  withNames,
  without,
  withoutEnded,
  withoutPin,
  withPinned,
  withStatus,
} from './stream-list.ts';

/** How often the router is asked what streams are called, ms. */
const NAMES_EVERY_MS = 15_000;
/** Cameras often come several at a time. */
const NAMES_SOON_MS = 250;

/** Streams of others that are on the wall, at most: it is a wall, and not a city. */
const MAX_OTHERS = 200;

interface ListedStream {
  id: string;
  /** Whether it is this user's. */
  own: boolean;
  deviceName: string | null;
  metadata?: Record<string, unknown>;
}

/** All that one who is signed in watches, over one connection. */
export class Watch {
  readonly credentials: Credentials;
  readonly alerts: Alerts;
  readonly connection: Signal<ConnectionState>;
  /** It was let in at least once. */
  hasBeenOpen = false;
  readonly streams: Signal<readonly StreamEntry[]> = signal([]);
  /** Streams that were asked for by name and are another user's: in the router's words. */
  readonly refusals: Signal<ReadonlyMap<string, string>> = signal(new Map());
  readonly #viewer: Viewer;
  readonly #names = new Map<string, string>();
  /** Streams of others, with what ends watching them. */
  readonly #others = new Map<string, () => void>();
  /** Of some of them nobody says any more when they end, see `#forgetUnheard`. */
  readonly #formerPins = new Set<string>();
  readonly #endings: (() => void)[] = [];
  #namesTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(credentials: Credentials) {
    this.credentials = credentials;
    this.alerts = new Alerts(credentials, this.nameOf);
    this.#viewer = new Viewer(connectionOptions(credentials));
    this.connection = signal(this.#viewer.state);
    this.#viewer.on('state', (state) => this.#changed(state));
    this.#viewer.subscribe('*', {
      onStatus: (news) => this.#noteStatus(news),
      onAlert: (alert) => this.alerts.take(alert),
      onGap: () => this.alerts.noteGap(),
    });
    this.#endings.push(clock.subscribe((nowMs) => this.#prune(nowMs)));
    // Also when the page is looked at again.
    this.#endings.push(isPageShown.subscribe(() => this.#askNamesIn(NAMES_SOON_MS)));
  }

  /** Frames of one stream. A promise that `onFrame` answers says when it wants the next. Answers what ends it. */
  frames(streamId: string, onFrame: (frame: Frame) => Promise<void>, maxFps: MaxFps | undefined): () => void {
    return this.#viewer.subscribe(streamId, { onFrame, maxFps });
  }

  /** A stream that is asked for by name: it is on the wall though it is not live, or belongs to somebody who shows it to others. Answers what ends that. */
  pin(streamId: string): () => void {
    this.streams.value = withPinned(this.streams.value, streamId);
    const end = this.#viewer.subscribe(streamId, {
      // What it says, who watches all streams hears as well. It is here so that the router speaks of this stream at all.
      onStatus: () => undefined,
      onEnd: ({ message }) => {
        this.streams.value = without(this.streams.value, streamId);
        this.refusals.value = new Map([...this.refusals.value, [streamId, message]]);
      },
    });
    return () => {
      end();
      this.streams.value = withoutPin(this.streams.value, streamId);
      this.#formerPins.add(streamId);
      this.#askNamesIn(0);
      const { value: refusals } = this.refusals;
      this.refusals.value = new Map([...refusals].filter(([refused]) => refused !== streamId));
    };
  }

  /** What a stream is called. */
  readonly nameOf = (streamId: string): string => this.#names.get(streamId) ?? streamId;

  /** While it waits to reconnect. */
  retryNow(): void {
    this.#viewer.retryNow();
  }

  close(): void {
    clearTimeout(this.#namesTimer);
    for (const end of this.#endings.splice(0)) end();
    this.alerts.close();
    this.#viewer.close();
  }

  #changed(state: ConnectionState): void {
    batch(() => {
      this.connection.value = state;
      if (state.name !== 'open') return;
      this.hasBeenOpen = true;
      this.#askNamesIn(0);
      void this.alerts.loadNewest();
    });
  }

  #noteStatus({ streamId, status }: Pick<StreamEntry, 'streamId' | 'status'>): void {
    if (!this.#names.has(streamId) && status !== 'offline') this.#askNamesIn(NAMES_SOON_MS);
    const news = { streamId, status, name: this.#names.get(streamId) };
    this.streams.value = withStatus(this.streams.value, news, Date.now());
  }

  /** Who watches all streams hears of their own alone. Those of others that one may watch are asked for one by one. */
  #watchOthers(liveIds: readonly string[]): void {
    const live = new Set(liveIds);
    for (const [streamId, end] of this.#others) {
      if (live.has(streamId) || this.streams.value.some((entry) => entry.streamId === streamId)) continue;
      this.#others.delete(streamId);
      end();
    }
    for (const streamId of liveIds) {
      if (this.#others.size >= MAX_OTHERS) return;
      if (this.#others.has(streamId)) continue;
      const end = this.#viewer.subscribe(streamId, {
        // As with pins: who watches all streams hears what is said of this one.
        onStatus: () => undefined,
        onEnd: () => {
          this.#others.delete(streamId);
          this.streams.value = without(this.streams.value, streamId);
        },
      });
      this.#others.set(streamId, end);
    }
  }

  /** Another user's stream that is not open any more, and one too many to be watched: its tile would say "streaming" for ever. */
  #forgetUnheard(own: ReadonlySet<string>): void {
    for (const streamId of this.#formerPins) {
      const isPinned = this.streams.value.some((entry) => entry.streamId === streamId && entry.isPinned);
      const isHeard = own.has(streamId) || this.#others.has(streamId);
      const isLive = this.streams.value.some((entry) => entry.streamId === streamId && entry.status !== 'offline');
      if (isLive && !isPinned && !isHeard) this.streams.value = without(this.streams.value, streamId);
    }
    this.#formerPins.clear();
  }

  #prune(nowMs: number): void {
    this.streams.value = withoutEnded(this.streams.value, nowMs);
  }

  #askNamesIn(ms: number): void {
    clearTimeout(this.#namesTimer);
    this.#namesTimer = setTimeout(() => void this.#askNames(), ms);
  }

  async #askNames(): Promise<void> {
    this.#askNamesIn(NAMES_EVERY_MS);
    if (!isPageShown.value || this.connection.value.name !== 'open') return;
    try {
      const { streams } = await askJson<{ streams: ListedStream[] }>('api/streams/list?watchable=true', {
        credentials: this.credentials,
      });
      this.#names.clear();
      for (const { id, deviceName, metadata } of streams) {
        const name = deviceName ?? metadata?.['deviceName'];
        if (typeof name === 'string' && name.trim() !== '') this.#names.set(id, name.trim());
      }
      this.streams.value = withNames(this.streams.value, this.#names);
      this.#watchOthers(streams.filter(({ own }) => !own).map(({ id }) => id));
      this.#forgetUnheard(new Set(streams.filter(({ own }) => own).map(({ id }) => id)));
    } catch {
      // Ids do for names; whether the router answers at all, the connection says.
    }
  }
}
