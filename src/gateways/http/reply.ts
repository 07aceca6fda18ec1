import type { HttpResponse } from 'uWebSockets.js';

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: '200 OK',
  201: '201 Created',
  204: '204 No Content',
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  413: '413 Content Too Large',
  426: '426 Upgrade Required',
  429: '429 Too Many Requests',
  500: '500 Internal Server Error',
  503: '503 Service Unavailable',
};

export type Headers = Readonly<Record<string, string>>;

/** Answers JSON. `headers` go out beside the content type; nothing is ever cached. */
export function replyJson(res: HttpResponse, status: number, body: unknown, headers: Headers = {}): void {
  reply(res, status, JSON.stringify(body), { 'content-type': 'application/json; charset=utf-8', ...headers });
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

export function reply(res: HttpResponse, status: number, body: string | Uint8Array, headers: Headers): void {
  res.cork(() => {
    res.writeStatus(STATUS_TEXT[status] ?? `${status}`);
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
    res.writeHeader('cache-control', 'no-store').writeHeader('x-content-type-options', 'nosniff').end(body);
  });
}
