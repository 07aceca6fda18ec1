import { CameraPace, type Pace } from './camera-pace.ts';
import type { Encoder } from './encoder.ts';
import { FreshPictures, type Sight } from './fresh-pictures.ts';

export interface CameraOptions {
  /** What is filmed: a stream, an element that plays one, or what to ask of the device's camera. Default: its camera, whichever that is. */
  source?: MediaStream | HTMLVideoElement | MediaTrackConstraints | undefined;
  /** Most frames a second; default 15. */
  fps?: number | undefined;
  /** Of the JPEG, 0 to 1; default 0.7. Both are lowered while the network is slow. */
  quality?: number | undefined;
  /** Wider pictures are made smaller; default 1280 pixels. */
  maxWidth?: number | undefined;
  /** The camera was taken away: the device has gone, or its user has said no. */
  onEnded?: (() => void) | undefined;
}

/** A camera that films. */
export interface Camera {
  /** To show what it films: `video.srcObject = camera.stream`. Null when it films an element that plays something else. */
  readonly stream: MediaStream | null;
  /** As it films now: what was asked for, what the network carries, or what the router wants, whichever is least. */
  readonly pace: Readonly<Pace>;
  /** Whether there is anything to film. While there is not, nothing is sent, and the stream becomes `online`. */
  readonly sight: Sight;
  /** Ends it, and switches the camera off if it was switched on here. The encoder stays. */
  stop(): void;
}

const LOOK_EVERY_MS = 1_000;
/** How long to wait when there is nothing to film, ms. */
const IDLE_MS = 100;
/** A picture that is due comes at any moment: it is looked for after this part of the time between two. */
const SOON = 0.25;

/**
 * Films with the device's camera, or what else the page has, and sends it, as fast as the router wants it and the network carries it. While there is no
 * connection it films nothing, and no picture is sent twice: a camera that has frozen looks frozen to viewers, too. Browsers only.
 * @throws DOMException as `getUserMedia` does: `NotAllowedError`, `NotFoundError` …
 */
export async function captureCamera(encoder: Encoder, options: CameraOptions = {}): Promise<Camera> {
  const { source } = options;
  if (source instanceof HTMLVideoElement) {
    const stream = source.srcObject instanceof MediaStream ? source.srcObject : null;
    return film(encoder, source, stream, options, () => undefined);
  }
  const isOwn = !(source instanceof MediaStream);
  const stream = isOwn ? await navigator.mediaDevices.getUserMedia({ video: source ?? true }) : source;
  const video = document.createElement('video');
  const stopPlaying = keepPlaying(video, stream.getVideoTracks());
  const release = () => {
    stopPlaying();
    video.srcObject = null;
    if (isOwn) for (const track of stream.getTracks()) track.stop();
  };
  try {
    // Without both of them phones do not play a video that nobody touched.
    video.muted = true;
    video.playsInline = true;
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    release();
    throw error;
  }
  return film(encoder, video, stream, options, release);
}

/** Phones pause the videos of pages that are put behind others, and of cameras that are taken away for a while. Answers what ends it. */
function keepPlaying(video: HTMLVideoElement, tracks: readonly MediaStreamTrack[]): () => void {
  const playOn = () => {
    if (document.visibilityState === 'visible' && video.paused) video.play().catch(() => undefined);
  };
  document.addEventListener('visibilitychange', playOn);
  for (const track of tracks) track.addEventListener('unmute', playOn);
  return () => {
    document.removeEventListener('visibilitychange', playOn);
    for (const track of tracks) track.removeEventListener('unmute', playOn);
  };
}

function film(
  encoder: Encoder,
  video: HTMLVideoElement,
  stream: MediaStream | null,
  { fps = 15, quality = 0.7, maxWidth = 1280, onEnded }: CameraOptions,
  release: () => void,
): Camera {
  const pace = new CameraPace({ fps, quality });
  const tracks = stream?.getVideoTracks() ?? [];
  const fresh = new FreshPictures(video, tracks);
  const pictures = new PictureMaker(video, maxWidth);
  const current = () => ({ fps: Math.min(pace.fps, encoder.maxFps), quality: pace.quality });
  let captured = 0;
  let isTooLarge = false;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout>;

  const round = async () => {
    const beganMs = performance.now();
    const isWanted = encoder.state.name === 'open';
    const isFilming = isWanted && video.readyState >= video.HAVE_CURRENT_DATA && fresh.isFresh;
    if (isFilming) {
      const timestamp = Date.now();
      fresh.taken();
      const picture = await pictures.take(pace.quality).catch(() => null);
      if (isOver) return;
      if (picture !== null) {
        captured += 1;
        encoder.send(picture, { timestamp });
      }
    }
    const frameMs = 1000 / current().fps;
    const pauseMs = isFilming ? frameMs : isWanted ? Math.min(IDLE_MS, frameMs * SOON) : IDLE_MS;
    timer = setTimeout(round, Math.max(0, pauseMs - (performance.now() - beganMs)));
  };

  let replacedBefore = encoder.stats.replaced;
  const looking = setInterval(() => {
    const { replaced } = encoder.stats;
    pace.look({ captured, replaced: replaced - replacedBefore, isTooLarge });
    captured = 0;
    replacedBefore = replaced;
    isTooLarge = false;
  }, LOOK_EVERY_MS);

  const stopListening = encoder.on('throttle', ({ reason, maxFps }) => {
    // Fewer frames would not help who sends fewer than the limit already.
    if (reason === 'rate-limit' && current().fps <= maxFps) isTooLarge = true;
  });
  const ended = () => {
    stop();
    onEnded?.();
  };
  for (const track of tracks) track.addEventListener('ended', ended);

  function stop(): void {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    clearInterval(looking);
    stopListening();
    fresh.stop();
    for (const track of tracks) track.removeEventListener('ended', ended);
    release();
  }

  void round();
  return {
    stream,
    get pace() {
      return current();
    },
    get sight() {
      return fresh.sight;
    },
    stop,
  };
}

/** Makes JPEGs of what a video shows. */
class PictureMaker {
  readonly #video: HTMLVideoElement;
  readonly #maxWidth: number;
  /** Off the screen where the browser can: it encodes on another thread there. */
  readonly #canvas: OffscreenCanvas | HTMLCanvasElement;

  constructor(video: HTMLVideoElement, maxWidth: number) {
    this.#video = video;
    this.#maxWidth = maxWidth;
    this.#canvas =
      typeof OffscreenCanvas === 'undefined' ? document.createElement('canvas') : new OffscreenCanvas(1, 1);
  }

  /** Null when there is nothing to see. */
  take(quality: number): Promise<Blob | null> {
    const { videoWidth, videoHeight } = this.#video;
    const scale = Math.min(1, this.#maxWidth / videoWidth);
    const width = Math.round(videoWidth * scale);
    const height = Math.round(videoHeight * scale);
    if (!(width > 0 && height > 0)) return Promise.resolve(null);
    const canvas = this.#canvas;
    // Only when a phone was turned: to set it clears the canvas.
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null;
    context?.drawImage(this.#video, 0, 0, width, height);
    const type = 'image/jpeg';
    if ('convertToBlob' in canvas) return canvas.convertToBlob({ type, quality });
    return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
  }
}
