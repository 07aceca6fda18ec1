// React pages of the web app, as they behave on the wire: plain WebSockets, text messages, nothing answered. `show` puts one of them up, `leave` takes it away.
import { useEffect, useReducer, useState } from 'react';
import { createRoot } from 'react-dom/client';

const NOTHING_YET = { phase: 'opening', picture: undefined };

/** What has come of watching one stream: its last picture in base64, and how the connection stands. */
function useWatching(address, streamId) {
  const [watching, note] = useReducer((before, news) => ({ ...before, ...news }), NOTHING_YET);
  useEffect(() => {
    const socket = new WebSocket(address);
    const wishes = { clientType: 'dashboard', streamId, consumes: ['video-frame', 'alert'] };
    socket.addEventListener('open', () => {
      note({ phase: 'open' });
      socket.send(JSON.stringify({ type: 'subscribe', ...wishes }));
    });
    socket.addEventListener('message', ({ data: text }) => {
      const { type, data: picture } = JSON.parse(text);
      if (type === 'video-frame') note({ picture });
    });
    socket.addEventListener('error', () => note({ phase: 'failed' }));
    return () => socket.close();
  }, [address, streamId]);
  return watching;
}

function Player({ address, streamId }) {
  const { phase, picture } = useWatching(address, streamId);
  if (phase !== 'open') return <p>{phase}</p>;
  return picture === undefined ? <p>waiting</p> : <img alt="" src={`data:image/jpeg;base64,${picture}`} />;
}

function Streams() {
  const [known, learn] = useState({ streams: [] });
  useEffect(() => {
    const load = async () => {
      // The web app's own path, which is the router's where they share an address.
      const answer = await fetch('/api/streams/list');
      learn(await answer.json());
    };
    void load();
  }, []);
  const rows = known.streams.map(({ id, deviceName, status }) => (
    <li key={id}>
      {deviceName} is {status}
    </li>
  ));
  return <ul>{rows}</ul>;
}

function Alerts({ address }) {
  const [texts, add] = useReducer((before, text) => [...before, text], []);
  useEffect(() => {
    const socket = new WebSocket(address);
    socket.addEventListener('message', ({ data: text }) => {
      const { type, severity, message } = JSON.parse(text);
      if (type === 'alert') add(`${message} (${severity})`);
    });
    return () => socket.close();
  }, [address]);
  return <output>{texts.join('; ')}</output>;
}

const pages = { Player, Streams, Alerts };

globalThis.show = (name, properties) => {
  const Shown = pages[name];
  const root = createRoot(document.body.appendChild(document.createElement('main')));
  root.render(<Shown {...properties} />);
  globalThis.leave = () => root.unmount();
};
