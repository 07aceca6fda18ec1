// Cameras in a process of their own: so many streams that play the walk, each at 30 frames a second, until they are killed.
import { readdirSync, readFileSync } from 'node:fs';
import { encode } from '@msgpack/msgpack';
import WebSocket from 'ws';

const FPS = 30;
const { ROUTER_URL = '', TOKEN = '' } = process.env;
const folder = new URL('../../assets/walk/', import.meta.url);
const walk = readdirSync(folder)
  .filter((name) => name.endsWith('.jpg'))
  .sort()
  .map((name) => readFileSync(new URL(name, folder)));

for (const [place, streamId] of process.argv.slice(2).entries()) {
  const socket = new WebSocket(`${ROUTER_URL}/streams/register`, 'watchout.v1.msgpack', {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  socket.on('open', () => {
    socket.send(encode({ type: 'register', clientType: 'mobile', streamId, produces: ['video-frame'] }));
    play(socket, streamId, place * 7);
  });
}

function play(socket, streamId, start) {
  const beganMs = performance.now();
  let sent = 0;
  const next = () => {
    const data = walk[(start + sent) % walk.length];
    socket.send(encode({ type: 'video-frame', streamId, data, timestamp: Date.now() }));
    sent += 1;
    setTimeout(next, beganMs + (sent * 1_000) / FPS - performance.now());
  };
  next();
}
