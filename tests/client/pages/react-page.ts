// A page of hooks, all below one provider and in strict mode, that tests look at and turn the knobs of.
import { createElement, type ReactNode, StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import {
  useAlerts,
  useConnection,
  useStreams,
  useVideoStream,
  useViewer,
  WatchoutProvider,
} from '../../../src/client/react.ts';

interface Knobs {
  url: string;
  token: string;
  streamId: string;
  pictures: 'url' | 'canvas' | 'none';
}

const open = new Set<string>();
const counts = { sockets: 0, urls: open, mostUrls: 0, mounts: 0, renderings: { canvas: 0, url: 0 } };
const { createObjectURL, revokeObjectURL } = URL;
URL.createObjectURL = (blob: Blob) => {
  const url = createObjectURL(blob);
  open.add(url);
  counts.mostUrls = Math.max(counts.mostUrls, open.size);
  return url;
};
URL.revokeObjectURL = (url: string) => {
  open.delete(url);
  revokeObjectURL(url);
};
const RealSocket = globalThis.WebSocket;
globalThis.WebSocket = class extends RealSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    counts.sockets += 1;
  }
};

function Picture({ streamId, onCanvas }: { streamId: string; onCanvas: boolean }): ReactNode {
  const { frameUrl, canvasRef, status, state, timestamp, error } = useVideoStream(streamId);
  counts.renderings[onCanvas ? 'canvas' : 'url'] += 1;
  return createElement(
    'figure',
    { 'data-status': status, 'data-state': state.name, 'data-age': timestamp === null ? '' : Date.now() - timestamp },
    onCanvas ? createElement('canvas', { ref: canvasRef, width: 1 }) : null,
    frameUrl === null ? null : createElement('img', { src: frameUrl, alt: streamId }),
    createElement('figcaption', null, error?.message ?? streamId),
  );
}

function Words(): ReactNode {
  const state = useConnection();
  const viewer = useViewer();
  const streams = useStreams();
  const { alerts, hasGap } = useAlerts({ limit: 3 });
  useEffect(() => {
    counts.mounts += 1;
  }, []);
  return createElement(
    'section',
    null,
    createElement(
      'p',
      { id: 'state' },
      state.name === 'waiting' || state.name === 'closed' ? state.reason : state.name,
    ),
    createElement('p', { id: 'streams' }, streams.map(({ streamId, status }) => `${streamId} ${status}`).join(', ')),
    createElement('p', { id: 'alerts' }, alerts.map(({ message }) => message).join(', ')),
    createElement('p', { id: 'more' }, `${viewer === undefined ? 'no viewer' : 'viewer'}${hasGap ? ', gap' : ''}`),
  );
}

let turn: (knobs: Partial<Knobs>) => void = () => undefined;

function App({ first }: { first: Knobs }): ReactNode {
  const [knobs, setKnobs] = useState(first);
  turn = (changed) => setKnobs((before) => ({ ...before, ...changed }));
  const { url, token, streamId, pictures } = knobs;
  return createElement(
    WatchoutProvider,
    { url, token },
    createElement(Words),
    pictures === 'none' ? null : createElement(Picture, { streamId, onCanvas: pictures === 'canvas' }),
    // Two that want the same.
    pictures === 'none' ? null : createElement(Picture, { streamId, onCanvas: false }),
  );
}

const root = createRoot(document.body.appendChild(document.createElement('main')));
Object.assign(globalThis, {
  counts,
  mount: (first: Knobs) => root.render(createElement(StrictMode, null, createElement(App, { first }))),
  turn: (knobs: Partial<Knobs>) => turn(knobs),
  unmount: () => root.unmount(),
});
