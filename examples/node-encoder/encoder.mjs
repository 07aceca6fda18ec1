// A camera for the router, made of a folder of JPEGs or of an MJPEG camera. The SDK reconnects, goes on with the stream, and
// leaves out what the network cannot carry.
import { Encoder } from 'watchout-router/client';
import { explain, readOptions } from './options.mjs';
import { folderPictures, mjpegPictures } from './pictures.mjs';

const { source, isCamera, fps, url, token, streamId } = readOptions();
const end = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => end.abort());
// Nobody reads what it prints any more.
process.stdout.on('error', () => end.abort());

const encoder = newEncoder();
encoder.on('registered', (stream) => console.log(`The stream is ${stream.streamId}`));
encoder.on('throttle', ({ maxFps, reason }) => console.log(`At most ${maxFps} pictures a second, please (${reason})`));
encoder.on('alert', ({ severity, message }) => console.log(`ALERT ${severity}: ${message}`));
encoder.on('error', ({ code, message }) => console.error(`The router refused something: ${code} ${message}`));
encoder.on('state', (state) => {
  if (state.name === 'waiting') console.error(`${state.reason}. Trying again in ${state.retryInMs} ms`);
  if (state.name === 'closed' && !end.signal.aborted) fail(state.reason);
});

try {
  const pictures = isCamera ? mjpegPictures(source, end.signal) : folderPictures(source, fps, end.signal);
  for await (const picture of pictures) {
    try {
      // As often as you like: the newest one goes out when the network and the router take it.
      encoder.send(picture);
    } catch (error) {
      console.error(`A picture was left out: ${error.message}`);
    }
  }
} catch (error) {
  if (!end.signal.aborted) fail(error.message);
}
const { sent, replaced, throttled } = encoder.stats;
console.log(`${sent} sent, ${replaced} left out as the network was slow, ${throttled} as nobody wanted them`);

function newEncoder() {
  try {
    return new Encoder({ url, token, streamId, signal: end.signal });
  } catch (error) {
    return explain(error.message);
  }
}

function fail(reason) {
  console.error(reason);
  process.exitCode = 1;
  end.abort();
}
