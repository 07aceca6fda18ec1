import { expect, test } from 'vitest';
import { MjpegPictures } from '../../src/cli/sources/mjpeg-pictures.ts';

const nowMs = Date.now();
const nowSeconds = `${Math.floor(nowMs / 1000)}.250000`;

test.each([
  { said: 'by a router, in ms', header: `${nowMs}.5`, expected: nowMs + 0.5 },
  { said: 'by a router of an encoder whose clock is years behind', header: '1600000000123', expected: 1600000000123 },
  { said: 'by mjpg-streamer, in seconds', header: nowSeconds, expected: Math.floor(nowMs / 1000) * 1000 + 250 },
  { said: 'by an ESP32, in seconds since it was switched on', header: '86412.734501', expected: undefined },
  { said: 'in ms since it was switched on, weeks ago', header: '1814400123', expected: undefined },
  { said: 'in microseconds', header: `${nowMs}000`, expected: undefined },
  { said: 'as 0', header: '0', expected: undefined },
  { said: 'in words', header: 'yesterday', expected: undefined },
  { said: 'not at all', header: undefined, expected: undefined },
])('a picture whose time is said $said, is of that time where it can be true', ({ header, expected }) => {
  const times: (number | undefined)[] = [];
  const pictures = new MjpegPictures('frame', (_picture, timestamp) => times.push(timestamp));
  const time = header === undefined ? '' : `X-Timestamp: ${header}\r\n`;
  pictures.feed(Buffer.from(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\n${time}\r\n`));
  pictures.feed(Buffer.from([0xff, 0xd8, 0xff, 0xd9]));
  pictures.feed(Buffer.from('\r\n--frame--\r\n'));
  expect(times).toEqual([expected]);
});
