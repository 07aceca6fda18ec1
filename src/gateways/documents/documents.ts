import { createHash } from 'node:crypto';
import type { Exchange } from '../http/exchange.ts';
import { JSON_TYPE } from '../http/reply.ts';
import { open, type Routes } from '../http/routes.ts';
import { asyncApi } from './async-api.ts';
import type { Json } from './json-schemas.ts';
import { openApi } from './open-api.ts';

interface Written {
  text: string;
  tag: string;
}

/** `GET /openapi.json` and `GET /asyncapi.json`: what this router answers, for programs. `version`: of the router. */
export function serveDocuments(routes: Routes, version: string): void {
  // Written when first asked for: not all routes are there yet.
  serve(routes, '/openapi.json', () => openApi(routes.listed, version));
  serve(routes, '/asyncapi.json', () => asyncApi(version));
}

function serve(routes: Routes, path: string, make: () => Json): void {
  let written: Written | undefined;
  const send = (exchange: Exchange) => {
    written ??= write(make());
    const { text, tag } = written;
    const headers = { etag: tag, 'cache-control': 'public, max-age=300' };
    if (exchange.header('if-none-match').includes(tag)) exchange.bytes(304, '', headers);
    else exchange.bytes(200, text, { ...JSON_TYPE, ...headers });
  };
  routes.add(path, { GET: open(send) });
}

function write(document: Json): Written {
  const text = JSON.stringify(document);
  return { text, tag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` };
}
