import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Exchange } from './exchange.ts';
import type { Headers } from './reply.ts';
import { open, type Routes } from './routes.ts';

/** A file of the web pages, held in memory. */
interface File {
  plain: Uint8Array;
  gzipped: Uint8Array;
  headers: Headers;
  etag: string;
}

/** What a browser is sent: the pages, and by name the files that they are made of. */
export interface Pages {
  /** By path: `/`, `/ops`, `/camera`. */
  byPath: ReadonlyMap<string, File>;
  /** Of `/assets/`, by name. */
  assets: ReadonlyMap<string, File>;
}

/** Nothing but the router's own files and sockets: what a camera sends can never run as code. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE_HEADERS: Headers = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
  // The address may hold a token: it must not travel on as a referrer.
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};
/** Their names say what is in them. */
const ASSET_HEADERS: Headers = { 'cache-control': 'public, max-age=31536000, immutable' };

const PAGES: Readonly<Record<string, string>> = { '/': 'index.html', '/ops': 'ops.html', '/camera': 'camera.html' };
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * Reads the built pages. `folder` ends with a slash.
 * @throws Error when they are not built.
 */
export function loadPages(folder: URL): Pages {
  const assets = new URL('assets/', folder);
  if (!existsSync(assets)) throw new Error('the pages are not built: run `npm run build`');
  return {
    byPath: new Map(Object.entries(PAGES).map(([path, name]) => [path, load(new URL(name, folder), PAGE_HEADERS)])),
    assets: new Map(readdirSync(assets).map((name) => [name, load(new URL(name, assets), ASSET_HEADERS)])),
  };
}

export function servePages(routes: Routes, { byPath, assets }: Pages): void {
  for (const [path, page] of byPath) routes.add(path, { GET: open((exchange) => send(exchange, page)) });
  routes.add('/assets/:file', {
    GET: open((exchange) => {
      const asset = assets.get(exchange.parameters[0] ?? '');
      if (asset !== undefined) send(exchange, asset);
      else exchange.error(404, 'NOT_FOUND', 'No such file: the pages may be of another version, load them anew');
    }),
  });
}

function send(exchange: Exchange, { plain, gzipped, headers, etag }: File): void {
  const all: Headers = { ...headers, etag, vary: 'Origin, Accept-Encoding' };
  if (exchange.header('if-none-match').includes(etag)) exchange.bytes(304, '', all);
  else if (/\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(exchange.header('accept-encoding')))
    exchange.bytes(200, gzipped, { ...all, 'content-encoding': 'gzip' });
  else exchange.bytes(200, plain, all);
}

function load(file: URL, headers: Headers): File {
  const plain = readFileSync(file);
  const type = CONTENT_TYPES[extname(file.pathname)] ?? 'application/octet-stream';
  const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 22);
  return {
    plain,
    gzipped: gzipSync(plain, { level: 9 }),
    headers: { 'content-type': type, ...headers },
    etag: `W/"${hash}"`,
  };
}
