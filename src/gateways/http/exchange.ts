import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { ClientAddress } from '../client-address.ts';
import { type RequestHead, readRequestHead } from '../credentials.ts';
import { type Headers, reply, replyError, replyJson } from './reply.ts';

/** One request and its answer, which may come later: the library's request object is gone by then, so what counts is copied. */
export class Exchange {
  readonly request: RequestHead;
  /** The client's address, as its connections are counted. */
  readonly address: string;
  /** The variable parts of the path, in order, percent-decoded. */
  readonly parameters: readonly string[];
  readonly #res: HttpResponse;
  readonly #headers: Headers;
  #isOver = false;

  /** `headers`: go out with whatever is answered. */
  constructor(res: HttpResponse, req: HttpRequest, addressOf: ClientAddress, parameters: number, headers: Headers) {
    this.#res = res;
    this.#headers = headers;
    this.request = readRequestHead(req);
    const remote = Buffer.from(res.getRemoteAddressAsText()).toString('latin1');
    this.address = addressOf(remote, this.request.forwardedFor);
    this.parameters = Array.from({ length: parameters }, (_, index) => decoded(req.getParameter(index) ?? ''));
    res.onAborted(() => {
      this.#isOver = true;
    });
  }

  json(status: number, body: unknown, headers: Headers = {}): void {
    this.#answer(() => replyJson(this.#res, status, body, { ...this.#headers, ...headers }));
  }

  error(status: number, code: string, message: string, headers: Headers = {}): void {
    this.#answer(() => replyError(this.#res, status, code, message, { ...this.#headers, ...headers }));
  }

  bytes(status: number, body: Uint8Array, headers: Headers): void {
    this.#answer(() => reply(this.#res, status, body, { ...this.#headers, ...headers }));
  }

  /** The request's body. Undefined when it is larger than `maxBytes`, which is answered. */
  body(maxBytes: number): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let length = 0;
      this.#res.onData((chunk, isLast) => {
        length += chunk.byteLength;
        if (length > maxBytes) {
          this.error(413, 'PAYLOAD_TOO_LARGE', `The body may have ${maxBytes} bytes`);
          resolve(undefined);
          return;
        }
        // The library takes its memory back after the call.
        chunks.push(Buffer.from(chunk.slice(0)));
        if (isLast) resolve(Buffer.concat(chunks));
      });
    });
  }

  #answer(send: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    send();
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
