import { Encoder } from '@msgpack/msgpack';
import type { SampledFrame } from './transport.ts';

/** A batch is encoded in one go: 16 frames of the largest size would stop everything else for a second, and take a quarter of a gigabyte. One frame may be larger. */
export const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** The body of one request. */
interface BatchBody {
  bytes: Uint8Array;
  /** Nobody reads `bytes` any more. Without it the memory is left to the garbage collector. */
  release(): void;
}

/** Beside a frame's picture: its keys, its id, its numbers. */
const BESIDE_PICTURE_BYTES = 256;
/** Room above the batch's size, so that batches that vary a little do not need a larger encoder again and again. */
const HEADROOM = 1.25;
/** Encoders with more memory than this are used once: a burst of huge frames must not hold it for good. Room for the largest batch of several frames. */
const MAX_KEPT_BYTES = Math.ceil((MAX_BATCH_BYTES + 64 * 1024) * HEADROOM);

/**
 * Encoders of batches, used again. An encoder's memory is zeroed when it is made, half a megabyte for 16 frames: with a new one for
 * each request a frame cost 52 µs of CPU in batches of 16, with these 18 (`npm run bench:ml`).
 */
export class BatchEncoders {
  readonly #maxFree: number;
  readonly #free: KeptEncoder[] = [];

  constructor(maxFree: number) {
    this.#maxFree = maxFree;
  }

  encode(frames: readonly SampledFrame[]): BatchBody {
    const bytes = frames.reduce((sum, frame) => sum + frame.data.length + BESIDE_PICTURE_BYTES, 64);
    const used = this.#free.pop();
    const kept = used !== undefined && used.capacityBytes >= bytes ? used : newEncoder(bytes);
    return {
      bytes: kept.encoder.encodeSharedRef({ frames }),
      release: () => {
        if (kept.capacityBytes <= MAX_KEPT_BYTES && this.#free.length < this.#maxFree) this.#free.push(kept);
      },
    };
  }
}

interface KeptEncoder {
  encoder: Encoder;
  capacityBytes: number;
}

/** Sized beforehand: a growing encoder would copy the pictures again and again. */
function newEncoder(bytes: number): KeptEncoder {
  const capacityBytes = Math.ceil(bytes * HEADROOM);
  return { encoder: new Encoder({ initialBufferSize: capacityBytes }), capacityBytes };
}
