import * as z from 'zod';
import { connectionPage, type Onlooker } from '../../router/connections.ts';
import type { OpenConnection } from '../../router/open-connection.ts';
import type { Clock } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { Doorkeeper, OperatorOrSession } from './doorkeeper.ts';
import type { Exchange } from './exchange.ts';
import { readQuery } from './query.ts';
import { invalid } from './refusals.ts';
import type { Routes } from './routes.ts';

export interface ConnectionsApiParts {
  router: Router;
  doorkeeper: Doorkeeper;
  clock: Clock;
  /** All that are open now. */
  connections: () => Iterable<OpenConnection>;
}

const DEFAULT_ROWS = 200;
export const MAX_ROWS = 1_000;
const LIMIT_PROBLEM = `must be 1 to ${MAX_ROWS}`;

export const connectionsQuery = z.object({
  limit: z
    .string()
    .regex(/^\d{1,9}$/, LIMIT_PROBLEM)
    .transform(Number)
    .pipe(z.number(LIMIT_PROBLEM).min(1, LIMIT_PROBLEM).max(MAX_ROWS, LIMIT_PROBLEM))
    .optional(),
});

/** `GET /api/connections`: who is connected, and which of them are slow. */
export function serveConnections(routes: Routes, parts: ConnectionsApiParts): void {
  routes.add('/api/connections', {
    GET: parts.doorkeeper.withSessionOrOpsToken((exchange, who) => listConnections(exchange, who, parts)),
  });
}

function listConnections(exchange: Exchange, who: OperatorOrSession, parts: ConnectionsApiParts): void {
  const { router, clock, connections } = parts;
  const result = readQuery(exchange.request.query, connectionsQuery);
  if (result.kind === 'problem') {
    invalid(exchange, result.problem);
    return;
  }
  const onlooker: Onlooker = who.kind === 'operator' ? who : { kind: 'user', userId: who.principal.userId };
  const { limit = DEFAULT_ROWS } = result.query;
  const page = connectionPage({ connections: connections(), onlooker, limit, router, clock });
  exchange.json(200, { ...page, source: 'memory' });
}
