import { parseArgs } from 'node:util';
import { decode, encode } from '@msgpack/msgpack';
import WebSocket from 'ws';

/** Subscribes to one stream and says once a second what arrived. For people who want to see that it works. */

const HELP = `Shows the frames and alerts of one stream as they arrive.

  npm run -s watch -- --stream <id> --token <token> [--url http://127.0.0.1:3000] [--seconds <n>]`;

const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:3000' },
    stream: { type: 'string' },
    token: { type: 'string' },
    seconds: { type: 'string', default: '0' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help || options.stream === undefined || options.token === undefined) {
  process.stdout.write(`${HELP}\n`);
  process.exit(options.help ? 0 : 2);
}
const streamId = options.stream;

interface Incoming {
  type: string;
  data: Uint8Array;
  timestamp: number;
  status?: string;
  severity?: string;
  message?: string;
}

let frames = 0;
let bytes = 0;
let newestAgeMs = 0;

const socket = new WebSocket(`${options.url.replace(/^http/, 'ws')}/streams/subscribe`, 'watchout.v1.msgpack', {
  headers: { authorization: `Bearer ${options.token}` },
});
socket.on('open', () => socket.send(encode({ type: 'subscribe', clientType: 'dashboard', streamId })));
socket.on('message', (raw: Buffer) => {
  const message = decode(raw) as Incoming;
  if (message.type === 'video-frame') {
    frames += 1;
    bytes += message.data.length;
    newestAgeMs = Date.now() - message.timestamp;
  } else if (message.type === 'alert') say(`alert (${message.severity}): ${message.message}`);
  else say(`${message.type}: ${message.status ?? message.message}`);
});
socket.on('error', (error) => say(`error: ${error.message}`));
socket.on('close', (code, reason) => {
  say(`closed: ${code} ${reason.toString()}`);
  process.exit(code === 1000 ? 0 : 1);
});

setInterval(() => {
  say(`${frames} frames, ${Math.round(bytes / 1024)} KiB, the newest ${newestAgeMs} ms old`);
  frames = 0;
  bytes = 0;
}, 1000);
const seconds = Number(options.seconds);
if (seconds > 0) setTimeout(() => socket.close(1000), seconds * 1000);

function say(text: string): void {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)}  ${streamId}  ${text}\n`);
}
