/** Takes pictures as they arrive, piece by piece. */
export interface PictureSink {
  /** `bytes` are read during the call only. */
  add(bytes: Buffer): void;
  /** The picture that was added is complete. */
  end(): void;
  /** It never will be: forget what was added. */
  abandon(): void;
}

const MARKER = 0xff;
const START_OF_IMAGE = 0xd8;
const END_OF_IMAGE = 0xd9;
const START_OF_SCAN = 0xda;
const FIRST_RESTART = 0xd0;
const LAST_RESTART = 0xd7;
/** For private use in arithmetic coding: stands alone, as restarts do. */
const TEMPORARY = 0x01;
const SOI = Buffer.from([MARKER, START_OF_IMAGE]);

/**
 * Where the next byte belongs. `outside`: between pictures. `marker`: a marker is expected. `code`: after its FF. `length`, `length2`: the two bytes of a segment's
 * length. `segment`: inside one. `scan`: picture data. `scanCode`: after an FF in there.
 */
type Place = 'outside' | 'start' | 'marker' | 'code' | 'length' | 'length2' | 'segment' | 'scan' | 'scanCode';

/**
 * Takes a series of JPEGs apart that follow each other without anything that says how long they are. It goes by their segments, since a picture may have
 * another one inside it (a thumbnail, in a segment that says its length); what lies between pictures is left out.
 */
export class JpegSplitter {
  readonly #sink: PictureSink;
  #place: Place = 'outside';
  #isScan = false;
  /** Bytes of the segment that are still to come. */
  #left = 0;
  /** Bytes outside of any picture. */
  strayBytes = 0;

  constructor(sink: PictureSink) {
    this.#sink = sink;
  }

  /** Something is there of a picture whose end has not come. */
  get isInside(): boolean {
    return this.#place !== 'outside' && this.#place !== 'start';
  }

  feed(chunk: Buffer): void {
    let at = 0;
    /** From where on the chunk belongs to the picture, and was not added to it. */
    let from = 0;
    while (at < chunk.length) {
      switch (this.#place) {
        case 'outside': {
          at = this.#skipOutside(chunk, at);
          break;
        }
        case 'start': {
          if (chunk[at] === START_OF_IMAGE) {
            this.#sink.add(SOI);
            this.#place = 'marker';
            at += 1;
            from = at;
          } else {
            this.strayBytes += 1;
            this.#place = 'outside';
          }
          break;
        }
        case 'segment': {
          const taken = Math.min(this.#left, chunk.length - at);
          at += taken;
          this.#left -= taken;
          if (this.#left === 0) this.#place = this.#isScan ? 'scan' : 'marker';
          break;
        }
        case 'scan': {
          const found = chunk.indexOf(MARKER, at);
          at = found === -1 ? chunk.length : found + 1;
          if (found !== -1) this.#place = 'scanCode';
          break;
        }
        default: {
          const byte = chunk[at] as number;
          at += 1;
          const what = this.#step(byte);
          if (what === 'on') break;
          if (what === 'end') {
            this.#sink.add(chunk.subarray(from, at));
            this.#sink.end();
          } else {
            this.#sink.abandon();
            // A new picture begins here: the old one was cut off.
            if (what === 'restart') this.#sink.add(SOI);
          }
          from = at;
        }
      }
    }
    if (this.isInside && from < chunk.length) this.#sink.add(chunk.subarray(from));
  }

  #skipOutside(chunk: Buffer, at: number): number {
    const found = chunk.indexOf(MARKER, at);
    this.strayBytes += (found === -1 ? chunk.length : found) - at;
    if (found === -1) return chunk.length;
    this.#place = 'start';
    return found + 1;
  }

  /** One byte where each of them counts. */
  #step(byte: number): 'on' | 'end' | 'broken' | 'restart' {
    switch (this.#place) {
      case 'marker':
        if (byte !== MARKER) return this.#leave('broken');
        this.#place = 'code';
        return 'on';
      case 'code':
        return this.#code(byte);
      case 'scanCode':
        if (byte === 0 || isRestart(byte)) this.#place = 'scan';
        else return this.#code(byte);
        return 'on';
      case 'length':
        this.#left = byte << 8;
        this.#place = 'length2';
        return 'on';
      default:
        // The length counts its own two bytes.
        this.#left += byte - 2;
        if (this.#left < 0) return this.#leave('broken');
        this.#place = this.#left > 0 ? 'segment' : this.#isScan ? 'scan' : 'marker';
        return 'on';
    }
  }

  #code(byte: number): 'on' | 'end' | 'broken' | 'restart' {
    // Any number of FF may stand before a marker.
    if (byte === MARKER) return 'on';
    if (byte === END_OF_IMAGE) return this.#leave('end');
    if (byte === START_OF_IMAGE) {
      this.#place = 'marker';
      return 'restart';
    }
    if (byte === 0) return this.#leave('broken');
    if (byte === TEMPORARY || isRestart(byte)) {
      this.#place = 'marker';
      return 'on';
    }
    this.#isScan = byte === START_OF_SCAN;
    this.#place = 'length';
    return 'on';
  }

  #leave<What extends 'end' | 'broken'>(what: What): What {
    this.#place = 'outside';
    return what;
  }
}

function isRestart(byte: number): boolean {
  return byte >= FIRST_RESTART && byte <= LAST_RESTART;
}
