import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Clock } from '../../router/ports.ts';
import type { ClientAddress } from '../client-address.ts';
import { type RequestHead, readRequestHead } from '../credentials.ts';
import { OpenResponse, type OpenResponseParts } from './open-response.ts';
import { type Headers, JSON_TYPE, reply, replyHead, startReply } from './reply.ts';
import { type HoldingRoom, RequestBody } from './request-body.ts';

/** Headers that some paths ask for, beside those that say who asks. */
const KEPT_HEADERS = [
  'accept',
  'accept-encoding',
  'content-length',
  'content-type',
  'if-modified-since',
  'if-none-match',
  'x-timestamp',
] as const;
type KeptHeader = (typeof KEPT_HEADERS)[number];

/** One request and its answer, which may come later: the library's request object is gone by then, so what counts is copied. */
export class Exchange {
  readonly request: RequestHead;
  /** Without the query, as it stands in the URL. */
  readonly path: string;
  /** The client's address, as its connections are counted. */
  readonly address: string;
  /** The variable parts of the path, in order, percent-decoded. */
  readonly parameters: readonly string[];
  /** `HEAD`: answered as `GET` is, but for the body. */
  readonly isHead: boolean;
  readonly #res: HttpResponse;
  readonly #headers: Headers;
  readonly #kept: Partial<Record<KeptHeader, string>> = {};
  #isOver = false;
  #body: RequestBody | undefined;
  #whenGone: (() => void) | undefined;

  /** `headers`: go out with whatever is answered. */
  constructor(res: HttpResponse, req: HttpRequest, addressOf: ClientAddress, parameters: number, headers: Headers) {
    this.#res = res;
    this.#headers = headers;
    for (const name of KEPT_HEADERS) this.#kept[name] = req.getHeader(name);
    this.isHead = req.getMethod() === 'head';
    this.request = readRequestHead(req);
    this.path = req.getUrl();
    const remote = Buffer.from(res.getRemoteAddressAsText()).toString('latin1');
    this.address = addressOf(remote, this.request.forwardedFor);
    this.parameters = Array.from({ length: parameters }, (_, index) => decoded(req.getParameter(index) ?? ''));
    res.onAborted(() => {
      this.#isOver = true;
      this.#body?.markGone();
      this.#whenGone?.();
    });
  }

  /** Empty when the request has none. Of several of one name the first. */
  header(name: KeptHeader): string {
    return this.#kept[name] ?? '';
  }

  /** It was answered, or the client is gone. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** `action` is called when the client goes before its answer is complete. */
  onGone(action: () => void): void {
    this.#whenGone = action;
  }

  json(status: number, body: unknown, headers: Headers = {}): void {
    this.bytes(status, JSON.stringify(body), { ...JSON_TYPE, ...headers });
  }

  /** The one error shape of all paths: `{error: {code, message}}`. */
  error(status: number, code: string, message: string, headers: Headers = {}): void {
    this.json(status, { error: { code, message } }, headers);
  }

  bytes(status: number, body: string | Uint8Array, headers: Headers): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const closes: Headers = this.#body?.leave() ? { connection: 'close' } : {};
    reply(this.#res, status, body, { ...this.#headers, ...headers, ...closes }, this.isHead);
  }

  /** Answers with something that begins with `first` and goes on. Undefined when the client is gone. */
  open(headers: Headers, first: Buffer, parts: OpenResponseParts): OpenResponse | undefined {
    if (this.#isOver) return undefined;
    this.#isOver = true;
    startReply(this.#res, 200, { ...this.#headers, ...headers }, first);
    return new OpenResponse(this.#res, parts);
  }

  /** Answers `HEAD` where the body of `GET` would go on. */
  head(headers: Headers): void {
    if (this.#isOver) return;
    this.#isOver = true;
    replyHead(this.#res, 200, { ...this.#headers, ...headers });
  }

  /** Takes the body in hand, so that something can be looked up before it is read. To be called before anything is waited for. */
  holdBody(clock: Clock, room: HoldingRoom): RequestBody {
    const length = this.header('content-length');
    this.#body = new RequestBody(this.#res, clock, room, length === '' ? undefined : Number(length));
    return this.#body;
  }

  /**
   * The request's body. Undefined when it is larger than `maxBytes`, which is answered. To be called before anything is waited for: what comes
   * while nobody listens is lost.
   */
  body(maxBytes: number): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let length = 0;
      this.#res.onData((chunk, isLast) => {
        length += chunk.byteLength;
        if (length > maxBytes) {
          chunks.length = 0;
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

  /** What a body of JSON says; none at all says nothing: `value` undefined. Undefined when it is no JSON, which is answered. */
  readJson(body: Buffer): { value: unknown } | undefined {
    const contentType = this.header('content-type');
    if (!isJson(contentType)) {
      const message = `content-type: must be application/json, this is ${contentType.slice(0, 100)}`;
      this.error(415, 'INVALID_MESSAGE', message);
      return undefined;
    }
    try {
      return { value: body.length === 0 ? undefined : JSON.parse(utf8.decode(body)) };
    } catch {
      this.error(400, 'INVALID_MESSAGE', 'The body must be JSON');
      return undefined;
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Clients that say nothing are taken at their word: they were told to send JSON. */
function isJson(contentType: string): boolean {
  const [type = ''] = contentType.split(';');
  return /^(|application\/([\w.-]+\+)?json)$/i.test(type.trim());
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
