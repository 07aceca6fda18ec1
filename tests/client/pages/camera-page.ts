// A page that films, either with the device's camera or with a canvas that it paints.
import { type Camera, type CameraOptions, captureCamera, Encoder } from '../../../src/client/index.ts';

/** Noise, of which no JPEG is small. */
function painted(width: number, height: number): MediaStream {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d');
  const painting = setInterval(() => {
    const noise = new ImageData(width, height);
    for (let index = 0; index < noise.data.length; index += 1) noise.data[index] = Math.random() * 256;
    context?.putImageData(noise, 0, 0);
  }, 50);
  page.freeze = () => clearInterval(painting);
  return canvas.captureStream();
}

const page: {
  encoder?: Encoder;
  camera?: Camera;
  ended: number;
  attempts: number;
  /** The painting stays as it is from now on. */
  freeze?: () => void;
} = { ended: 0, attempts: 0 };

/** The video that the SDK plays the camera in; it is nowhere on the page. */
let playing: HTMLMediaElement | undefined;
const { play } = HTMLMediaElement.prototype;
HTMLMediaElement.prototype.play = function playAndRemember(this: HTMLMediaElement) {
  playing = this;
  return play.call(this);
};

Object.assign(globalThis, {
  page,
  /** As phones do it with pages behind others. */
  pauseVideo: () => playing?.pause(),
  /** As the system does it while another app has the camera. */
  mute: (isMuted: boolean) => {
    const [track] = page.camera?.stream?.getVideoTracks() ?? [];
    if (track === undefined) throw new Error('film first');
    Object.defineProperty(track, 'muted', { configurable: true, value: isMuted });
    track.dispatchEvent(new Event(isMuted ? 'mute' : 'unmute'));
  },
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
