import type { HttpResponse } from 'uWebSockets.js';

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: '200 OK',
  201: '201 Created',
  204: '204 No Content',
  304: '304 Not Modified',
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  408: '408 Request Timeout',
  409: '409 Conflict',
  410: '410 Gone',
  413: '413 Content Too Large',
  415: '415 Unsupported Media Type',
  426: '426 Upgrade Required',
  429: '429 Too Many Requests',
  500: '500 Internal Server Error',
  501: '501 Not Implemented',
  503: '503 Service Unavailable',
};

export type Headers = Readonly<Record<string, string>>;

/** Answers JSON. `headers` go out beside the content type; nothing is ever cached. */
function replyJson(res: HttpResponse, status: number, body: unknown, headers: Headers = {}): void {
  reply(res, status, JSON.stringify(body), { ...JSON_TYPE, ...headers });
}

/** Answers the one error shape of all HTTP paths: `{error: {code, message}}`. */
export function replyError(
  res: HttpResponse,
  status: number,
  code: string,
  message: string,
  headers: Headers = {},
): void {
  replyJson(res, status, { error: { code, message } }, headers);
}

export const JSON_TYPE: Headers = { 'content-type': 'application/json; charset=utf-8' };

/** `isHead`: the answer to `HEAD`, the same but for its body. */
export function reply(
  res: HttpResponse,
  status: number,
  body: string | Uint8Array,
  headers: Headers,
  isHead = false,
): void {
  res.cork(() => {
    writeHead(res, status, headers);
    if (status === 204 || status === 304) res.endWithoutBody();
    // Given the length as its argument the library sends it too, but never sees the answer as finished: without `onAborted` that ends the process.
    else if (isHead) res.writeHeader('content-length', `${Buffer.byteLength(body)}`).endWithoutBody();
    else res.end(body);
  });
}

/** An answer without a body, and without the length of one. */
export function replyHead(res: HttpResponse, status: number, headers: Headers): void {
  res.cork(() => {
    writeHead(res, status, headers);
    res.endWithoutBody();
  });
}

/** The beginning of an answer that goes on. */
export function startReply(res: HttpResponse, status: number, headers: Headers, first: Uint8Array): void {
  res.cork(() => {
    writeHead(res, status, headers);
    res.write(first);
  });
}

function writeHead(res: HttpResponse, status: number, headers: Headers): void {
  const all: Headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers };
  res.writeStatus(STATUS_TEXT[status] ?? `${status}`);
  for (const [name, value] of Object.entries(all)) res.writeHeader(name, value);
}
