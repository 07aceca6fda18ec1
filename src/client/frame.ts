/** One picture of a stream, as a viewer gets it. */
export class Frame {
  readonly streamId: string;
  /** When the encoder captured it, ms since the epoch, by the encoder's clock. */
  readonly timestamp: number;
  /** When it arrived here, ms since the epoch. */
  readonly receivedAtMs: number;
  /** The JPEG, bit for bit as it was sent. */
  readonly data: Uint8Array<ArrayBuffer>;

  constructor(streamId: string, timestamp: number, receivedAtMs: number, data: Uint8Array<ArrayBuffer>) {
    this.streamId = streamId;
    this.timestamp = timestamp;
    this.receivedAtMs = receivedAtMs;
    this.data = data;
  }

  /** For `URL.createObjectURL`. */
  blob(): Blob {
    return new Blob([this.data], { type: 'image/jpeg' });
  }

  /** Decoded, to draw on a canvas: `close()` it afterwards. Browsers only. Rejects when the bytes are no picture. */
  bitmap(): Promise<ImageBitmap> {
    return createImageBitmap(this.blob());
  }
}
