// A plain page over the wire protocol: one WebSocket, JSON, every live stream this user may watch.

const MAX_ALERTS = 50;
const MAX_BACKOFF_MS = 10_000;
const STREAM_LIST_MS = 5_000;
const KEEP_OFFLINE_MS = 600_000;

const connection = document.querySelector('#connection');
const streamsSection = document.querySelector('#streams');
const alertList = document.querySelector('#alerts');
const signIn = document.querySelector('#sign-in');

/** Stream id → its tile. */
const tiles = new Map();
/** Streams that turned out to be somebody else's. */
const refused = new Set();
let token = takeToken();
let socket;
let backoffMs = 500;

/** The token leaves the address bar, where people copy from, and stays with this tab. */
function takeToken() {
  const address = new URL(location.href);
  const given = address.searchParams.get('token');
  if (given) {
    sessionStorage.setItem('token', given);
    address.searchParams.delete('token');
    history.replaceState(null, '', address);
  }
  return sessionStorage.getItem('token');
}

function connect() {
  const query = token ? `?token=${encodeURIComponent(token)}` : '';
  socket = new WebSocket(`${location.origin.replace('http', 'ws')}/streams/subscribe${query}`, 'watchout.v1.json');
  let refusal;
  let retryAfterMs;
  socket.onopen = () => {
    for (const tile of tiles.values()) tile.asked = false;
    watchLiveStreams();
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'video-frame') showFrame(message);
    else if (message.type === 'alert') showAlert(message);
    else if (message.type === 'status') showStatus(message);
    else if (message.type === 'success') connected();
    else if (message.type === 'going-away') retryAfterMs = message.reconnectAfterMs;
    else if (message.type === 'error') {
      refusal = message;
      if (message.streamId) refuse(message.streamId);
    }
  };
  socket.onclose = ({ code }) => {
    if (code === 1008) {
      sessionStorage.removeItem('token');
      connection.textContent = `Not signed in: ${refusal?.message ?? 'the session has ended'}.`;
      signIn.hidden = false;
      return;
    }
    if (code >= 4400 && code <= 4499) {
      connection.textContent = 'The router closed this connection for good. Reload the page to try again.';
      return;
    }
    connection.textContent = 'Connection lost, trying again…';
    setTimeout(connect, retryAfterMs ?? Math.random() * backoffMs);
    backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
  };
}

function connected() {
  backoffMs = 500;
  connection.textContent = 'Connected';
}

/** `?stream=` names one; otherwise the router is asked which are live, now and then again. */
async function watchLiveStreams() {
  if (socket.readyState !== WebSocket.OPEN) return;
  const chosen = new URL(location.href).searchParams.get('stream');
  try {
    const ids = chosen ? [chosen] : (await (await fetch('/stats')).json()).activeStreams;
    if (ids.length === 0 && tiles.size === 0) connection.textContent = 'Connected. No camera is live yet.';
    for (const id of new Set([...ids, ...tiles.keys()])) watch(id);
    forgetEnded(new Set(ids));
  } catch {
    // The socket's own reconnect tells the user; the list is asked for again then.
  }
}

function watch(streamId) {
  if (socket.readyState !== WebSocket.OPEN || refused.has(streamId)) return;
  const tile = tiles.get(streamId) ?? makeTile(streamId);
  if (tile.asked) return;
  tile.asked = true;
  socket.send(
    JSON.stringify({ type: 'subscribe', clientType: 'dashboard', streamId, consumes: ['video-frame', 'alert'] }),
  );
}

/** Somebody else's stream: not to be asked for again. */
function refuse(streamId) {
  refused.add(streamId);
  tiles.get(streamId)?.figure.remove();
  tiles.delete(streamId);
}

/** A camera that is gone stays on the wall for a while, so that somebody sees that it is gone. */
function forgetEnded(liveIds) {
  for (const [id, tile] of tiles) {
    if (liveIds.has(id) || tile.offlineSinceMs === undefined) continue;
    if (performance.now() - tile.offlineSinceMs < KEEP_OFFLINE_MS) continue;
    socket.send(JSON.stringify({ type: 'unsubscribe', streamId: id }));
    tile.figure.remove();
    tiles.delete(id);
  }
}

function makeTile(streamId) {
  const figure = document.querySelector('#stream').content.firstElementChild.cloneNode(true);
  figure.querySelector('strong').textContent = streamId;
  figure.querySelector('img').alt = `Live picture of ${streamId}`;
  figure.hidden = true;
  streamsSection.append(figure);
  const tile = { figure, asked: false, frames: 0, ageMs: 0 };
  tiles.set(streamId, tile);
  return tile;
}

function showFrame({ streamId, data, timestamp }) {
  const tile = tiles.get(streamId);
  if (!tile) return;
  const image = tile.figure.querySelector('img');
  image.src = `data:image/jpeg;base64,${data}`;
  image.hidden = false;
  tile.figure.querySelector('.waiting').hidden = true;
  tile.frames += 1;
  tile.ageMs = Math.max(0, Date.now() - timestamp);
}

function showStatus({ streamId, status }) {
  const tile = tiles.get(streamId);
  if (!tile) return;
  tile.figure.hidden = false;
  tile.offlineSinceMs = status === 'offline' ? performance.now() : undefined;
  const label = tile.figure.querySelector('.status');
  label.textContent = status;
  label.dataset.status = status;
}

function showAlert({ streamId, severity, message, timestamp }) {
  const item = document.createElement('li');
  item.dataset.severity = severity;
  const when = document.createElement('small');
  when.textContent = `${new Date(timestamp).toLocaleTimeString()} · ${streamId} · ${severity}`;
  item.append(message, when);
  alertList.prepend(item);
  while (alertList.children.length > MAX_ALERTS) alertList.lastElementChild.remove();
  document.querySelector('#no-alerts').hidden = true;
}

setInterval(() => {
  for (const tile of tiles.values()) {
    tile.figure.querySelector('.rate').textContent =
      tile.frames > 0 ? `${tile.frames} fps, ${Math.round(tile.ageMs)} ms old` : '';
    tile.frames = 0;
  }
}, 1000);
setInterval(watchLiveStreams, STREAM_LIST_MS);

signIn.addEventListener('submit', (event) => {
  event.preventDefault();
  token = new FormData(signIn).get('token').trim();
  sessionStorage.setItem('token', token);
  signIn.hidden = true;
  connection.textContent = 'Connecting…';
  connect();
});

connect();
