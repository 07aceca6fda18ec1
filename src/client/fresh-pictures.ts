/**
 * Whether a camera gives pictures. `muted`: the system withholds them, since another app has the camera, a call has come in, or the page is behind others. `still`: none has
 * come for some seconds, and nobody says why.
 */
export type Sight = 'moving' | 'muted' | 'still';

/** In the dark cameras may take a second for a picture. */
const STILL_AFTER_MS = 3_000;

/** Tells the new pictures of a video from its last one, which it goes on showing when its camera gives no more. */
export class FreshPictures {
  readonly #video: HTMLVideoElement;
  readonly #tracks: readonly MediaStreamTrack[];
  /** The one that it shows at first has not been taken yet. */
  #isFresh = true;
  #presentedMs = performance.now();
  #count: number;
  #timeS: number;
  #request: number | undefined;
  #wasCalled = false;

  /** `tracks`: of what the video plays; empty when it plays a file. */
  constructor(video: HTMLVideoElement, tracks: readonly MediaStreamTrack[]) {
    this.#video = video;
    this.#tracks = tracks;
    this.#count = countOf(video);
    this.#timeS = video.currentTime;
    this.#listen();
  }

  /** There is one that was not taken yet. */
  get isFresh(): boolean {
    this.#look();
    return this.#isFresh && !this.#isMuted;
  }

  get sight(): Sight {
    if (this.#isMuted) return 'muted';
    this.#look();
    return performance.now() - this.#presentedMs > STILL_AFTER_MS ? 'still' : 'moving';
  }

  taken(): void {
    this.#isFresh = false;
  }

  stop(): void {
    if (this.#request !== undefined) this.#video.cancelVideoFrameCallback(this.#request);
  }

  get #isMuted(): boolean {
    return this.#tracks.length > 0 && this.#tracks.every(({ muted }) => muted);
  }

  #listen(): void {
    if (!('requestVideoFrameCallback' in this.#video)) return;
    this.#request = this.#video.requestVideoFrameCallback(() => {
      this.#wasCalled = true;
      this.#presented();
      this.#listen();
    });
  }

  /** Behind another tab browsers call nobody back and yet count; some count no pictures of cameras, but call. One that does neither has its clock. */
  #look(): void {
    const count = countOf(this.#video);
    const { currentTime } = this.#video;
    if (count > this.#count) this.#presented();
    else if (count === 0 && !this.#wasCalled && currentTime !== this.#timeS) this.#presented();
    this.#count = count;
    this.#timeS = currentTime;
  }

  #presented(): void {
    this.#isFresh = true;
    this.#presentedMs = performance.now();
  }
}

function countOf(video: HTMLVideoElement): number {
  return 'getVideoPlaybackQuality' in video ? video.getVideoPlaybackQuality().totalVideoFrames : 0;
}
