import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import type { Pool } from 'pg';

/** An HTTP server on a free port of 127.0.0.1. Its address is known before what it serves. */
export interface Site {
  port: number;
  /** As a browser names it in `Origin`. */
  origin: string;
  serve(listener: RequestListener): void;
  close(): void;
}

export async function openSite(): Promise<Site> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    serve: (listener) => void server.on('request', listener),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A web app that has Better Auth for its users, and a page. Its tables are made by Better Auth where they are missing. */
export async function webAppWith(pool: Pool, secret: string, origin: string): Promise<RequestListener> {
  const options = {
    database: pool,
    secret,
    baseURL: origin,
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    logger: { disabled: true },
    telemetry: { enabled: false },
  };
  const { runMigrations } = await getMigrations(options);
  await runMigrations();
  const handleAuth = toNodeHandler(betterAuth(options));
  return (request, response) => {
    if (request.url?.startsWith('/api/auth/')) void handleAuth(request, response);
    else sendPage(request, response);
  };
}

/** A page with nothing on it, at every path. */
export function sendPage(...[_request, response]: Parameters<RequestListener>): void {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>A page</title><body>');
}
