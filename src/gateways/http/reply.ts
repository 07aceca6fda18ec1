import type { HttpResponse } from 'uWebSockets.js';

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: '200 OK',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  426: '426 Upgrade Required',
  503: '503 Service Unavailable',
};

/** Answers JSON. `headers` go out beside the content type; nothing is ever cached. */
export function replyJson(
  res: HttpResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  reply(res, status, JSON.stringify(body), { 'content-type': 'application/json; charset=utf-8', ...headers });
}

/** Answers the one error shape of all HTTP paths: `{error: {code, message}}`. */
export function replyError(
  res: HttpResponse,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): void {
  replyJson(res, status, { error: { code, message } }, headers);
}

export function reply(
  res: HttpResponse,
  status: number,
  body: string | Uint8Array,
  headers: Record<string, string>,
): void {
  res.cork(() => {
    res.writeStatus(STATUS_TEXT[status] ?? `${status}`);
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
    res.writeHeader('cache-control', 'no-store').writeHeader('x-content-type-options', 'nosniff').end(body);
  });
}
