import type { TicketOffice } from '../../router/ports.ts';
import { type AlertsApiParts, serveAlerts } from './alerts-api.ts';
import type { Session } from './doorkeeper.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './routes.ts';
import { serveStreams } from './streams-api.ts';

export interface ApiParts extends AlertsApiParts {
  tickets: TicketOffice;
}

/** The paths that need a session, or the service token. */
export function serveApi(routes: Routes, parts: ApiParts): void {
  const { doorkeeper, tickets } = parts;
  routes.add('/api/tickets', {
    // A ticket buys no other: they would go on for ever.
    POST: doorkeeper.withSession((exchange, session) => sellTicket(exchange, session, tickets), { tickets: false }),
  });
  serveStreams(routes, parts);
  serveAlerts(routes, parts);
}

function sellTicket(exchange: Exchange, session: Session, tickets: TicketOffice): void {
  const ticket = tickets.issue(session);
  if (ticket !== undefined) exchange.json(201, ticket);
  else exchange.error(429, 'RATE_LIMITED', 'This user holds too many unused tickets', { 'retry-after': '30' });
}
