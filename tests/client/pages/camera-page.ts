// A page that films, either with the device's camera or with a canvas that it paints.
import { type Camera, type CameraOptions, captureCamera, Encoder } from '../../../src/client/index.ts';

/** Noise, of which no JPEG is small. */
function painted(width: number, height: number): MediaStream {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d');
  setInterval(() => {
    const noise = new ImageData(width, height);
    for (let index = 0; index < noise.data.length; index += 1) noise.data[index] = Math.random() * 256;
    context?.putImageData(noise, 0, 0);
  }, 50);
  return canvas.captureStream();
}

const page: { encoder?: Encoder; camera?: Camera; ended: number; attempts: number } = { ended: 0, attempts: 0 };

Object.assign(globalThis, {
  page,
  connect: (url: string, token: string, streamId: string) => {
    page.encoder = new Encoder({ url, token, streamId, backoff: { baseMs: 20, maxMs: 100 } });
    page.encoder.on('state', ({ name }) => {
      if (name === 'connecting') page.attempts += 1;
    });
  },
  film: async (kind: 'device' | 'painted', options: CameraOptions) => {
    if (page.encoder === undefined) throw new Error('connect first');
    const source = kind === 'painted' ? painted(320, 240) : options.source;
    const onEnded = () => {
      page.ended += 1;
    };
    page.camera = await captureCamera(page.encoder, { ...options, source, onEnded });
  },
});
