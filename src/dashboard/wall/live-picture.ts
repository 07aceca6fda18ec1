import { type Signal, signal } from '@preact/signals';
import type { Frame } from '../../client/index.ts';
import { type Decoded, decode } from './decode.ts';
import { DrawLog } from './draw-log.ts';
import type { PictureSize } from './jpeg-size.ts';

/** The newest picture of a stream, on a canvas. Per frame nothing but the canvas is touched. */
export class LivePicture {
  readonly log = new DrawLog();
  /** In pixels, as the camera sends it; undefined before the first. */
  readonly size: Signal<PictureSize | undefined> = signal(undefined);
  #canvas: HTMLCanvasElement | null = null;
  #context: CanvasRenderingContext2D | null = null;
  #forget: (() => void) | undefined;
  /** Where it is shown, in pixels of the screen; as large as it is, before that is known. */
  #shown: PictureSize = { width: Number.POSITIVE_INFINITY, height: Number.POSITIVE_INFINITY };
  readonly #resizes = new ResizeObserver(([entry]) => {
    const [box] = entry?.contentBoxSize ?? [];
    if (box === undefined) return;
    this.#shown = { width: box.inlineSize * devicePixelRatio, height: box.blockSize * devicePixelRatio };
  });

  /** A ref callback. */
  readonly takeCanvas = (canvas: HTMLCanvasElement | null): void => {
    this.#resizes.disconnect();
    if (canvas !== null) this.#resizes.observe(canvas);
    this.#canvas = canvas;
    this.#context = canvas?.getContext('2d', { alpha: false }) ?? null;
  };

  /** Settles when it is drawn, or never will be: only then the next one is wanted. */
  readonly show = async (frame: Frame): Promise<void> => {
    let decoded: Decoded;
    try {
      decoded = await decode(frame, this.#shown);
    } catch {
      // A frame that is no picture: the next one may be.
      return;
    }
    await this.#nextPaint(() => this.#draw(decoded, frame));
    decoded.image.close();
  };

  /** What was not drawn yet is not drawn any more: a page that is hidden would keep it for ever. */
  stop(): void {
    this.#forget?.();
  }

  #nextPaint(draw: () => void): Promise<void> {
    this.#forget?.();
    return new Promise((resolve) => {
      const settle = () => {
        this.#forget = undefined;
        resolve();
      };
      const request = requestAnimationFrame(() => {
        draw();
        settle();
      });
      this.#forget = () => {
        cancelAnimationFrame(request);
        settle();
      };
    });
  }

  #draw({ image, width, height, size }: Decoded, { timestamp, receivedAtMs }: Frame): void {
    const canvas = this.#canvas;
    if (canvas === null || this.#context === null) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const { value: known } = this.size;
    if (known?.width !== size.width || known.height !== size.height) this.size.value = size;
    this.#context.drawImage(image, 0, 0);
    const nowMs = Date.now();
    this.log.note(nowMs - timestamp, nowMs, receivedAtMs);
  }
}
