import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setInterval, setTimeout } from 'node:timers/promises';
import { multipartBodies } from './multipart.mjs';

/** No pause before a camera is asked again is longer, ms. */
const MAX_PAUSE_MS = 10_000;

/** The `.jpg` files of a folder, by name, round and round, so many a second. Throws when there are none, and when `signal` is aborted. */
export async function* folderPictures(folder, fps, signal) {
  const entries = await readdir(folder).catch(() => []);
  const names = entries.filter((name) => /\.jpe?g$/i.test(name)).sort();
  if (names.length === 0) throw new Error(`${folder}: there is no folder of this name with .jpg files in it`);
  let shown = 0;
  for await (const _tick of setInterval(1_000 / fps, undefined, { signal })) {
    yield readFile(join(folder, names[shown % names.length]));
    shown += 1;
  }
}

/** What a camera shows over HTTP, as `multipart/x-mixed-replace`. One that goes away is asked again and again. Throws when `signal` is aborted. */
export async function* mjpegPictures(address, signal) {
  const { url, headers } = withoutPassword(new URL(address));
  for (let failures = 0; ; failures += 1) {
    let fault = 'it has ended';
    try {
      const response = await fetch(url, { headers, signal });
      if (!response.ok) throw new Error(`it answers ${response.status}`);
      for await (const picture of multipartBodies(response)) {
        failures = 0;
        yield picture;
      }
    } catch (error) {
      fault = error.cause?.message ?? error.message;
    }
    signal.throwIfAborted();
    const pauseMs = Math.random() * Math.min(MAX_PAUSE_MS, 1_000 * 2 ** failures);
    console.error(`The camera at ${url.host}: ${fault}. Trying again in ${Math.round(pauseMs)} ms`);
    await setTimeout(pauseMs, undefined, { signal });
  }
}

/** `fetch` takes no `user:password@`, and nobody should read it in a log. */
function withoutPassword(url) {
  const { username, password } = url;
  if (username === '' && password === '') return { url, headers: {} };
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  Object.assign(url, { username: '', password: '' });
  return { url, headers: { authorization: `Basic ${credentials.toString('base64')}` } };
}
