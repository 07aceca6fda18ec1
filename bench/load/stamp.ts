/**
 * When a frame was due and when it was sent, inside its own JPEG: a comment segment right after the start of the picture. Every
 * router that leaves pictures alone carries it, in either encoding.
 */
export interface Stamp {
  /** Number of the frame in its stream, from 1. */
  seq: number;
  /** When the schedule wanted it sent; `monotonicMicros`. */
  dueMicros: number;
  sentMicros: number;
}

/** Start of picture, comment segment of 2 + 24 bytes, six letters that no camera writes there. */
const MARK = Buffer.from([0xff, 0xd8, 0xff, 0xfe, 0x00, 0x1a, ...Buffer.from('WOLOAD')]);
const MARK_BASE64 = Buffer.from(MARK.toString('base64'));

/** Bytes of the stamped beginning of a picture, in place of its two bytes `FF D8`. Divisible by 3: its base64 ends where it ends. */
export const STAMP_BYTES = 30;
/** Characters of the same in base64. */
export const STAMP_BASE64_CHARACTERS = (STAMP_BYTES / 3) * 4;

const scratch = Buffer.alloc(STAMP_BYTES);
scratch.set(MARK);

/** Writes a stamp at `offset`, as bytes or as base64 text. */
export function writeStamp(stamp: Stamp, into: Buffer, offset: number, base64: boolean): void {
  scratch.writeUInt32BE(stamp.seq, 12);
  scratch.writeDoubleBE(stamp.dueMicros, 16);
  // The difference fits 32 bits for over an hour.
  scratch.writeUInt32BE(Math.max(0, Math.round(stamp.sentMicros - stamp.dueMicros)), 24);
  if (base64) into.write(scratch.toString('base64'), offset, 'latin1');
  else into.set(scratch, offset);
}

/**
 * Finds stamps in the beginnings of messages. One per viewer: messages of one stream look alike, so it looks first where the last one was.
 */
export class StampReader implements Stamp {
  seq = 0;
  dueMicros = 0;
  sentMicros = 0;
  #offset = 0;
  #mark = MARK;

  /** Reads the stamp from the beginning of a message. False when there is none, so it is no frame of the load. */
  read(head: Buffer): boolean {
    if (!this.#isAt(head, this.#offset) && !this.#find(head)) return false;
    const from = this.#offset;
    let bytes = head;
    let at = from;
    if (this.#mark === MARK_BASE64) {
      scratch.write(head.toString('latin1', from, from + STAMP_BASE64_CHARACTERS), 'base64');
      bytes = scratch;
      at = 0;
    }
    this.seq = bytes.readUInt32BE(at + 12);
    this.dueMicros = bytes.readDoubleBE(at + 16);
    this.sentMicros = this.dueMicros + bytes.readUInt32BE(at + 24);
    return true;
  }

  #isAt(head: Buffer, offset: number): boolean {
    const end = offset + this.#mark.length;
    const length = this.#mark === MARK_BASE64 ? STAMP_BASE64_CHARACTERS : STAMP_BYTES;
    return offset + length <= head.length && head.compare(this.#mark, 0, this.#mark.length, offset, end) === 0;
  }

  #find(head: Buffer): boolean {
    for (const mark of [MARK, MARK_BASE64]) {
      this.#mark = mark;
      this.#offset = head.indexOf(mark);
      if (this.#offset >= 0 && this.#isAt(head, this.#offset)) return true;
    }
    this.#offset = 0;
    return false;
  }
}
