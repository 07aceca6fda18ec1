import { decode } from '@msgpack/msgpack';
import { FrameView } from '../../proto/frame.ts';
import { plainFrame, writeJson, writeMsgpack } from './frames.ts';
import type { MicroTask } from './suite.ts';

/**
 * What does it cost to read a frame's head and to write the frame in the other encoding, and what would a plain
 * decoder cost? Sizes are those of the JPEG, 1 KB = 1000 bytes. `\/` is how Swift and PHP write a `/` of base64.
 * Transcoding includes reading the head. Encoding a whole frame is the encoder's work, here for comparison.
 */
export const question = 'What does it cost to read a frame’s head and to transcode the frame, against a plain decoder?';

const SIZES_KB = [2, 10, 34, 100, 400];

export function tasks(): MicroTask[] {
  const view = new FrameView();
  return SIZES_KB.flatMap((sizeKb) => tasksOf(sizeKb, view));
}

function tasksOf(sizeKb: number, view: FrameView): MicroTask[] {
  const frame = plainFrame(sizeKb);
  const packed = Buffer.from(writeMsgpack(frame));
  const json = Buffer.from(writeJson(frame));
  const escaped = Buffer.from(json.toString().replaceAll('/', '\\/'));
  const operations: Record<string, () => unknown> = {
    'MessagePack: read the head': () => view.read(packed, 'msgpack'),
    'MessagePack: decode with the library': () => decode(packed),
    'MessagePack to JSON': () => {
      view.read(packed, 'msgpack');
      return view.in('json');
    },
    'MessagePack: encode a whole frame': () => writeMsgpack(frame),
    'JSON: read the head': () => view.read(json, 'json'),
    'JSON: parse with JSON.parse': () => JSON.parse(json.toString()),
    'JSON to MessagePack': () => {
      view.read(json, 'json');
      return view.in('msgpack');
    },
    'JSON: encode a whole frame': () => writeJson(frame),
    'JSON with \\/: read the head': () => view.read(escaped, 'json'),
    'JSON with \\/: parse with JSON.parse': () => JSON.parse(escaped.toString()),
    'JSON with \\/ to MessagePack': () => {
      view.read(escaped, 'json');
      return view.in('msgpack');
    },
  };
  return Object.entries(operations).map(([name, operation]) => ({ name: `${sizeKb} KB ${name}`, operation }));
}
