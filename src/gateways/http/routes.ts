import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { ClientAddress } from '../client-address.ts';
import { Exchange } from './exchange.ts';
import { type Headers, reply, replyError } from './reply.ts';

type Method = 'GET' | 'POST' | 'DELETE';
export type Handler = (exchange: Exchange) => void;

export interface RoutesParts {
  addressOf: ClientAddress;
  /** Pages of these may call, and read the answers. */
  allowedOrigins: readonly string[];
}

/** Paths that do something: each with its methods, CORS for the allowed origins, and 405 for what it does not know. */
export class Routes {
  readonly #app: TemplatedApp;
  readonly #parts: RoutesParts;

  constructor(app: TemplatedApp, parts: RoutesParts) {
    this.#app = app;
    this.#parts = parts;
  }

  /** `path`: with `:name` for its variable parts. */
  add(path: string, handlers: Partial<Record<Method, Handler>>): void {
    const methods = Object.keys(handlers).join(', ');
    const parameters = path.split('/').filter((part) => part.startsWith(':')).length;
    const on = (handler: Handler) => (res: HttpResponse, req: HttpRequest) => {
      handler(new Exchange(res, req, this.#parts.addressOf, parameters, this.#corsHeaders(req)));
    };
    if (handlers.GET !== undefined) this.#app.get(path, on(handlers.GET));
    if (handlers.POST !== undefined) this.#app.post(path, on(handlers.POST));
    if (handlers.DELETE !== undefined) this.#app.del(path, on(handlers.DELETE));
    this.#app.options(path, (res, req) => {
      reply(res, 204, '', {
        allow: methods,
        ...this.#corsHeaders(req),
        'access-control-allow-methods': methods,
        'access-control-allow-headers': 'authorization, content-type',
        'access-control-max-age': '600',
      });
    });
    this.#app.any(path, (res, req) => {
      const headers = { ...this.#corsHeaders(req), allow: methods };
      replyError(res, 405, 'METHOD_NOT_ALLOWED', `${path} answers ${methods}`, headers);
    });
  }

  #corsHeaders(req: HttpRequest): Headers {
    const origin = req.getHeader('origin');
    if (!this.#parts.allowedOrigins.includes(origin)) return { vary: 'Origin' };
    return { vary: 'Origin', 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' };
  }
}
