import { decode, encode } from '@msgpack/msgpack';
import { Bench } from 'tinybench';
import { FrameView } from '../proto/frame.ts';

/**
 * What does it cost to read a frame's head and to write the frame in the other encoding, and what would a plain decoder cost?
 * `npm run bench:micro`. Sizes are those of the JPEG.
 */

const SIZES_KB = [2, 10, 34, 100, 400];
const bench = new Bench({ time: 200, warmupTime: 50 });
const view = new FrameView();

for (const sizeKb of SIZES_KB) {
  const jpeg = Buffer.alloc(sizeKb * 1000, 0x5a);
  jpeg.set([0xff, 0xd8, 0xff, 0xe0]);
  const fields = { type: 'video-frame', streamId: 'stream_0123456789abcdef', timestamp: 1729943200000 };
  const packed = Buffer.from(encode({ ...fields, data: jpeg }));
  const json = Buffer.from(JSON.stringify({ ...fields, data: jpeg.toString('base64') }));
  const escaped = Buffer.from(json.toString().replaceAll('/', '\\/'));

  bench
    .add(`${sizeKb} KB MessagePack: read the head`, () => void view.read(packed, 'msgpack'))
    .add(`${sizeKb} KB MessagePack: decode with the library`, () => void decode(packed))
    .add(`${sizeKb} KB MessagePack to JSON`, () => {
      view.read(packed, 'msgpack');
      view.in('json');
    })
    .add(`${sizeKb} KB JSON: read the head`, () => void view.read(json, 'json'))
    .add(`${sizeKb} KB JSON with \\/: read the head`, () => void view.read(escaped, 'json'))
    .add(`${sizeKb} KB JSON: parse with JSON.parse`, () => void JSON.parse(json.toString()))
    .add(`${sizeKb} KB JSON to MessagePack`, () => {
      view.read(json, 'json');
      view.in('msgpack');
    });
}

await bench.run();
for (const { name, result } of bench.tasks) {
  if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`);
  const micros = result.latency.p50 * 1000;
  process.stdout.write(`${name.padEnd(50)} ${micros.toFixed(2).padStart(9)} µs\n`);
}
