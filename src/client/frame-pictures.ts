import type { Frame } from './frame.ts';

/** How a frame is shown. `rendered` settles when the page shows it, or never will. */
type Shown = { kind: 'drawn' } | { kind: 'url'; url: string; rendered: Promise<void> } | { kind: 'nothing' };

/** The pictures of one component: drawn on its canvas if it has one, else as object URLs, of which none is left behind. */
export class FramePictures {
  #canvas: HTMLCanvasElement | null = null;
  /** Every URL that was made and not revoked, in the order of their frames. */
  readonly #urls = new Set<string>();
  readonly #whenRendered = new Map<string, () => void>();
  #round = 0;
  /** Settles when all that was to be shown so far is decoded. */
  #decoded: Promise<unknown> = Promise.resolve();

  /** A ref callback. */
  readonly takeCanvas = (canvas: HTMLCanvasElement | null): void => {
    this.#canvas = canvas;
  };

  /**
   * Decodes it first, so that nothing flickers, and one after the other: a small picture is decoded sooner than a large one that came before it, and would be replaced
   * by that. A frame that is no picture is not shown.
   */
  show(frame: Frame): Promise<Shown> {
    const round = this.#round;
    const shown = this.#decoded.then(() => this.#show(frame, round));
    this.#decoded = shown;
    return shown;
  }

  /** The page shows this one now; those before it are not needed any more. */
  rendered(url: string): void {
    // One that was revoked says nothing about the others.
    if (!this.#urls.has(url)) return;
    for (const older of this.#urls) {
      if (older === url) break;
      this.#revoke(older);
    }
    this.#settle(url);
  }

  /** The page shows none any more. */
  clear(): void {
    this.#round += 1;
    for (const url of this.#urls) this.#revoke(url);
  }

  async #show(frame: Frame, round: number): Promise<Shown> {
    if (round !== this.#round) return { kind: 'nothing' };
    try {
      return await (this.#canvas === null ? this.#load(frame, round) : this.#draw(frame, round));
    } catch {
      return { kind: 'nothing' };
    }
  }

  async #load(frame: Frame, round: number): Promise<Shown> {
    const url = URL.createObjectURL(frame.blob());
    this.#urls.add(url);
    try {
      const image = new Image();
      image.src = url;
      await image.decode();
    } catch (error) {
      this.#revoke(url);
      throw error;
    }
    if (round !== this.#round) return { kind: 'nothing' };
    const rendered = new Promise<void>((resolve) => this.#whenRendered.set(url, resolve));
    return { kind: 'url', url, rendered };
  }

  async #draw(frame: Frame, round: number): Promise<Shown> {
    const bitmap = await frame.bitmap();
    const canvas = this.#canvas;
    if (canvas !== null && round === this.#round) {
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
      }
      canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
      for (const url of this.#urls) this.#revoke(url);
    }
    bitmap.close();
    return { kind: 'drawn' };
  }

  #revoke(url: string): void {
    URL.revokeObjectURL(url);
    this.#urls.delete(url);
    this.#settle(url);
  }

  #settle(url: string): void {
    this.#whenRendered.get(url)?.();
    this.#whenRendered.delete(url);
  }
}
