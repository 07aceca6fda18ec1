import { RawHttp } from './raw-http.ts';

export interface MjpegPart {
  headers: ReadonlyMap<string, string>;
  jpeg: Buffer;
}

/** A player of MJPEG that goes by boundaries, and by `Content-Length` where a part has one; it keeps what it was shown. */
export class MjpegPlayer {
  readonly http: RawHttp;
  readonly parts: MjpegPart[] = [];
  #pending: Buffer = Buffer.alloc(0);
  #taken = 0;

  constructor(port: number, path: string, headers: Record<string, string> = {}) {
    this.http = new RawHttp(port, path, { headers }, (bytes) => this.#came(bytes));
  }

  /** Begins to play; fails when the answer is another one than 200. */
  static async open(port: number, path: string, headers: Record<string, string> = {}): Promise<MjpegPlayer> {
    const player = new MjpegPlayer(port, path, headers);
    await player.http.until('an answer', () => player.http.status !== 0);
    if (player.http.status !== 200) throw new Error(`status ${player.http.status}`);
    return player;
  }

  /** The next picture, after those taken before, that fits. */
  async next(what: string, fits: (jpeg: Buffer) => boolean = () => true, timeoutMs = 20_000): Promise<MjpegPart> {
    for (;;) {
      while (this.#taken < this.parts.length) {
        const part = this.parts[this.#taken] as MjpegPart;
        this.#taken += 1;
        if (fits(part.jpeg)) return part;
      }
      const { length } = this.parts;
      await this.http.until(what, () => this.parts.length > length, timeoutMs);
    }
  }

  /** What has come after the last picture. */
  get rest(): string {
    return this.#pending.toString('latin1');
  }

  close(): void {
    this.http.destroy();
  }

  #came(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    for (;;) {
      const headEnd = this.#pending.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      const [boundary, ...lines] = this.#pending.toString('latin1', 0, headEnd).split('\r\n');
      if (boundary !== '--frame') throw new Error(`not a boundary: ${boundary?.slice(0, 50)}`);
      const headers = new Map(
        lines.map((line) => [(line.split(':')[0] ?? '').toLowerCase(), line.split(/: ?(.*)/s)[1] ?? '']),
      );
      const length = headers.get('content-length');
      const start = headEnd + 4;
      const end = length === undefined ? this.#pending.indexOf('\r\n--frame\r\n', start) : start + Number(length);
      // The line break after it, which belongs to the next boundary.
      if (end === -1 || this.#pending.length < end + 2) return;
      this.parts.push({ headers, jpeg: Buffer.from(this.#pending.subarray(start, end)) });
      this.#pending = this.#pending.subarray(end + 2);
    }
  }
}
