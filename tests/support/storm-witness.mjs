import { parentPort, workerData } from 'node:worker_threads';
import WebSocket from 'ws';

/** A camera of 10 fps and its viewer, which says when each picture arrives. */

const { wsUrl, token } = workerData;
const FRAME = Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(2_000, 1), Buffer.from([0xff, 0xd9])]).toString(
  'base64',
);

const camera = new WebSocket(`${wsUrl}/streams/register?token=${token}`);
camera.on('open', () => camera.send('{"type":"register","clientType":"mobile","streamId":"witness"}'));
camera.once('message', () => {
  setInterval(() => {
    camera.send(JSON.stringify({ type: 'video-frame', streamId: 'witness', data: FRAME, timestamp: Date.now() }));
  }, 100);
});

const viewer = new WebSocket(`${wsUrl}/streams/subscribe?token=${token}`);
viewer.on('open', () => viewer.send('{"type":"subscribe","clientType":"dashboard","streamId":"witness"}'));
viewer.on('message', (data) => {
  if (data.toString().includes('video-frame')) parentPort?.postMessage(Date.now());
});
