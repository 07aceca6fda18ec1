import { decode, encode } from '@msgpack/msgpack';
import { expect, test } from 'vitest';
import { FrameView } from './frame.ts';

/** Pictures are transcoded in pieces: 48 KiB of bytes, 64 Ki characters. These sizes lie around the seams. */
const SIZES = [49_151, 49_152, 49_153, 98_303, 98_304, 98_305, 400_000];

function jpegOf(bytes: number): Buffer {
  const jpeg = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 2_654_435_761) >>> 24));
  jpeg.set([0xff, 0xd8, 0xff, 0xe0]);
  return jpeg;
}

const fields = { type: 'video-frame', streamId: 'door', timestamp: 1 };

test.each(SIZES)('a picture of %i bytes arrives bit for bit in the other encoding, both ways', (bytes) => {
  const jpeg = jpegOf(bytes);
  const view = new FrameView();
  view.read(Buffer.from(encode({ ...fields, data: jpeg })), 'msgpack');
  const json = Buffer.from(view.in('json') as Uint8Array);
  expect(JSON.parse(json.toString())).toEqual({ ...fields, data: jpeg.toString('base64') });

  view.read(json, 'json');
  const back = decode(view.in('msgpack') as Uint8Array) as { data: Uint8Array };
  expect(Buffer.compare(back.data, jpeg)).toBe(0);
});

test.each([
  ['padding at a seam', (text: string) => `${text.slice(0, 65_535)}=${text.slice(65_536)}`],
  ['two paddings at a seam', (text: string) => `${text.slice(0, 65_534)}==${text.slice(65_536)}`],
  ['a foreign character after a seam', (text: string) => `${text.slice(0, 65_536)}!${text.slice(65_537)}`],
  ['the URL alphabet in the last piece', (text: string) => `${text.slice(0, 131_080)}-${text.slice(131_081)}`],
])('%s is no base64', (_name, spoil) => {
  const data = spoil(jpegOf(120_000).toString('base64'));
  const view = new FrameView();
  view.read(Buffer.from(JSON.stringify({ ...fields, data })), 'json');
  expect(() => view.in('msgpack')).toThrow('data: not base64');
});

test.each([48_000, 49_151, 49_152, 49_153, 98_305, 200_000])(
  'a picture whose base64 of %i characters is written with \\/, as Swift does, is the same picture',
  (characters) => {
    // Slashes all the way: wherever a piece ends, an escape lies across its end in one of the two texts.
    for (const lead of ['', 'A']) {
      const base64 = `/9j/4AAC${lead}${'/'.repeat(characters)}`.slice(0, characters - (characters % 4));
      const text = JSON.stringify({ ...fields, data: base64 }).replaceAll('/', '\\/');
      const view = new FrameView();
      expect(view.read(Buffer.from(text), 'json')).toBe(true);
      expect(view.jpeg().toString('base64')).toBe(base64);
    }
  },
);

test('a line break in the first line of a picture with \\/ is refused, too', () => {
  const data = `\\/9j\\/4AAC${'A'.repeat(60)}\r\n\r\n${'A'.repeat(64)}`;
  const text = `{"type":"video-frame","streamId":"door","timestamp":1,"data":"${data}"}`;
  expect(() => new FrameView().read(Buffer.from(text), 'json')).toThrow('must be JSON');
});

test('a small frame after a large one is not followed by the rest of the large one', () => {
  const view = new FrameView();
  for (const bytes of [200_000, 10, 70_000]) {
    const jpeg = jpegOf(bytes);
    view.read(Buffer.from(JSON.stringify({ ...fields, data: jpeg.toString('base64') })), 'json');
    expect(Buffer.compare(view.jpeg(), jpeg)).toBe(0);
  }
});
