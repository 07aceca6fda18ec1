import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { ClientAddress } from '../client-address.ts';
import type { Origins } from '../credentials.ts';
import { Exchange } from './exchange.ts';
import type { Headers } from './reply.ts';

type Method = 'GET' | 'POST' | 'DELETE';

/** What a request must show to be handled. */
type Needs = 'nothing' | 'session' | 'service token' | 'session or ops token';

/** What one method of a path does. */
export interface Handler {
  needs: Needs;
  handle: (exchange: Exchange) => void;
}

/** One line of the table of all paths. */
export interface ListedRoute {
  method: Method;
  /** With `:name` for its variable parts. */
  path: string;
  needs: Needs;
}

export interface RoutesParts {
  addressOf: ClientAddress;
  /** Pages of these may call, and read the answers. */
  allowedOrigins: Origins;
}

/** Headers that pages may send and read beside those that every page may. */
const ALLOWED_HEADERS = 'authorization, content-type, if-none-match, x-timestamp';
const EXPOSED_HEADERS = 'Age, Allow, ETag, Retry-After, WWW-Authenticate';
const PREFLIGHT_HEADERS: Headers = { 'access-control-allow-headers': ALLOWED_HEADERS, 'access-control-max-age': '600' };
const ALL_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const UPGRADE_HEADERS: Headers = { upgrade: 'websocket', connection: 'Upgrade' };

/** For everybody. */
export function open(handle: (exchange: Exchange) => void): Handler {
  return { needs: 'nothing', handle };
}

/** All plain HTTP paths: each with its methods, `HEAD` where `GET` is, CORS for the allowed origins, and 405 for what it does not know. */
export class Routes {
  readonly #app: TemplatedApp;
  readonly #parts: RoutesParts;
  readonly #listed: ListedRoute[] = [];

  constructor(app: TemplatedApp, parts: RoutesParts) {
    this.#app = app;
    this.#parts = parts;
  }

  /** Every path that was added, by method. */
  get listed(): readonly ListedRoute[] {
    return this.#listed;
  }

  /** `path`: with `:name` for its variable parts. */
  add(path: string, handlers: Partial<Record<Method, Handler>>): void {
    const methods = Object.keys(handlers) as Method[];
    const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
    const parameters = path.split('/').filter((part) => part.startsWith(':')).length;
    const on = ({ handle }: Handler) => this.#on(parameters, handle);
    if (handlers.GET !== undefined) this.#app.get(path, on(handlers.GET)).head(path, on(handlers.GET));
    if (handlers.POST !== undefined) this.#app.post(path, on(handlers.POST));
    if (handlers.DELETE !== undefined) this.#app.del(path, on(handlers.DELETE));
    this.#app.options(
      path,
      this.#on(0, (exchange) => {
        exchange.bytes(204, '', { allow, 'access-control-allow-methods': allow, ...PREFLIGHT_HEADERS });
      }),
    );
    this.#app.any(
      path,
      this.#on(0, (exchange) => {
        exchange.error(405, 'METHOD_NOT_ALLOWED', `${path} answers ${allow}`, { allow });
      }),
    );
    for (const [method, { needs }] of Object.entries(handlers)) {
      this.#listed.push({ method: method as Method, path, needs });
    }
  }

  /** A path of the WebSocket gateway, for who comes without an upgrade. */
  addWebSocket(path: string): void {
    this.#app.any(
      path,
      this.#on(0, (exchange) => {
        exchange.error(426, 'UPGRADE_REQUIRED', `${path} speaks WebSocket`, UPGRADE_HEADERS);
      }),
    );
  }

  /** Whatever is left. To be called last. */
  addRest(): void {
    this.#app.any('/*', (res, req) => {
      const isPreflight = req.getMethod() === 'options' && req.getHeader('access-control-request-method') !== '';
      this.#on(0, (exchange) => {
        // A page must get past it to read that there is nothing.
        if (isPreflight) exchange.bytes(204, '', { 'access-control-allow-methods': ALL_METHODS, ...PREFLIGHT_HEADERS });
        else exchange.error(404, 'NOT_FOUND', `No such path: ${exchange.path.slice(0, 100)}`);
      })(res, req);
    });
  }

  #on(parameters: number, handle: (exchange: Exchange) => void) {
    return (res: HttpResponse, req: HttpRequest): void => {
      handle(new Exchange(res, req, this.#parts.addressOf, parameters, this.#corsHeaders(req)));
    };
  }

  #corsHeaders(req: HttpRequest): Headers {
    const origin = req.getHeader('origin');
    if (!this.#parts.allowedOrigins.includes(origin)) return { vary: 'Origin' };
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': EXPOSED_HEADERS,
    };
  }
}
