import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { ConnectionStats } from '../../router/snapshot.ts';
import type { Page } from './pages.ts';
import { reply, replyError, replyJson } from './reply.ts';

export interface HttpGatewayParts {
  /** The original five fields of `/stats` and `/health`. */
  connectionStats: () => ConnectionStats;
  /** What `/stats` shows beside them. */
  detailedStats: () => Record<string, unknown>;
  /** False from the moment the router drains. */
  isReady: () => boolean;
  /** What does not work just now, though the router does. */
  degraded: () => readonly string[];
  pages: ReadonlyMap<string, Page>;
  webSocketPaths: readonly string[];
}

/** Every plain HTTP path. To be built after the WebSocket gateway, since it answers whatever is left. */
export function serveHttp(app: TemplatedApp, parts: HttpGatewayParts): void {
  get(app, '/health', (res) => {
    const ready = parts.isReady();
    const status = ready ? 'healthy' : 'draining';
    replyJson(res, ready ? 200 : 503, { status, timestamp: new Date().toISOString(), stats: parts.connectionStats() });
  });
  get(app, '/health/live', (res) => replyJson(res, 200, { status: 'live' }));
  get(app, '/health/ready', (res) => {
    const ready = parts.isReady();
    // Frames are routed all the same, so it is no reason to take the router out of service.
    replyJson(res, ready ? 200 : 503, { status: ready ? 'ready' : 'draining', degraded: parts.degraded() });
  });
  get(app, '/stats', (res) => replyJson(res, 200, { ...parts.connectionStats(), ...parts.detailedStats() }));
  for (const [path, page] of parts.pages) get(app, path, (res) => reply(res, 200, page.body, page.headers));
  for (const path of parts.webSocketPaths) {
    app.any(path, (res) => {
      replyError(res, 426, 'UPGRADE_REQUIRED', `${path} speaks WebSocket`, {
        upgrade: 'websocket',
        connection: 'Upgrade',
      });
    });
  }
  app.any('/*', (res, req) => replyError(res, 404, 'NOT_FOUND', `No such path: ${req.getUrl().slice(0, 100)}`));
}

function get(app: TemplatedApp, path: string, handler: (res: HttpResponse, req: HttpRequest) => void): void {
  app.get(path, handler);
  app.any(path, (res) => replyError(res, 405, 'METHOD_NOT_ALLOWED', `${path} answers GET`, { allow: 'GET' }));
}
