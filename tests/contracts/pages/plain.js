// Pages without a framework, as they behave on the wire. Loaded into pages by the tests of this folder, which look at what they keep.

/** The dashboard at the one door. */
globalThis.watch = (address, hello) => {
  const watched = { alerts: [] };
  const image = document.body.appendChild(document.createElement('img'));
  const socket = new WebSocket(address);
  socket.onopen = () => socket.send(JSON.stringify(hello));
  socket.onmessage = ({ data: text }) => {
    const { type, data, severity, message } = JSON.parse(text);
    if (type === 'video-frame') image.src = `data:image/jpeg;base64,${data}`;
    if (type === 'alert') watched.alerts.push([severity, message]);
  };
  globalThis.watched = watched;
};

/** What a page of the anomaly detection does, for one user. */
globalThis.Anomalies = class {
  anomalies = [];
  /** By stream: what the page knows of it. */
  cameras = new Map();
  #base;
  #user;

  constructor(base, user) {
    this.#base = base;
    this.#user = user;
  }

  /** The one socket for the alerts of all its streams. */
  listen() {
    this.socket = new WebSocket(`${this.#base.replace('http', 'ws')}/ws/alerts/${this.#user}`);
    this.socket.onmessage = ({ data: text }) => {
      const said = JSON.parse(text);
      if (said.type === 'anomaly_detected') this.anomalies.push(said);
    };
    const happens = (event) => new Promise((done) => this.socket.addEventListener(event, () => done(event)));
    return Promise.race(['open', 'error'].map(happens));
  }

  /** Offers what a canvas shows: a page with a camera does the same. What is answered is kept in `offers`. */
  async add(metadata) {
    const peer = new RTCPeerConnection();
    const picture = document.createElement('canvas');
    picture.getContext('2d').fillRect(0, 0, 1, 1);
    const media = picture.captureStream(1);
    for (const track of media.getTracks()) peer.addTrack(track, media);
    await peer.setLocalDescription(await peer.createOffer());
    const { sdp, type } = peer.localDescription;
    const offer = { sdp, type, user_id: this.#user, stream_metadata: metadata };
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(`${this.#base}/api/offer`, { method: 'POST', headers, body: JSON.stringify(offer) });
    const body = await answer.json();
    this.offers.push({ status: answer.status, body });
    // Without a look at the status, as the originals do it.
    await peer.setRemoteDescription({ sdp: body.sdp, type: body.type });
    this.cameras.set(body.stream_id, { peer, metadata });
  }
  offers = [];

  /** The picture and the words of an anomaly. */
  show({ stream_id: streamId, result, annotated_frame: picture }) {
    const name = this.cameras.get(streamId)?.metadata.camera ?? 'a camera';
    const figure = document.body.appendChild(document.createElement('figure'));
    figure.appendChild(new Image()).src = `data:image/jpeg;base64,${picture}`;
    const caption = document.createElement('figcaption');
    caption.textContent = `${name}: person ${result.person_id}, ${result.confidence}`;
    figure.append(caption);
  }

  async remove(streamId) {
    const answer = await fetch(`${this.#base}/api/users/${this.#user}/streams/${streamId}`, { method: 'DELETE' });
    this.cameras.get(streamId)?.peer?.close();
    this.cameras.delete(streamId);
    return answer.status;
  }

  async disconnect() {
    const answer = await fetch(`${this.#base}/api/users/${this.#user}`, { method: 'DELETE' });
    this.cameras.clear();
    this.socket.close();
    return answer.status;
  }
};

/** The way before: whatever the answer calls `name` is the last part of the WebSocket's path. */
globalThis.offerAndListen = async (base, name) => {
  const answer = await fetch(`${base}/api/offer`, {
    method: 'POST',
    body: JSON.stringify({ sdp: 'v=0', type: 'offer' }),
  });
  const { [name]: id } = await answer.json();
  const socket = new WebSocket(`${base.replace('http', 'ws')}/ws/alerts/${id}`);
  const heard = [];
  socket.onmessage = ({ data: text }) => heard.push(JSON.parse(text));
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  return { status: answer.status, id, heard, socket, closed };
};
