/** Takes the parts of a body as they arrive, piece by piece. */
export interface PartSink {
  /** `headers`: by their names in lower case. */
  begin(headers: ReadonlyMap<string, string>): void;
  /** `bytes` are read during the call only. */
  add(bytes: Buffer): void;
  /** `isWhole` false: the body ended before the length that the part named. */
  end(isWhole: boolean): void;
}

/** The body is not what it says it is. Its message is written for the client's author. */
export class MultipartError extends Error {
  override readonly name = 'MultipartError';
}

const MAX_HEADER_BYTES = 16 * 1024;
/** What may stand before the first boundary. */
const MAX_PREAMBLE_BYTES = 64 * 1024;
/** RFC 2046 allows 70. */
const MAX_BOUNDARY_LENGTH = 200;
const CRLF = Buffer.from('\r\n');
const HEADERS_END = Buffer.from('\r\n\r\n');

/**
 * Where the next byte belongs. `first`: the line that shows what the boundary is. `preamble`: before the first boundary. `headers`: after a boundary. `part`: in a
 * part. `between`: after a part that said its length. `epilogue`: after the last boundary.
 */
type Place = 'first' | 'preamble' | 'headers' | 'part' | 'between' | 'epilogue';

/**
 * Takes a multipart body apart, however it is cut into chunks. A part that names its length in `Content-Length` ends with its last byte; otherwise it ends
 * where the next boundary shows, which many cameras write only with their next picture.
 */
export class MultipartReader {
  readonly #sink: PartSink;
  #place: Place;
  /** A line break, two dashes, and the boundary. */
  #delimiter: Buffer = CRLF;
  /** What may be the beginning of a delimiter, or of headers: it was not handed on. */
  #held: Buffer;
  #preambleBytes = 0;
  /** Of the part that named its length; bytes. */
  #left: number | undefined;

  /** `boundary`: as the content type names it; undefined: the body shows it. */
  constructor(boundary: string | undefined, sink: PartSink) {
    this.#sink = sink;
    // Some cameras name it with the two dashes that belong before it, so only the body can tell.
    if (boundary === undefined || boundary.startsWith('--')) {
      this.#place = 'first';
      this.#held = Buffer.alloc(0);
    } else {
      this.#place = 'preamble';
      this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
      // The first boundary may be the first thing there is.
      this.#held = CRLF;
    }
  }

