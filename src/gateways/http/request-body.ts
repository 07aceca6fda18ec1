import type { HttpResponse } from 'uWebSockets.js';
import type { Clock } from '../../router/ports.ts';

/** Who takes a body, chunk by chunk. */
export interface BodyReader {
  /** `chunk` is read during the call only. */
  take(chunk: Buffer): void;
  end(): void;
}

/** Room for what comes while it is looked up who sends it, for all requests together. */
export class HoldingRoom {
  #bytes: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#bytes) return false;
    this.#bytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** A body that is still to come may be read to its end after the answer, when it is no longer than this: the connection can be used again then. */
const READ_AFTERWARDS_BYTES = 32 * 1024 * 1024;

/**
 * The body of a request whose sender must be looked up first. It is taken in hand at once, since the library throws away what nobody listens to; nothing more is
 * read from the connection then until there is a reader, so what is held is what had been read already: half a megabyte at most.
 */
export class RequestBody {
  readonly #res: HttpResponse;
  readonly #clock: Clock;
  readonly #room: HoldingRoom;
  readonly #declaredBytes: number | undefined;
  #reader: BodyReader | undefined;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #hasLost = false;
  #isPaused = false;
  #isWhole = false;
  /** It is answered, or the client is gone: the library may not be asked any more. */
  #isOver = false;
  /** When something last came, ms of the monotonic clock. */
  lastChunkMs: number;

  /** `declaredBytes`: its length as the request says it. */
  constructor(res: HttpResponse, clock: Clock, room: HoldingRoom, declaredBytes: number | undefined) {
    this.#res = res;
    this.#clock = clock;
    this.#room = room;
    this.#declaredBytes = declaredBytes;
    this.lastChunkMs = clock.monotonicMs();
    res.onData((chunk, isLast) => this.#came(chunk, isLast));
  }

  /** What has come goes to `reader` at once, and the rest as it comes. False: there was no room for all that came. */
  read(reader: BodyReader): boolean {
    const held = this.#held;
    this.#letGo();
    if (this.#hasLost) return false;
    this.#reader = reader;
    if (this.#isPaused && !this.#isOver) this.#res.resume();
    this.#isPaused = false;
    for (const chunk of held) this.#reader?.take(chunk);
    if (this.#isWhole) this.#reader?.end();
    return true;
  }

  /** To be called before the request is answered: nobody wants the rest. True: more comes than is worth reading, so the answer must close the connection. */
  leave(): boolean {
    const isLong = !this.#isWhole && (this.#declaredBytes ?? Number.POSITIVE_INFINITY) > READ_AFTERWARDS_BYTES;
    // Left unread, it ends the connection 10 s later: who still sends finds the answer meanwhile. Closed at once, it would be lost on the way to some.
    if (isLong && !this.#isPaused) this.#res.pause();
    if (!isLong && this.#isPaused) this.#res.resume();
    this.markGone();
    return isLong;
  }

  /** The client is gone. */
  markGone(): void {
    this.#isOver = true;
    this.#reader = undefined;
    this.#letGo();
  }

  /** To be called every few seconds while it is welcome at any speed: the library ends a body that brings less than 160 KB in 10 s. */
  keepOpen(): void {
    if (this.#isOver || this.#isWhole) return;
    this.#res.pause();
    this.#res.resume();
  }

  #came(chunk: ArrayBuffer, isLast: boolean): void {
    this.lastChunkMs = this.#clock.monotonicMs();
    this.#isWhole = isLast;
    if (this.#reader !== undefined) {
      if (chunk.byteLength > 0) this.#reader.take(Buffer.from(chunk));
      // Taking it may have been the end of it.
      if (isLast) this.#reader?.end();
      return;
    }
    if (this.#isOver) return;
    if (chunk.byteLength > 0) this.#hold(chunk);
    if (isLast || this.#isPaused) return;
    this.#isPaused = true;
    this.#res.pause();
  }

  #hold(chunk: ArrayBuffer): void {
    if (this.#hasLost || !this.#room.take(chunk.byteLength)) {
      this.#hasLost = true;
      this.#letGo();
      return;
    }
    // The library takes its memory back after the call.
    this.#held.push(Buffer.from(chunk.slice(0)));
    this.#heldBytes += chunk.byteLength;
  }

  #letGo(): void {
    this.#room.giveBack(this.#heldBytes);
    this.#heldBytes = 0;
    this.#held = [];
  }
}
