import type { Log } from '../../router/ports.ts';
import type { ConnectionStats } from '../../router/snapshot.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Exchange } from './exchange.ts';
import { type Pages, servePages } from './pages.ts';
import { open, type Routes } from './routes.ts';

export interface HttpGatewayParts {
  /** The original five fields of `/stats` and `/health`. */
  connectionStats: () => ConnectionStats;
  /** What `/stats` shows beside them. */
  detailedStats: () => Record<string, unknown>;
  metrics: Pick<Metrics, 'contentType' | 'text'>;
  log: Log;
  /** How the router knows its users, where it is not by their sessions. */
  authMode?: string | undefined;
  /** False from the moment the router drains. */
  isReady: () => boolean;
  /** What does not work just now, though the router does. */
  degraded: () => readonly string[];
  pages: Pages;
  webSocketPaths: readonly string[];
}

/** The paths for everybody. To be called last, since it answers whatever is left. */
export function serveHttp(routes: Routes, parts: HttpGatewayParts): void {
  const get = (path: string, handle: (exchange: Exchange) => void) => routes.add(path, { GET: open(handle) });
  const sendStats = (exchange: Exchange) => {
    exchange.json(200, { ...parts.connectionStats(), ...parts.detailedStats() });
  };
  get('/health', (exchange) => {
    const ready = parts.isReady();
    const status = ready ? 'healthy' : 'draining';
    const { authMode } = parts;
    const timestamp = new Date().toISOString();
    exchange.json(ready ? 200 : 503, { status, timestamp, authMode, stats: parts.connectionStats() });
  });
  get('/health/live', (exchange) => exchange.json(200, { status: 'live' }));
  get('/health/ready', (exchange) => {
    const ready = parts.isReady();
    // Frames are routed all the same, so it is no reason to take the router out of service.
    exchange.json(ready ? 200 : 503, { status: ready ? 'ready' : 'draining', degraded: parts.degraded() });
  });
  get('/stats', sendStats);
  get('/api/stats', sendStats);
  get('/metrics', (exchange) => void sendMetrics(exchange, parts));
  servePages(routes, parts.pages);
  for (const path of parts.webSocketPaths) routes.addWebSocket(path);
  routes.addRest();
}

async function sendMetrics(exchange: Exchange, { metrics, log }: HttpGatewayParts): Promise<void> {
  try {
    exchange.bytes(200, await metrics.text(), { 'content-type': metrics.contentType });
  } catch (error) {
    log('error', { err: error }, 'metrics cannot be read');
    exchange.error(500, 'INTERNAL_ERROR', 'The router could not answer this request');
  }
}