  /** @throws MultipartError */
  feed(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#place === 'epilogue') return;
      if (this.#place === 'first') rest = this.#readFirstLine(rest);
      else if (this.#place === 'headers') rest = this.#readHeaders(rest);
      else rest = this.#readToDelimiter(rest);
    }
  }

  /**
   * The body is over.
   * @throws MultipartError when there was no boundary in it.
   */
  finish(): void {
    if (this.#place === 'first' || this.#place === 'preamble') throw new MultipartError('body: no boundary in it');
    if (this.#place !== 'part') return;
    this.#add(this.#held);
    if (this.#place === 'part') this.#endPart(this.#left === undefined);
  }

  #readFirstLine(chunk: Buffer): Buffer {
    const bytes = Buffer.concat([this.#held, chunk]);
    const from = bytes.indexOf(CRLF) === 0 ? CRLF.length : 0;
    const end = bytes.indexOf(CRLF, from);
    if (end === -1) {
      if (bytes.length > MAX_BOUNDARY_LENGTH) throw new MultipartError('body: must begin with a boundary');
      this.#held = bytes;
      return Buffer.alloc(0);
    }
    const line = bytes.subarray(from, end).toString('latin1').trimEnd();
    if (!/^--[ -~]+$/.test(line) || line.length > MAX_BOUNDARY_LENGTH) {
      throw new MultipartError('body: must begin with a boundary');
    }
    this.#delimiter = Buffer.from(`\r\n${line}`, 'latin1');
    this.#held = CRLF;
    this.#place = 'preamble';
    return bytes.subarray(from);
  }

  #readHeaders(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    if (bytes.length >= 2 && bytes[0] === 0x2d && bytes[1] === 0x2d) {
      this.#place = 'epilogue';
      return Buffer.alloc(0);
    }
    const end = bytes.indexOf(HEADERS_END);
    if (end > MAX_HEADER_BYTES || (end === -1 && bytes.length > MAX_HEADER_BYTES)) {
      throw new MultipartError(`part: its headers may have ${MAX_HEADER_BYTES} bytes`);
    }
    if (end === -1) {
      this.#held = Buffer.from(bytes);
      return Buffer.alloc(0);
    }
    const headers = readHeaderLines(bytes.toString('latin1', 0, end));
    this.#left = lengthIn(headers);
    this.#held = Buffer.alloc(0);
    this.#place = 'part';
    this.#sink.begin(headers);
    if (this.#left === 0) this.#endPart(true);
    return bytes.subarray(end + HEADERS_END.length);
  }

  /** What stands before the next delimiter; answers what stands behind it. */
  #readToDelimiter(chunk: Buffer): Buffer {
    const held = this.#held;
    if (held.length > 0) return this.#readOverSeam(held, chunk);
    const found = chunk.indexOf(this.#delimiter);
    if (found !== -1) {
      this.#add(chunk.subarray(0, found));
      this.#delimiterFound();
      return chunk.subarray(found + this.#delimiter.length);
    }
    const kept = this.#beginningAtEndOf(chunk);
    this.#add(chunk.subarray(0, chunk.length - kept));
    this.#held = kept === 0 ? held : Buffer.from(chunk.subarray(chunk.length - kept));
    return Buffer.alloc(0);
  }

  /** A delimiter may have begun in the chunk before. Only so much of both is put together as decides that. */
  #readOverSeam(held: Buffer, chunk: Buffer): Buffer {
    const seam = Buffer.concat([held, chunk.subarray(0, this.#delimiter.length - 1)]);
    const found = seam.indexOf(this.#delimiter);
    if (found !== -1) {
      this.#held = Buffer.alloc(0);
      this.#add(seam.subarray(0, found));
      this.#delimiterFound();
      return chunk.subarray(found + this.#delimiter.length - held.length);
    }
    if (chunk.length >= this.#delimiter.length - 1) {
      this.#held = Buffer.alloc(0);
      this.#add(held);
      return chunk;
    }
    const kept = this.#beginningAtEndOf(seam);
    this.#add(seam.subarray(0, seam.length - kept));
    this.#held = Buffer.from(seam.subarray(seam.length - kept));
    return Buffer.alloc(0);
  }

  /** How many bytes at the end of `bytes` may be the beginning of a delimiter. */
  #beginningAtEndOf(bytes: Buffer): number {
    const delimiter = this.#delimiter;
    for (let length = Math.min(delimiter.length - 1, bytes.length); length > 0; length -= 1) {
      if (bytes.compare(delimiter, 0, length, bytes.length - length) === 0) return length;
    }
    return 0;
  }

  #add(bytes: Buffer): void {
    if (this.#place === 'preamble') {
      this.#preambleBytes += bytes.length;
      if (this.#preambleBytes > MAX_PREAMBLE_BYTES) throw new MultipartError('body: no boundary in it');
    }
    if (this.#place !== 'part' || bytes.length === 0) return;
    if (this.#left === undefined) {
      this.#sink.add(bytes);
      return;
    }
    const own = bytes.subarray(0, this.#left);
    this.#left -= own.length;
    this.#sink.add(own);
    if (this.#left === 0) this.#endPart(true);
  }

  /** The boundary counts more than a length that is too large. */
  #delimiterFound(): void {
    if (this.#place === 'part') this.#endPart(true);
    this.#place = 'headers';
  }

  #endPart(isWhole: boolean): void {
    this.#place = 'between';
    this.#left = undefined;
    this.#sink.end(isWhole);
  }
}

function readHeaderLines(text: string): Map<string, string> {
  // The first line is what is left of the boundary's own.
  const [boundaryRest = '', ...lines] = text.split('\r\n');
  if (boundaryRest.trim() !== '') throw new MultipartError('body: something stands behind a boundary');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [name = '', value = ''] = line.split(/:(.*)/s);
    headers.set(name.trim().toLowerCase(), value.trim());
  }
  return headers;
}

/** Undefined where the part does not say it in a way that counts. */
function lengthIn(headers: ReadonlyMap<string, string>): number | undefined {
  const text = headers.get('content-length') ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
