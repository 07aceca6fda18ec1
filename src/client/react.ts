import { createContext, createElement, type ReactNode, useContext, useEffect, useRef, useState } from 'react';
import type { Frame } from './frame.ts';
import { FramePictures } from './frame-pictures.ts';
import type { Alert, ConnectionState, RouterError, StreamStatus } from './types.ts';
import { Viewer, type ViewerOptions } from './viewer.ts';
import type { MaxFps } from './wish.ts';

const CONNECTING: ConnectionState = { name: 'connecting', attempt: 1 };

interface Shared {
  viewer: Viewer | undefined;
  state: ConnectionState;
}

const WatchoutContext = createContext<Shared>({ viewer: undefined, state: CONNECTING });

export interface WatchoutProviderProps extends Pick<ViewerOptions, 'url' | 'token' | 'ticket' | 'tokenIn' | 'since'> {
  children?: ReactNode;
}

/** One connection for all hooks below it. Another `url` or another token text is another connection; callbacks may be new ones at each rendering. */
export function WatchoutProvider({ url, token, ticket, tokenIn, since, children }: WatchoutProviderProps): ReactNode {
  const [shared, setShared] = useState<Shared>({ viewer: undefined, state: CONNECTING });
  const latest = useLatest({ token, ticket, since });
  const address = String(url);
  const fixedToken = typeof token === 'string' ? token : undefined;
  const asksToken = typeof token === 'function';
  const asksTicket = ticket !== undefined;
  useEffect(() => {
    const viewer = new Viewer({
      url: address,
      token: asksToken ? () => secretOf(latest.current.token) : fixedToken,
      ticket: asksTicket ? () => secretOf(latest.current.ticket) : undefined,
      tokenIn,
      since: latest.current.since,
    });
    setShared({ viewer, state: viewer.state });
    const stopListening = viewer.on('state', (state) => setShared({ viewer, state }));
    return () => {
      stopListening();
      viewer.close();
    };
  }, [address, fixedToken, asksToken, asksTicket, tokenIn, latest]);
  return createElement(WatchoutContext.Provider, { value: shared }, children);
}

/** Where the connection stands. */
export function useConnection(): ConnectionState {
  return useContext(WatchoutContext).state;
}

/** The viewer of the provider, for what the hooks do not do; undefined before the first effect. */
export function useViewer(): Viewer | undefined {
  return useContext(WatchoutContext).viewer;
}

export interface VideoStreamOptions {
  maxFps?: MaxFps;
  window?: number;
}

export interface VideoStream {
  /** For `<img src>`; null before the first picture, and while `canvasRef` has a canvas. Good until the next one. */
  frameUrl: string | null;
  /** For `<canvas ref>`: pictures are drawn there, and the component is not rendered for each one. */
  canvasRef: (canvas: HTMLCanvasElement | null) => void;
  status: StreamStatus;
  state: ConnectionState;
  /** When the picture was captured, ms since the epoch; with a canvas, brought up to date once a second. */
  timestamp: number | null;
  /** Why there is no picture, and will be none: the stream is another user's. */
  error: RouterError | null;
}

/** What has come of a stream. */
interface Seen {
  streamId: string;
  frameUrl: string | null;
  status: StreamStatus;
  timestamp: number | null;
  error: RouterError | null;
}

const NOTHING = { frameUrl: null, status: 'offline', timestamp: null, error: null } as const;

/** With a canvas: how often the component learns of the newest `timestamp`, ms. */
const TIMESTAMP_EVERY_MS = 1_000;

/** The live picture of a stream. The next one is asked for when this one is on the screen, so a slow page sees fewer, and none that is old. */
export function useVideoStream(streamId: string, { maxFps, window }: VideoStreamOptions = {}): VideoStream {
  const { viewer, state } = useContext(WatchoutContext);
  const [last, setLast] = useState<Seen>({ streamId, ...NOTHING });
  const [pictures] = useState(() => new FramePictures());

  useEffect(() => {
    if (viewer === undefined) return undefined;
    const note = (news: Partial<Seen>) =>
      setLast((before) => ({ ...(before.streamId === streamId ? before : NOTHING), ...news, streamId }));
    let tellAfterMs = 0;
    const onFrame = async (frame: Frame) => {
      const { timestamp } = frame;
      const shown = await pictures.show(frame);
      if (shown.kind === 'url') {
        note({ frameUrl: shown.url, timestamp });
        await shown.rendered;
      } else if (shown.kind === 'drawn' && performance.now() >= tellAfterMs) {
        tellAfterMs = performance.now() + TIMESTAMP_EVERY_MS;
        note({ frameUrl: null, timestamp });
      }
    };
    const end = viewer.subscribe(streamId, {
      onFrame,
      onStatus: ({ status }) => note({ status }),
      onEnd: (error) => note({ ...NOTHING, error }),
      maxFps,
      window,
    });
    return () => {
      end();
      pictures.clear();
      note(NOTHING);
    };
  }, [viewer, streamId, maxFps, window, pictures]);

  // What was known of another stream is not shown as this one's.
  const { streamId: _name, ...seen } = last.streamId === streamId ? last : { streamId, ...NOTHING };
  const { frameUrl } = seen;
  useEffect(() => {
    if (frameUrl !== null) pictures.rendered(frameUrl);
  }, [frameUrl, pictures]);

  return { ...seen, state, canvasRef: pictures.takeCanvas };
}

export interface AlertsOptions {
  /** Default: of all streams. */
  streamId?: string;
  /** How many are kept; default 50. */
  limit?: number;
}

/** The alerts since the component is there, the newest first. `hasGap`: during a cut there may have been others. */
export function useAlerts({ streamId = '*', limit = 50 }: AlertsOptions = {}): {
  alerts: readonly Alert[];
  hasGap: boolean;
} {
  const { viewer } = useContext(WatchoutContext);
  const [alerts, setAlerts] = useState<readonly Alert[]>([]);
  const [hasGap, setHasGap] = useState(false);
  const latest = useLatest({ limit });
  useEffect(() => {
    setAlerts([]);
    setHasGap(false);
    return viewer?.subscribe(streamId, {
      onAlert: (alert) => setAlerts((before) => [alert, ...before].slice(0, latest.current.limit)),
      onGap: () => setHasGap(true),
    });
  }, [viewer, streamId, latest]);
  return { alerts, hasGap };
}

export interface StreamEntry {
  streamId: string;
  status: Exclude<StreamStatus, 'offline'>;
}

/** The live streams of the session's user, in the order of their names. */
export function useStreams(): readonly StreamEntry[] {
  const { viewer } = useContext(WatchoutContext);
  const [streams, setStreams] = useState<readonly StreamEntry[]>([]);
  useEffect(() => {
    setStreams([]);
    return viewer?.subscribe('*', {
      onStatus: ({ streamId, status }) =>
        setStreams((before) => {
          const others = before.filter((stream) => stream.streamId !== streamId);
          if (status === 'offline') return others;
          return [...others, { streamId, status }].sort((one, other) => (one.streamId < other.streamId ? -1 : 1));
        }),
    });
  }, [viewer]);
  return streams;
}

/** What was given at the last rendering, for what happens later. */
function useLatest<Value>(value: Value): { readonly current: Value } {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}

function secretOf(source: ViewerOptions['token']) {
  return typeof source === 'function' ? source() : source;
}
