// The two clients of STREAM_ROUTER_API.md, the phone's and the web app's, as they behave on the wire: a plain
// WebSocket, text messages, nothing but what that document says. Loaded into pages by browser.test.ts, which looks
// at what they keep.

/** The phone: registers, finds its id in the words of the answer, then sends a picture every 100 ms. */
globalThis.startPhone = (url, pictures) => {
  const phone = { streamId: null, alerts: [], errors: [], closed: null, sent: 0 };
  const socket = new WebSocket(url);
  const say = (message) => socket.send(JSON.stringify(message));
  let timer;
  socket.onopen = () => say({ type: 'register', clientType: 'mobile', produces: ['video-frame'], consumes: ['alert'] });
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === 'success') {
      const found = message.message.match(/Stream ID: (stream_\w+)/);
      if (!found) return;
      phone.streamId = found[1];
      timer = setInterval(() => {
        const data = pictures[phone.sent % pictures.length];
        phone.sent += 1;
        say({ type: 'video-frame', streamId: phone.streamId, data, timestamp: Date.now() });
      }, 100);
    } else if (message.type === 'alert') {
      phone.alerts.push({ severity: message.severity, message: message.message });
    } else if (message.type === 'error') {
      phone.errors.push({ code: message.code, message: message.message });
    }
  };
  socket.onclose = ({ code, reason }) => {
    clearInterval(timer);
    phone.closed = { code, reason };
  };
  globalThis.phone = phone;
};

/** The web app: subscribes, and shows every picture in an `<img>`. */
globalThis.startWebApp = (url, streamId) => {
  const app = { successes: [], statuses: [], alerts: [], errors: [], shown: [], closed: null };
  const image = document.createElement('img');
  image.id = 'video-feed';
  document.body.append(image);
  const socket = new WebSocket(url);
  socket.onopen = () =>
    socket.send(
      JSON.stringify({
        type: 'subscribe',
        clientType: 'dashboard',
        streamId,
        consumes: ['video-frame', 'alert'],
      }),
    );
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === 'video-frame') {
      image.src = `data:image/jpeg;base64,${message.data}`;
      app.shown.push(message.data);
    } else if (message.type === 'alert') app.alerts.push(`${message.severity.toUpperCase()}: ${message.message}`);
    else if (message.type === 'status') app.statuses.push(message.status);
    else if (message.type === 'success') app.successes.push(message.message);
    else if (message.type === 'error') app.errors.push({ code: message.code, message: message.message });
  };
  socket.onclose = ({ code, reason }) => {
    app.closed = { code, reason };
  };
  globalThis.app = app;
};
